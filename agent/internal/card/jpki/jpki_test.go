package jpki_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/cardtest"
	"madoguchi.example/agent/internal/card/jpki"
)

// wire lets a function answer.
type wire func(apdu []byte) ([]byte, error)

func (w wire) Transmit(_ context.Context, apdu []byte) ([]byte, error) { return w(apdu) }
func (w wire) Begin(context.Context) error                             { return nil }
func (w wire) End(context.Context) error                               { return nil }
func (w wire) Close() error                                            { return nil }

func on(c *cardtest.Card) wire {
	return func(apdu []byte) ([]byte, error) { return c.Answer(apdu), nil }
}

// step is one row of a trace.
type step struct {
	command []byte
	length  int
	status  uint64
}

// trace gives the commands that another JPKI driver sent, and how the card answered.
func trace(t *testing.T) []step {
	t.Helper()
	dir := os.Getenv("MADOGUCHI_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "..", "shared", "vectors")
	}
	text, err := os.ReadFile(filepath.Join(dir, "insurance", "apdu", "opensc_jpki_dump_and_sign.csv"))
	if err != nil {
		t.Skip("0 commands replayed: no shared vectors here")
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	for _, row := range rows[1:] {
		var s step
		if s.command, err = hex.DecodeString(row[1]); err != nil {
			t.Fatal(err)
		}
		if s.length, err = strconv.Atoi(row[2]); err != nil {
			t.Fatal(err)
		}
		if s.status, err = strconv.ParseUint(row[3], 16, 16); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, s)
	}
	return steps
}

// Everything that this driver sends is, byte for byte, what the other one sent, and in the
// other's order but for one question: the tries left are asked for before each try.
func TestVectorsOfAnIndependentDriver(t *testing.T) {
	all := trace(t)
	// By sequence: select, the PIN's tries; the certificate in six reads; the PIN, with its
	// question; the key and the signature. The rest of the trace is of files and keys that
	// reception leaves alone.
	order := []int{0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 26, 2, 27, 28, 29}
	n := 0
	file := append([]byte{0x30, 0x82, 0x04, 0xB0}, make([]byte, 1200)...)
	replay := wire(func(apdu []byte) ([]byte, error) {
		if n == len(order) { // what leaves no PIN verified stands in no trace
			return []byte{0x90, 0}, nil
		}
		want := all[order[n]]
		n++
		if !bytes.Equal(apdu, want.command) {
			t.Errorf("command %d: %X, the trace has %X", n, apdu, want.command)
			return nil, errors.New("not in the trace")
		}
		data := make([]byte, want.length)
		if apdu[1] == 0xB0 {
			data = bytes.Clone(file[int(apdu[2])<<8|int(apdu[3]):][:want.length])
		}
		return append(data, byte(want.status>>8), byte(want.status)), nil
	})
	err := card.With(t.Context(), replay, func(s *card.Session) error {
		key, has, err := jpki.Select(t.Context(), s)
		if err != nil || !has {
			return err
		}
		if left, has, err := key.Tries(t.Context()); err != nil || !has || left != 3 {
			t.Errorf("%d tries left, %v, %v", left, has, err)
		}
		der, has, err := key.Certificate(t.Context())
		if err != nil || !has || !bytes.Equal(der, file) {
			t.Errorf("the certificate: %d bytes, %v, %v", len(der), has, err)
		}
		if _, err := key.Verify(t.Context(), []byte("1234")); err != nil {
			return err
		}
		signature, err := key.Sign(t.Context(), []byte("hello"))
		if len(signature) != 256 {
			t.Errorf("a signature of %d bytes", len(signature))
		}
		return err
	})
	if err != nil || n != len(order) {
		t.Errorf("%v after %d commands", err, n)
	}
	t.Logf("%d commands are those of the trace", n)
}

func issued(t *testing.T) (*rsa.PrivateKey, []byte) {
	t.Helper()
	now := time.Date(2026, time.November, 22, 0, 0, 0, 0, time.UTC)
	authority, err := cardtest.NewAuthority(rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	key, der, err := authority.Issue(rand.Reader, now.AddDate(-1, 0, 0), now.AddDate(4, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func TestASignatureProvesTheKey(t *testing.T) {
	key, der := issued(t)
	chip := cardtest.Plastic(der, key)
	challenge := []byte("a server's challenge")
	err := card.With(t.Context(), on(chip), func(s *card.Session) error {
		a, _, err := jpki.Select(t.Context(), s)
		if err != nil {
			return err
		}
		if _, err := a.Sign(t.Context(), challenge); card.WordOf(err) != card.CardMalformed {
			t.Errorf("without a PIN: %v", err)
		}
		if _, err := a.Verify(t.Context(), []byte(cardtest.PIN)); err != nil {
			return err
		}
		signature, err := a.Sign(t.Context(), challenge)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(challenge)
		return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCarriers(t *testing.T) {
	for token, want := range map[string]jpki.Carrier{
		"JPKIAPICCTOKEN                  ": jpki.Plastic,
		"JPKIAPICCTOKEN2                 ": jpki.Plastic,
		"JPKIAPGPSETOKEN                 ": jpki.Phone,
		"JPKIAPGPSETOKEN\x00\x00":          jpki.Phone,
		"SOMETHINGELSE":                    jpki.OtherCarrier,
		"":                                 jpki.OtherCarrier,
	} {
		chip := cardtest.Plastic(nil, nil)
		chip.Files[card.JPKI][card.JPKIToken] = []byte(token)
		err := card.With(t.Context(), on(chip), func(s *card.Session) error {
			a, _, err := jpki.Select(t.Context(), s)
			if err != nil {
				return err
			}
			got, err := a.Carrier(t.Context())
			if got != want {
				t.Errorf("%q: %s", strings.TrimSpace(token), got)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestACertificateThatLiesAboutItsLength(t *testing.T) {
	key, der := issued(t)
	for name, file := range map[string][]byte{
		"longer than it is":   append([]byte{0x30, 0x82, 0x0F, 0x00}, der[4:]...),
		"longer than may be":  append([]byte{0x30, 0x82, 0xFF, 0xFF}, der[4:]...),
		"without an end":      append([]byte{0x30, 0x80}, der[4:]...),
		"of three bytes":      {0x30, 0x82, 0x01},
		"empty":               {},
		"cut in the middle":   der[:len(der)/2],
		"with a length of 64": append([]byte{0x30, 0x88, 0, 0, 0, 0, 0, 0, 1, 0}, der[4:]...),
	} {
		chip := cardtest.Plastic(file, key)
		err := card.With(t.Context(), on(chip), func(s *card.Session) error {
			a, _, err := jpki.Select(t.Context(), s)
			if err != nil {
				return err
			}
			_, _, err = a.Certificate(t.Context())
			return err
		})
		if card.WordOf(err) != card.CardMalformed || len(chip.Commands()) > 30 {
			t.Errorf("%s: %v after %d commands", name, err, len(chip.Commands()))
		}
	}
}

func TestNoCertificateAndNoApplet(t *testing.T) {
	chip := cardtest.Plastic(nil, nil)
	delete(chip.Files[card.JPKI], card.JPKICertificate)
	err := card.With(t.Context(), on(chip), func(s *card.Session) error {
		a, _, err := jpki.Select(t.Context(), s)
		if err != nil {
			return err
		}
		if _, has, err := a.Certificate(t.Context()); has || err != nil {
			t.Errorf("a certificate: %v, %v", has, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	err = card.With(t.Context(), on(cardtest.Foreign()), func(s *card.Session) error {
		_, has, err := jpki.Select(t.Context(), s)
		if has {
			t.Error("a foreign card has the applet")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
