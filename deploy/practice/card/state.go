package card

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Files of a card's state folder. All of it is for practice alone.
const (
	authorityFile = "authority.pem" // both roots, each with its key
	keysFile      = "keys.pem"
	triesFile     = "tries.json"
	maxStateFile  = 1 << 20
)

// state is a folder that makes the next start give the same card.
type state struct{ dir string }

// authority reads the authority, or makes it at the first start.
func (s state) authority(random io.Reader, now time.Time) (*Authority, error) {
	blocks, err := s.read(authorityFile)
	if errors.Is(err, fs.ErrNotExist) {
		a, err := NewAuthority(random, now)
		if err != nil {
			return nil, err
		}
		return a, s.write(authorityFile, certBlock(a.auth), keyBlock(a.auth.key), certBlock(a.sign), keyBlock(a.sign.key))
	}
	if err != nil {
		return nil, err
	}
	if len(blocks) != 4 {
		return nil, fmt.Errorf("cannot read %s: not two roots with their keys", authorityFile)
	}
	auth, err := issuerOf(blocks[:2], random)
	if err != nil {
		return nil, err
	}
	sign, err := issuerOf(blocks[2:], random)
	if err != nil {
		return nil, err
	}
	return &Authority{auth: auth, sign: sign}, nil
}

func issuerOf(blocks []*pem.Block, random io.Reader) (*issuer, error) {
	key, err := keyOf(blocks[1])
	if err != nil {
		return nil, err
	}
	return newIssuerOf(blocks[0].Bytes, key, random)
}

// keys reads the card's keys, or makes them at the first start.
func (s state) keys(random io.Reader) (*Keys, error) {
	blocks, err := s.read(keysFile)
	if errors.Is(err, fs.ErrNotExist) {
		k, err := NewKeys(random)
		if err != nil {
			return nil, err
		}
		return k, s.write(keysFile, keyBlock(k.Auth), keyBlock(k.Sign))
	}
	if err != nil {
		return nil, err
	}
	if len(blocks) != 2 {
		return nil, fmt.Errorf("cannot read %s: not two keys", keysFile)
	}
	auth, err := keyOf(blocks[0])
	if err != nil {
		return nil, err
	}
	sign, err := keyOf(blocks[1])
	return &Keys{Auth: auth, Sign: sign}, err
}

// tries reads the tries that were left; none at the first start.
func (s state) tries() (map[PIN]int, error) {
	text, err := s.text(triesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var left map[PIN]int
	if json.Unmarshal(text, &left) != nil {
		return nil, fmt.Errorf("cannot read %s: malformed", triesFile)
	}
	return left, nil
}

func (s state) saveTries(left map[PIN]int) error {
	text, err := json.Marshal(left)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", triesFile, err)
	}
	return s.save(triesFile, text)
}

func certBlock(i *issuer) *pem.Block {
	return &pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw}
}

func keyBlock(key *rsa.PrivateKey) *pem.Block {
	return &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
}

func keyOf(b *pem.Block) (*rsa.PrivateKey, error) {
	key, err := x509.ParsePKCS1PrivateKey(b.Bytes)
	if err != nil {
		return nil, errors.New("cannot read a key of the state folder: malformed")
	}
	return key, nil
}

func (s state) text(name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		return nil, fmt.Errorf("cannot read the card's state: %w", err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxStateFile))
}

func (s state) read(name string) ([]*pem.Block, error) {
	text, err := s.text(name)
	var out []*pem.Block
	for err == nil {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			break
		}
		out = append(out, b)
	}
	return out, err
}

func (s state) write(name string, blocks ...*pem.Block) error {
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(b)...)
	}
	return s.save(name, text)
}

// save replaces the file whole: a card that is switched off keeps what it counted.
func (s state) save(name string, text []byte) error {
	err := os.MkdirAll(s.dir, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, name+".new"), text, 0o600)
	}
	if err == nil {
		err = os.Rename(filepath.Join(s.dir, name+".new"), filepath.Join(s.dir, name))
	}
	if err != nil {
		return fmt.Errorf("cannot write the card's state: %w", err)
	}
	return nil
}
