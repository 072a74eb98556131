package route

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spanway/spanway/internal/check"
)

// Methods are the methods that a route may take; without a choice it takes all.
func Methods() []string {
	return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Check reports what is wrong with the settings.
func (s Settings) Check(p check.Problems) {
	if s.Name == "" {
		p.Addf("", "must have a name")
	} else if !nameForm.MatchString(s.Name) {
		p.Addf("name", "must be letters, digits, dots, dashes and underscores, such as orders, is %q", s.Name)
	}
	if strings.ContainsAny(s.Host, ":/{}* \t") || s.Host != strings.ToLower(s.Host) {
		p.Addf("host", "must be a host name in lower case without a port, is %q", s.Host)
	}
	switch {
	case s.Path != "" && s.Prefix != "":
		p.Addf("", "must have path or prefix, has both")
	case s.Path == "" && s.Prefix == "":
		p.Addf("", "must have path or prefix, has neither")
	case s.Path != "":
		checkTemplate(p, s.Path)
	case !strings.HasPrefix(s.Prefix, "/"):
		p.Addf("prefix", "must begin with a slash, is %q", s.Prefix)
	case strings.ContainsAny(s.Prefix, "{}"):
		p.Addf("prefix", "must be without variables, is %q", s.Prefix)
	}
	for i, method := range s.Methods {
		if !slices.Contains(Methods(), method) {
			p.At("methods", i).Addf("", "must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, is %q", method)
		} else if slices.Contains(s.Methods[:i], method) {
			p.At("methods", i).Addf("", "is there twice")
		}
	}
}

// checkTemplate finds what gorilla/mux would not compile.
func checkTemplate(p check.Problems, template string) {
	if !strings.HasPrefix(template, "/") {
		p.Addf("path", "must begin with a slash, is %q", template)
		return
	}
	var names []string
	for rest := template; ; {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			return
		}
		length := group(rest[open:])
		if length < 0 {
			p.Addf("path", "must have a closing brace for every opening one, is %q", template)
			return
		}
		name, pattern, hasPattern := strings.Cut(rest[open+1:open+length-1], ":")
		if name == "" || hasPattern && pattern == "" {
			p.Addf("path", "must name its variables as {id} or {id:[0-9]+}, is %q", template)
			return
		}
		if slices.Contains(names, name) {
			p.Addf("path", "must name each variable once, has %q twice", name)
		}
		names = append(names, name)
		if expr, err := regexp.Compile(pattern); err != nil {
			p.Addf("path", "must have regular expressions in its variables, %q is none", pattern)
		} else if expr.NumSubexp() > 0 {
			p.Addf("path", "must group with (?:…) in its regular expressions, has %q", pattern)
		}
		rest = rest[open+length:]
	}
}

// group returns the length of the braces that text begins with, or -1.
func group(text string) int {
	depth := 0
	for i, r := range text {
		switch r {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth < 0 {
			return -1
		}
		if depth == 0 {
			return i + 1
		}
	}
	return -1
}
