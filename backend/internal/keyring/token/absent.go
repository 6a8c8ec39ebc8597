//go:build !pkcs11

package token

import (
	"crypto"

	"madoguchi.example/shared/fault"
)

// Device is what a token would be.
type Device struct{}

var errAbsent = fault.At(fault.InvalidArgument, "certificates.pkcs11.module", "this program cannot use a PKCS #11 device: build it with -tags pkcs11")

// Open refuses: this program was built without the device's library.
func Open(Config) (*Device, error) { return nil, errAbsent }

// Close does nothing.
func (*Device) Close() error { return nil }

// Generate refuses.
func (*Device) Generate(string) (crypto.Signer, error) { return nil, errAbsent }

// Find refuses.
func (*Device) Find(string) (crypto.Signer, error) { return nil, errAbsent }

// Destroy refuses.
func (*Device) Destroy(string) error { return errAbsent }
