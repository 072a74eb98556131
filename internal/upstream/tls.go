package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/spanway/spanway/internal/check"
)

// TLS says how an https upstream proves who it is.
type TLS struct {
	CA         check.File `yaml:"ca"`          // PEM: these issuers, and not the system's
	ServerName string     `yaml:"server_name"` // the name in its certificate, where that is not the host's
}

// Check reports what is wrong with the settings.
func (t TLS) Check(p check.Problems) {
	if _, err := t.roots(); err != nil {
		p.Addf("ca", "must be a file of certificates in PEM, is file:%s", t.CA.Path())
	}
	if !visible(t.ServerName) {
		p.Addf("server_name", "must be a name, is %q", t.ServerName)
	}
}

// secure is how TLS is spoken with whoever proves to have this name.
func (e *endpoint) secure(name string) *tls.Config {
	c := e.options.TLS.Clone()
	c.NextProtos = []string{"http/1.1"}
	c.ServerName = name
	if e.roots != nil {
		// A session that is taken up again is not verified anew, so it must not come
		// from where other issuers are trusted.
		c.RootCAs, c.ClientSessionCache = e.roots, tls.NewLRUClientSessionCache(16)
	}
	return c
}

// errCA is what is wrong with a file of certificates.
var errCA = errors.New("the file of its issuers holds no certificate in PEM")

// roots are the issuers that are trusted; nil are the system's.
func (t TLS) roots() (*x509.CertPool, error) {
	if !t.CA.Named() {
		return nil, nil //nolint:nilnil // which is how crypto/tls means it
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(t.CA.Text())) {
		return nil, errCA
	}
	return roots, nil
}
