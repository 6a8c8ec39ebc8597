// Package cardtest is a My Number Card in memory, for tests of what reads one. It answers
// what is published of the real card and refuses the rest. It writes down every command it
// was given, bodies and all, which nothing but a test may do.
package cardtest

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"slices"
	"sync"
	"time"

	"madoguchi.example/agent/internal/card"
)

// Practice values of every card that is given no others.
const (
	PIN     = "1379"
	Name    = "架空　花子"
	Address = "架空県みなと市中央１丁目２番３号"
	Birth   = "19800401"
)

// Files that a counter never asks for, present so that asking is seen.
const (
	numberFile = 0x0001
	tokenBytes = 32
)

// Status words.
const (
	done        = 0x9000
	endOfFile   = 0x6282
	needsPIN    = 0x6982
	blocked     = 0x6984
	notFound    = 0x6A82
	wrongOffset = 0x6B00
	wrongLength = 0x6700
	unknownINS  = 0x6D00
)

// Secret is a PIN with its tries left.
type Secret struct {
	Digits   string
	Left     int
	verified bool
}

// Card is one card. It is safe for concurrent use. The fields may be changed before it is
// used: a file removed, a token changed, a certificate cut.
type Card struct {
	Historical []byte // the answer to reset
	Files      map[card.AID]map[card.FileID][]byte
	PINs       map[card.AID]*Secret // nil entry: the card has none
	Key        *rsa.PrivateKey
	Forged     bool // signs with a bit turned
	// Instead, where it is set, may answer a command before the card does.
	Instead func(apdu []byte) (answer []byte, answered bool)

	mu       sync.Mutex
	commands [][]byte
	applet   card.AID
	file     card.FileID
	chosen   bool
}

// Plastic makes a plastic card with the certificate and its key.
func Plastic(certificate []byte, key *rsa.PrivateKey) *Card {
	return &Card{
		Historical: []byte{0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0xFE, 0x45, 0x14},
		Key:        key,
		Files: map[card.AID]map[card.FileID][]byte{
			card.JPKI: {
				card.JPKIToken:       fmt.Appendf(nil, "%-*s", tokenBytes, "JPKIAPICCTOKEN2"),
				card.JPKICertificate: certificate,
				card.JPKIKey:         {},
				card.JPKIPIN:         {},
			},
			card.TextAID: {
				numberFile:          []byte("never"),
				card.TextAttributes: Attributes(Name, Address, Birth, "2"),
				card.TextPIN:        {},
			},
		},
		PINs: map[card.AID]*Secret{
			card.JPKI:    {Digits: PIN, Left: card.FullTries},
			card.TextAID: {Digits: PIN, Left: card.FullTries},
		},
	}
}

// Phone makes a card that a phone carries.
func Phone(certificate []byte, key *rsa.PrivateKey) *Card {
	c := Plastic(certificate, key)
	c.Files[card.JPKI][card.JPKIToken] = fmt.Appendf(nil, "%-*s", tokenBytes, "JPKIAPGPSETOKEN")
	delete(c.Files, card.TextAID)
	return c
}

// NoPIN makes 顔認証マイナンバーカード.
func NoPIN(certificate []byte, key *rsa.PrivateKey) *Card {
	c := Plastic(certificate, key)
	delete(c.Files[card.JPKI], card.JPKIPIN)
	delete(c.Files[card.TextAID], card.TextPIN)
	return c
}

// Foreign makes a card that is none of ours.
func Foreign() *Card {
	return &Card{Historical: []byte{0x3B, 0x02, 0x14, 0x50}}
}

// TLV writes one object of BER-TLV.
func TLV(tag uint32, value ...[]byte) []byte {
	body := bytes.Join(value, nil)
	var out []byte
	for shift := 16; shift >= 0; shift -= 8 {
		if b := byte(tag >> shift); b != 0 || len(out) > 0 {
			out = append(out, b)
		}
	}
	switch n := len(body); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, 0x82, byte(n>>8), byte(n))
	}
	return append(out, body...)
}

// Attributes writes the file with the four attributes.
func Attributes(name, address, birth, sex string) []byte {
	return TLV(0xFF20, TLV(0xDF21, make([]byte, 8)), TLV(0xDF22, []byte(name)), TLV(0xDF23, []byte(address)),
		TLV(0xDF24, []byte(birth)), TLV(0xDF25, []byte(sex)))
}

// ATR gives the answer to reset.
func (c *Card) ATR() []byte { return slices.Clone(c.Historical) }

// PowerOff loses what was selected and verified.
func (c *Card) PowerOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
}

func (c *Card) forget() {
	c.applet, c.file, c.chosen = "", 0, false
	for _, p := range c.PINs {
		p.verified = false
	}
}

// Commands gives every command so far.
func (c *Card) Commands() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.commands)
}

// Verified tells whether any PIN counts as verified now.
func (c *Card) Verified() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.PINs {
		if p.verified {
			return true
		}
	}
	return false
}

// Left tells the tries left of an applet's PIN.
func (c *Card) Left(aid card.AID) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.PINs[aid].Left
}

// Answer answers one command.
func (c *Card) Answer(apdu []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commands = append(c.commands, slices.Clone(apdu))
	if c.Instead != nil {
		if answer, answered := c.Instead(apdu); answered {
			return answer
		}
	}
	data, status := c.answer(apdu)
	return append(slices.Clone(data), byte(status>>8), byte(status))
}

