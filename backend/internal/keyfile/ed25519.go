package keyfile

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
)

// Ed25519 reads the Ed25519 private key of a PEM file (PKCS #8), and makes the file when it
// is not there.
func Ed25519(path string, rand io.Reader) (ed25519.PrivateKey, error) {
	raw, err := readOrMake(path, func() ([]byte, error) { return newEd25519(rand) })
	if err != nil {
		return nil, err
	}
	return useEd25519(path, raw)
}

// ReadEd25519 reads the Ed25519 private key of a PEM file (PKCS #8) that must be there.
func ReadEd25519(path string) (ed25519.PrivateKey, error) {
	raw, err := read(path)
	if err != nil {
		return nil, err
	}
	return useEd25519(path, raw)
}

func useEd25519(path string, raw []byte) (ed25519.PrivateKey, error) {
	key, err := parseEd25519(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot use the key file %s: %w", path, err)
	}
	return key, nil
}

func newEd25519(rand io.Reader) ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func parseEd25519(raw []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("it holds no private key in PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("its key cannot be read")
	}
	ed, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("its key is not an Ed25519 key")
	}
	return ed, nil
}
