package vault_test

import (
	"bytes"
	"errors"
	"testing"

	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
)

// same is no randomness at all.
type same struct{}

func (same) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// A value of another terminal does not open at its own place either, though both terminals
// made the same day key.
func TestTheTerminalIsBound(t *testing.T) {
	const place = "shelf/case"
	sealed := map[string][]byte{}
	vaults := map[string]*vault.Vault{}
	for _, terminal := range []string{"trm_1", "trm_2"} {
		dir := t.TempDir()
		copyKey(t, dir)
		o := options(dir)
		o.Terminal, o.Rand = terminal, same{}
		v := openWith(t, dir, o)
		put(t, v, "a", "value of "+terminal)
		if err := v.View(func(tx *bbolt.Tx) error {
			sealed[terminal] = bytes.Clone(tx.Bucket([]byte(place)).Get([]byte("a")))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		vaults[terminal] = v
	}
	if !bytes.Equal(sealed["trm_1"][:8], sealed["trm_2"][:8]) {
		t.Fatal("the day keys have other names: the test proves nothing")
	}
	if err := vaults["trm_2"].Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(place)).Put([]byte("a"), sealed["trm_1"])
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := get(t, vaults["trm_2"], "a"); !errors.Is(err, vault.ErrDamaged) {
		t.Errorf("a value of another terminal opens: %q, %v", got, err)
	}
}
