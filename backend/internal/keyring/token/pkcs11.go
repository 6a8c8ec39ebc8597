//go:build pkcs11

package token

import (
	"crypto"
	"crypto/elliptic"
	"fmt"
	"os"
	"strings"

	"github.com/ThalesGroup/crypto11"

	"madoguchi.example/shared/fault"
)

// Device is an open token. It is safe for concurrent use.
type Device struct{ c *crypto11.Context }

// Open opens the token that the configuration names.
func Open(c Config) (*Device, error) {
	pin, err := readPIN(c.PINFile)
	if err != nil {
		return nil, err
	}
	x, err := crypto11.Configure(&crypto11.Config{Path: c.Module, TokenLabel: c.TokenLabel, Pin: pin})
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "cannot open the token that certificates.pkcs11 names")
	}
	return &Device{x}, nil
}

// maxPIN caps the PIN file in bytes.
const maxPIN = 256

func readPIN(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the PIN file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("cannot use the PIN file %s: others may read it (want mode 0600)", path)
	}
	if info.Size() > maxPIN {
		return "", fmt.Errorf("cannot use the PIN file %s: it is larger than %d bytes", path, maxPIN)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the PIN file: %w", err)
	}
	return strings.TrimRight(string(raw), "\r\n"), nil
}

// Close ends the sessions.
func (d *Device) Close() error { return d.c.Close() }

// Generate makes a P-256 key that the token never gives out.
func (d *Device) Generate(label string) (crypto.Signer, error) {
	if found, err := d.Find(label); err != nil || found != nil {
		return nil, fmt.Errorf("cannot make a key in the token: its label is taken, or %w", err)
	}
	return d.c.GenerateECDSAKeyPairWithLabel([]byte(label), []byte(label), elliptic.P256())
}

// Find gives the key with the label; nil where there is none.
func (d *Device) Find(label string) (crypto.Signer, error) {
	s, err := d.c.FindKeyPair(nil, []byte(label))
	if err != nil || s == nil {
		return nil, err
	}
	return s, nil
}

// Destroy removes both halves of the key with the label, if there is one.
func (d *Device) Destroy(label string) error {
	s, err := d.c.FindKeyPair(nil, []byte(label))
	if err != nil || s == nil {
		return err
	}
	return s.Delete()
}
