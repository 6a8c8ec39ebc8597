// Package keyfile keeps the backend's own keys in files that only its user may read,
// and makes them when they are not there.
//
// It promises that a key file that exists is never overwritten, that a file which others
// may read is refused, and that two processes which start at once end with one key.
package keyfile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// MaxBytes caps a key file.
const MaxBytes = 64 << 10

// ECDSA reads the P-256 private key of a PEM file (PKCS #8 or SEC 1), and makes the file,
// with the public key beside it as path + ".pub", when it is not there.
func ECDSA(path string, rand io.Reader) (*ecdsa.PrivateKey, error) {
	raw, err := readOrMake(path, func() ([]byte, error) { return newECDSA(rand) })
	if err != nil {
		return nil, err
	}
	key, err := ParseECDSA(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot use the key file %s: %w", path, err)
	}
	return key, writePublic(path+".pub", key)
}

// ParseECDSA reads a P-256 private key from PEM.
func ParseECDSA(raw []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.New("it is not PEM")
	}
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, errors.New("it holds no private key")
	}
	if err != nil {
		return nil, errors.New("its key cannot be read")
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, errors.New("its key is not on the curve P-256")
	}
	return ec, nil
}

// Secret reads n secret bytes, kept as hexadecimal text, and makes the file when it is
// not there.
func Secret(path string, n int, rand io.Reader) ([]byte, error) {
	raw, err := readOrMake(path, func() ([]byte, error) {
		b := make([]byte, n)
		if _, err := io.ReadFull(rand, b); err != nil {
			return nil, err
		}
		return []byte(hex.EncodeToString(b) + "\n"), nil
	})
	if err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(b) != n {
		return nil, fmt.Errorf("cannot use the key file %s: it does not hold %d bytes in hexadecimal", path, n)
	}
	return b, nil
}

func newECDSA(rand io.Reader) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func writePublic(path string, key *ecdsa.PrivateKey) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return fmt.Errorf("cannot write the public key: %w", err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644); err != nil {
		return fmt.Errorf("cannot write the public key: %w", err)
	}
	return nil
}

func readOrMake(path string, make func() ([]byte, error)) ([]byte, error) {
	raw, err := read(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return raw, err
	}
	fresh, err := make()
	if err != nil {
		return nil, fmt.Errorf("cannot make the key for %s: %w", path, err)
	}
	if err := place(path, fresh); err != nil {
		return nil, fmt.Errorf("cannot write the key file %s: %w", path, err)
	}
	return read(path)
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("cannot use the key file %s: others may read it (want mode 0600)", path)
	}
	if info.Size() > MaxBytes {
		return nil, fmt.Errorf("cannot use the key file %s: it is larger than %d bytes", path, MaxBytes)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key file: %w", err)
	}
	return raw, nil
}

// place puts the content at path unless a file is there already, whole or not at all.
func place(path string, content []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// ParsePublic reads a P-256 public key from PEM.
func ParsePublic(raw []byte) (*ecdsa.PublicKey, error) {
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New("it is no PEM public key")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("its key cannot be read")
	}
	ec, ok := key.(*ecdsa.PublicKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, errors.New("its key is not on the curve P-256")
	}
	return ec, nil
}
