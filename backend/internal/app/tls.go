package app

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"madoguchi.example/backend/internal/config"
)

// certificate serves a pair of files and reads them again when they have changed. While a
// changed pair cannot be read, the former one stays.
type certificate struct {
	files config.TLS

	mu      sync.Mutex
	current *tls.Certificate
	stamp   [2]time.Time
}

// tlsConfig makes the TLS side of the listener; nil without files.
func tlsConfig(files config.TLS) (*tls.Config, error) {
	if files.CertFile == "" {
		return nil, nil
	}
	c := &certificate{files: files}
	if _, err := c.get(nil); err != nil {
		return nil, fmt.Errorf("cannot use the TLS certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"http/1.1"}}, nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamp, err := c.stamps()
	if err == nil && c.current != nil && stamp == c.stamp {
		return c.current, nil
	}
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil && c.current != nil {
		return c.current, nil
	}
	if err != nil {
		return nil, err
	}
	c.current, c.stamp = &pair, stamp
	return c.current, nil
}

func (c *certificate) stamps() (out [2]time.Time, err error) {
	for i, path := range []string{c.files.CertFile, c.files.KeyFile} {
		info, err := os.Stat(path)
		if err != nil {
			return out, err
		}
		out[i] = info.ModTime()
	}
	return out, nil
}
