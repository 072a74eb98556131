package check

// File is a file that a setting names, as it stood when the configuration was
// read: a reload sees what it holds then.
type File struct{ path, text string }

// NewFile returns a file that has been read.
func NewFile(path, text string) File { return File{path, text} }

// Named reports whether the setting names a file at all.
func (f File) Named() bool { return f.path != "" }

// Path is where the file stands.
func (f File) Path() string { return f.path }

// Text is what the file holds.
func (f File) Text() string { return f.text }

// MarshalText implements encoding.TextMarshaler. It is the reference, and not
// what the file holds.
func (f File) MarshalText() ([]byte, error) {
	if !f.Named() {
		return nil, nil
	}
	return []byte("file:" + f.path), nil
}
