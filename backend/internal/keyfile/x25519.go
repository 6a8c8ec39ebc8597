package keyfile

import (
	"fmt"
	"strings"

	"filippo.io/age"
)

// X25519 reads the one age identity of a file, as age-keygen writes it, and makes the file
// when it is not there.
func X25519(path string) (*age.X25519Identity, error) {
	raw, err := readOrMake(path, func() ([]byte, error) {
		fresh, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, err
		}
		return []byte("# public key: " + fresh.Recipient().String() + "\n" + fresh.String() + "\n"), nil
	})
	if err != nil {
		return nil, err
	}
	all, err := age.ParseIdentities(strings.NewReader(string(raw)))
	if err == nil && len(all) == 1 {
		if one, ok := all[0].(*age.X25519Identity); ok {
			return one, nil
		}
	}
	return nil, fmt.Errorf("cannot use the key file %s: it does not hold one age X25519 identity", path)
}
