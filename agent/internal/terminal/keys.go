package terminal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"filippo.io/age"

	"madoguchi.example/shared/wire"
)

// MaxSealed is the largest sealed document that Open reads and SealTo writes, in bytes.
const MaxSealed = wire.MaxAnswerBytes

// SealTo seals plain to an age X25519 recipient, such as a payer's in the profile.
func SealTo(recipient string, plain []byte) ([]byte, error) {
	r, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		return nil, errors.New("cannot seal: the recipient is not an age X25519 recipient")
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, r)
	if err != nil {
		return nil, fmt.Errorf("cannot seal: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("cannot seal: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot seal: %w", err)
	}
	if out.Len() > MaxSealed {
		return nil, fmt.Errorf("cannot seal: more than %d bytes", MaxSealed)
	}
	return out.Bytes(), nil
}

func open(identity age.Identity, sealed []byte) ([]byte, error) {
	if len(sealed) > MaxSealed {
		return nil, fmt.Errorf("more than %d bytes", MaxSealed)
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), identity)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, MaxSealed))
}

// makeKeys makes the keys that are not there yet. The vault chooses and makes its own.
func (t *Terminal) makeKeys() error {
	dir := t.opts.StateDir
	signPath, openPath := filepath.Join(dir, signKeyFile), filepath.Join(dir, openKeyFile)
	if !exists(signPath) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), t.opts.Rand)
		if err != nil {
			return fmt.Errorf("cannot make the terminal's key: %w", err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return fmt.Errorf("cannot write the terminal's key: %w", err)
		}
		if err := writeFile(signPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
			return err
		}
	}
	if !exists(openPath) {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			return fmt.Errorf("cannot make the key for answers: %w", err)
		}
		if err := writeFile(openPath, []byte(identity.String()+"\n")); err != nil {
			return err
		}
	}
	var err error
	if t.sign, err = readSignKey(signPath); err != nil {
		return err
	}
	t.opening, err = readOpenKey(openPath)
	return err
}

func readSignKey(path string) (*ecdsa.PrivateKey, error) {
	b, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("cannot use %s: it holds no PEM", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: it holds no PKCS #8 key", path)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, fmt.Errorf("cannot use %s: its key is not EC P-256", path)
	}
	return ec, nil
}

func readOpenKey(path string) (*age.X25519Identity, error) {
	b, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	identity, err := age.ParseX25519Identity(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: it holds no age identity", path)
	}
	return identity, nil
}

// readPrivate reads a small file that only its owner may read.
func readPrivate(path string) ([]byte, error) {
	i, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && i.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("cannot use %s: others may read it; set its mode to 0600", path)
	}
	if i.Size() > 16<<10 {
		return nil, fmt.Errorf("cannot use %s: it is too large for a key", path)
	}
	return os.ReadFile(path)
}

// publicJWK writes the public key as RFC 7517 does.
func publicJWK(key *ecdsa.PrivateKey) (json.RawMessage, error) {
	point, err := key.PublicKey.Bytes() // 0x04, x, y
	if err != nil {
		return nil, fmt.Errorf("cannot write the public key: %w", err)
	}
	return json.Marshal(struct {
		Kty string `json:"kty"`
		Crv string `json:"crv"`
		X   string `json:"x"`
		Y   string `json:"y"`
	}{"EC", "P-256", base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:])})
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// writeFile replaces a file at once: other readers see the old or the new bytes, never a
// part, and neither is lost with the power.
func writeFile(path string, b []byte) (err error) {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, errors.Join(err, os.Remove(tmp)))
	}
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync() // where directories cannot be synced the rename is still atomic
		_ = d.Close()
	}
	return nil
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return writeFile(path, append(b, '\n'))
}

// maxStateFile bounds the JSON files of the state directory.
const maxStateFile = 1 << 20

func readJSON(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxStateFile+1))
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	if len(b) > maxStateFile {
		return fmt.Errorf("cannot read %s: it is too large", path)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("cannot read %s: it is not the JSON expected", path)
	}
	return nil
}
