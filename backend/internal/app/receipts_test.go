package app

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"madoguchi.example/backend/internal/keyfile"
	"madoguchi.example/firmware-config/profile"
)

// Terminals are told of the key that signs first, and of those beside it, before and after
// one takes the other's place.
func TestAReceiptKeyIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	ids := func() []string {
		t.Helper()
		signs, err := keyfile.Ed25519(path("receipt.key"), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		others, err := otherReceiptKeys(dir)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, k := range receiptKeys(signs, others) {
			all = append(all, k.ID)
		}
		return all
	}
	alone := ids()
	if _, err := keyfile.Ed25519(path("receipt-next.key"), rand.Reader); err != nil {
		t.Fatal(err)
	}
	before := ids()
	for _, names := range [][2]string{{"receipt.key", "x"}, {"receipt-next.key", "receipt.key"}, {"x", "receipt-old.key"}} {
		if err := os.Rename(path(names[0]), path(names[1])); err != nil {
			t.Fatal(err)
		}
	}
	after := ids()
	if len(alone) != 1 || len(before) != 2 || before[0] != alone[0] || len(after) != 2 || after[0] != before[1] || after[1] != before[0] {
		t.Errorf("%v, then %v, then %v", alone, before, after)
	}
	for i := range profile.MaxReceiptKeys {
		if _, err := keyfile.Ed25519(path(fmt.Sprintf("receipt-%d.key", i)), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := otherReceiptKeys(dir); err == nil {
		t.Error("any number of keys is taken")
	}
	if err := os.WriteFile(path("receipt-old.key"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range profile.MaxReceiptKeys {
		if err := os.Remove(path(fmt.Sprintf("receipt-%d.key", i))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := otherReceiptKeys(dir); err == nil {
		t.Error("what is no key is taken for one")
	}
}
