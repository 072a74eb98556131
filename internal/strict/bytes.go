package strict

// class is a set of the kinds that a byte belongs to.
type class uint8

const (
	token      class = 1 << iota // of methods and header names
	visible                      // of header values, with space and tab
	plainPath                    // of paths, without "/", "." and "%", which mean something
	plainQuery                   // of queries, without "%"
	hostName                     // of host names and IPv4 addresses
	hexDigit
)

var classes = func() (table [256]class) {
	set := func(kind class, bytes string) {
		for i := range len(bytes) {
			table[bytes[i]] |= kind
		}
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	const digits = "0123456789"
	set(token, letters+digits+"!#$%&'*+-.^_`|~")
	set(plainPath, letters+digits+"-_~!$&'()*+,=:@")
	set(hostName, letters+digits+"-._")
	set(hexDigit, digits+"abcdefABCDEF")
	set(visible, "\t ")
	for b := 0x21; b < 0x7f; b++ {
		table[b] |= visible
		if b != '#' && b != '%' && b != ';' {
			table[b] |= plainQuery
		}
	}
	for b := 0x80; b <= 0xff; b++ {
		table[b] |= visible // obs-text: opaque, and every reader passes it on
	}
	return table
}()

// allOf reports whether every byte of b is of the kind.
func allOf(b []byte, kind class) bool {
	for _, c := range b {
		if classes[c]&kind == 0 {
			return false
		}
	}
	return true
}

// unhex gives the value of a byte of class hexDigit.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// trim takes the optional white space off both ends of a header's value.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// is reports whether b is the lower-case name, in any case. b holds tokens
// only, and so no byte outside letters folds onto one.
func is(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i, c := range b {
		if c|0x20 != name[i] {
			return false
		}
	}
	return true
}
