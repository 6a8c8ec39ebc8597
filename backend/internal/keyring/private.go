package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"madoguchi.example/backend/internal/keyfile"
	"madoguchi.example/shared/fault"
)

// Where a private part is.
const (
	inFile  = "file:"  // and a path below the key folder
	inToken = "token:" // and a label
)

// place gives the locator of a key's file. The id may hold what no file name can.
func place(use Use, id string) string {
	name := strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(id)
	return inFile + "certificates/" + string(use) + "/" + name + ".pem"
}

func (r *Ring) path(locator string) string {
	return filepath.Join(r.Dir, filepath.FromSlash(strings.TrimPrefix(locator, inFile)))
}

// private parts before the key has a name: in memory for a file, in the device for a token.
type fresh struct {
	signer crypto.Signer
	label  string // of the token, or ""
}

// generate makes a private key where new ones are kept.
func (r *Ring) generate(use Use) (fresh, error) {
	if r.Token == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), r.Rand)
		return fresh{signer: key}, err
	}
	raw := make([]byte, 12)
	if _, err := r.Rand.Read(raw); err != nil {
		return fresh{}, err
	}
	label := "madoguchi-" + string(use) + "-" + base64.RawURLEncoding.EncodeToString(raw)
	s, err := r.Token.Generate(label)
	if err != nil {
		return fresh{}, fault.Wrap(fault.Unavailable, err, "cannot make a key in the token")
	}
	return fresh{signer: s, label: label}, nil
}

// keep puts the private part of a named key where it stays, and gives the locator.
func (r *Ring) keep(f fresh, use Use, id string) (string, error) {
	if f.label != "" {
		return inToken + f.label, nil
	}
	locator := place(use, id)
	key, ok := f.signer.(*ecdsa.PrivateKey)
	if !ok {
		return "", fault.New(fault.Internal, "cannot keep a key that is not in memory")
	}
	return locator, keyfile.Place(r.path(locator), key)
}

// load reads the private part, and holds it against the public one.
func (r *Ring) load(k Stored) (crypto.Signer, error) {
	s, err := r.fetch(k.Locator)
	if err != nil {
		return nil, err
	}
	if public, ok := s.Public().(*ecdsa.PublicKey); !ok || !k.Public.Equal(public) {
		return nil, fault.At(fault.Unavailable, string(k.Use), "no signer: what lies under the name of the key in force is another key")
	}
	return s, nil
}

func (r *Ring) fetch(locator string) (crypto.Signer, error) {
	if label, ok := strings.CutPrefix(locator, inToken); ok {
		if r.Token == nil {
			return nil, fault.New(fault.Unavailable, "no signer: the key in force is in a token, and certificates.pkcs11 names none")
		}
		s, err := r.Token.Find(label)
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "no signer: the token does not answer")
		}
		if s == nil {
			return nil, fault.New(fault.Unavailable, "no signer: the key in force is not in the token")
		}
		return s, nil
	}
	key, err := keyfile.Read(r.path(locator))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Unavailable, err, "no signer: the private part of the key in force is not on this machine")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "no signer: the private part of the key in force cannot be used")
	}
	return key, nil
}

// Keeping tells how the private part is kept: "file", "token", or "destroyed".
func (k Stored) Keeping() string {
	switch {
	case !k.Destroyed.IsZero():
		return "destroyed"
	case strings.HasPrefix(k.Locator, inToken):
		return "token"
	}
	return "file"
}

// there tells whether this process can reach a private part.
func (r *Ring) there(k Stored) (bool, error) {
	if label, ok := strings.CutPrefix(k.Locator, inToken); ok {
		if r.Token == nil {
			return false, nil
		}
		s, err := r.Token.Find(label)
		return s != nil, err
	}
	_, err := os.Lstat(r.path(k.Locator))
	return err == nil, nil
}

// destroy removes a private part; it is no fault where there is none.
func (r *Ring) destroy(locator string) error {
	if label, ok := strings.CutPrefix(locator, inToken); ok {
		return r.Token.Destroy(label)
	}
	return keyfile.Destroy(r.path(locator))
}
