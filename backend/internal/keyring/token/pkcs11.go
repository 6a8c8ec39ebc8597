//go:build pkcs11

package token

import (
	"crypto"
	"crypto/elliptic"
	"errors"

	"github.com/ThalesGroup/crypto11"

	"madoguchi.example/backend/internal/keyfile"
	"madoguchi.example/shared/fault"
)

// Device is an open token. It is safe for concurrent use.
type Device struct{ c *crypto11.Context }

// Open opens the token that the configuration names.
func Open(c Config) (*Device, error) {
	pin, err := keyfile.Line(c.PINFile)
	if err != nil {
		return nil, err
	}
	x, err := crypto11.Configure(&crypto11.Config{Path: c.Module, TokenLabel: c.TokenLabel, Pin: pin})
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "cannot open the token that certificates.pkcs11 names")
	}
	return &Device{x}, nil
}

// Close ends the sessions.
func (d *Device) Close() error { return d.c.Close() }

// Generate makes a P-256 key that the token never gives out.
func (d *Device) Generate(label string) (crypto.Signer, error) {
	switch found, err := d.find(label); {
	case err != nil:
		return nil, err
	case found != nil:
		return nil, errors.New("cannot make a key in the token: its label is taken")
	}
	return d.c.GenerateECDSAKeyPairWithLabel([]byte(label), []byte(label), elliptic.P256())
}

// Find gives the key with the label; nil where there is none.
func (d *Device) Find(label string) (crypto.Signer, error) {
	s, err := d.find(label)
	if err != nil || s == nil {
		return nil, err
	}
	return s, nil
}

func (d *Device) find(label string) (crypto11.Signer, error) {
	found, err := d.c.FindKeyPairs(nil, []byte(label))
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, nil
	case len(found) > 1:
		return nil, errors.New("cannot tell the keys in the token apart: several have one label")
	}
	return found[0], nil
}

// Destroy removes both halves of the key with the label, if there is one.
func (d *Device) Destroy(label string) error {
	s, err := d.find(label)
	if err != nil || s == nil {
		return err
	}
	return s.Delete()
}