func (c *Card) answer(apdu []byte) ([]byte, int) {
	if len(apdu) < 4 {
		return nil, wrongLength
	}
	body := apdu[4:]
	switch [4]byte(apdu[:4]) {
	case [4]byte{0, 0xA4, 4, 0x0C}:
		return nil, c.selectApplet(body)
	case [4]byte{0, 0xA4, 2, 0x0C}:
		return nil, c.selectFile(body)
	case [4]byte{0, 0x20, 0, 0x80}:
		return nil, c.verify(body)
	case [4]byte{0x80, 0x2A, 0, 0x80}:
		return c.sign(body)
	}
	if apdu[0] == 0 && apdu[1] == 0xB0 && len(body) == 1 {
		return c.read(int(apdu[2])<<8|int(apdu[3]), int(body[0]))
	}
	return nil, unknownINS
}

func (c *Card) selectApplet(body []byte) int {
	if len(body) < 1 || int(body[0]) != len(body)-1 {
		return wrongLength
	}
	aid := card.AID(body[1:])
	if c.Files[aid] == nil {
		return notFound
	}
	c.forget()
	c.applet = aid
	return done
}

func (c *Card) selectFile(body []byte) int {
	if len(body) != 3 || body[0] != 2 {
		return wrongLength
	}
	id := card.FileID(body[1])<<8 | card.FileID(body[2])
	if _, has := c.Files[c.applet][id]; !has {
		return notFound
	}
	c.file, c.chosen = id, true
	return done
}

func (c *Card) pinSelected() bool {
	return c.chosen && (c.applet == card.JPKI && c.file == card.JPKIPIN || c.applet == card.TextAID && c.file == card.TextPIN)
}

func (c *Card) verify(body []byte) int {
	if !c.pinSelected() {
		return notFound
	}
	p := c.PINs[c.applet]
	switch {
	case p.Left == 0:
		return blocked
	case len(body) == 0:
		return 0x63C0 | p.Left
	case int(body[0]) != len(body)-1:
		return wrongLength
	}
	if string(body[1:]) == p.Digits {
		p.verified, p.Left = true, card.FullTries
		return done
	}
	p.verified = false
	p.Left--
	return 0x63C0 | p.Left
}

func (c *Card) read(from, want int) ([]byte, int) {
	if !c.chosen {
		return nil, notFound
	}
	if c.applet == card.TextAID && !c.PINs[c.applet].verified {
		return nil, needsPIN
	}
	content := c.Files[c.applet][c.file]
	if want == 0 {
		want = 256
	}
	switch {
	case from >= len(content):
		return nil, wrongOffset
	case from+want > len(content):
		return content[from:], endOfFile
	}
	return content[from : from+want], done
}

func (c *Card) sign(body []byte) ([]byte, int) {
	switch {
	case !c.chosen || c.applet != card.JPKI || c.file != card.JPKIKey:
		return nil, notFound
	case len(body) < 2 || int(body[0]) != len(body)-2:
		return nil, wrongLength
	case !c.PINs[card.JPKI].verified:
		return nil, needsPIN
	}
	signature, err := rsa.SignPKCS1v15(nil, c.Key, crypto.Hash(0), body[1:len(body)-1])
	if err != nil {
		return nil, wrongLength
	}
	if c.Forged {
		signature[0] ^= 1
	}
	return signature, done
}

// Authority is a root for practice.
type Authority struct {
	Root   []byte // DER
	parsed *x509.Certificate
	key    *rsa.PrivateKey
}

const keyBits = 2048

// NewAuthority makes a root that holds for ten years from a year before at.
func NewAuthority(random io.Reader, at time.Time) (*Authority, error) {
	key, err := rsa.GenerateKey(random, keyBits)
	if err != nil {
		return nil, fmt.Errorf("cannot make a root: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"JP"}, Organization: []string{"Practice of JPKI"}},
		NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(9, 0, 0), SignatureAlgorithm: x509.SHA256WithRSA,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a := &Authority{key: key}
	if a.Root, err = x509.CreateCertificate(random, template, template, &key.PublicKey, key); err != nil {
		return nil, fmt.Errorf("cannot make a root: %w", err)
	}
	if a.parsed, err = x509.ParseCertificate(a.Root); err != nil {
		return nil, fmt.Errorf("cannot make a root: %w", err)
	}
	return a, nil
}

// Issue makes a card's key and certificate for authentication.
func (a *Authority) Issue(random io.Reader, from, to time.Time) (*rsa.PrivateKey, []byte, error) {
	key, err := rsa.GenerateKey(random, keyBits)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a card's key: %w", err)
	}
	der, err := a.Certify(random, &key.PublicKey, from, to)
	return key, der, err
}

// Certify makes a certificate for authentication for a key.
func (a *Authority) Certify(random io.Reader, public *rsa.PublicKey, from, to time.Time) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{Country: []string{"JP"}, CommonName: "PRACTICE000000000000000001"},
		NotBefore: from, NotAfter: to, SignatureAlgorithm: x509.SHA256WithRSA,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(random, template, a.parsed, public, a.key)
	if err != nil {
		return nil, fmt.Errorf("cannot make a card's certificate: %w", err)
	}
	return der, nil
}
