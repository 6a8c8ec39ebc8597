package keyfile

import (
	"fmt"
	"strings"

	"filippo.io/age"
)

// X25519 reads the age identity of a file and makes the file when it is not there.
func X25519(path string) (*age.X25519Identity, error) {
	raw, err := readOrMake(path, func() ([]byte, error) {
		fresh, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, err
		}
		return []byte(fresh.String() + "\n"), nil
	})
	if err != nil {
		return nil, err
	}
	identity, err := age.ParseX25519Identity(strings.TrimSpace(string(raw)))
	if err != nil {
		return nil, fmt.Errorf("cannot use the key file %s: it does not hold an age identity", path)
	}
	return identity, nil
}
