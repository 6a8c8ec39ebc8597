//go:build !pkcs11

package token_test

import (
	"strings"
	"testing"

	"madoguchi.example/backend/internal/keyring/token"
	"madoguchi.example/shared/fault"
)

// A program that was built without the device's library names the setting and the mend.
func TestWithoutTheTag(t *testing.T) {
	_, err := token.Open(token.Config{Module: "x"})
	if fault.PlaceOf(err) != "certificates.pkcs11.module" || !strings.Contains(err.Error(), "-tags pkcs11") {
		t.Error(err)
	}
}
