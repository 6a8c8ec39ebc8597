package keyfile

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Read reads the P-256 private key of a PEM file. A file that is not there is
// fs.ErrNotExist.
func Read(path string) (*ecdsa.PrivateKey, error) {
	raw, err := read(path)
	if err != nil {
		return nil, err
	}
	key, err := ParseECDSA(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot use the key file %s: %w", path, err)
	}
	return key, nil
}

// Line reads the one line of a file that only its user may read: a PIN.
func Line(path string) (string, error) {
	raw, err := read(path)
	return strings.TrimRight(string(raw), "\r\n"), err
}

// Place writes a key to a file of mode 0600, whole or not at all. A file that is there
// stays as it is.
func Place(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err == nil {
		err = place(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("cannot write the key file %s: %w", path, err)
	}
	return nil
}

// Destroy writes zeros over a key file and removes it with its public part. What a disk
// keeps of overwritten blocks is beyond it. A file that is not there is no fault.
func Destroy(path string) error {
	if err := overwrite(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot destroy the key file: %w", err)
	}
	for _, name := range []string{path, path + ".pub"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot destroy the key file: %w", err)
		}
	}
	if err := syncDir(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot destroy the key file: %w", err)
	}
	return nil
}

func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt(make([]byte, info.Size()), 0)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes a new or removed name in the folder survive a power loss.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
