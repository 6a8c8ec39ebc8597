package charge

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strconv"

	"madoguchi.example/shared/fault"
)

// PayloadType is the media type of a table inside its envelope.
const PayloadType = "application/vnd.madoguchi.charges+json"

// Limits of a signed table, checked before it is decoded.
const (
	MaxSignedBytes = MaxTableBytes*4/3 + 8<<10
	MaxSignatures  = 8
	maxKeyBytes    = 4 << 10
)

// envelope is DSSE 1.0 as JSON.
type envelope struct {
	Payload     string      `json:"payload"`
	PayloadType string      `json:"payloadType"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"`
}

// Key is a public key that may sign tables: ECDSA on P-256 (ES256) or Ed25519.
type Key struct {
	ID     string // lower-case hex of SHA-256 over the key's SubjectPublicKeyInfo
	public crypto.PublicKey
}

// KeyOf gives the Key of a public key.
func KeyOf(public crypto.PublicKey) (Key, error) {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return Key{}, fault.At(fault.InvalidArgument, "key", "must be on the curve P-256")
		}
	case ed25519.PublicKey:
	default:
		return Key{}, fault.At(fault.InvalidArgument, "key", "must be ECDSA P-256 or Ed25519")
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Key{}, fault.At(fault.InvalidArgument, "key", "must be a usable public key")
	}
	sum := sha256.Sum256(der)
	return Key{ID: hex.EncodeToString(sum[:]), public: public}, nil
}

// ParseKey reads one public key as PEM (PUBLIC KEY).
func ParseKey(text []byte) (Key, error) {
	if len(text) > maxKeyBytes {
		return Key{}, fault.At(fault.TooLarge, "key", "must be at most %d bytes", maxKeyBytes)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return Key{}, fault.At(fault.InvalidArgument, "key", "must be PEM of a PUBLIC KEY")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return Key{}, fault.At(fault.InvalidArgument, "key", "must be PEM of a PUBLIC KEY")
	}
	return KeyOf(public)
}

// Sign puts the table into an envelope signed by key (ECDSA P-256 or Ed25519). random is
// used by ECDSA alone.
func Sign(t Table, key crypto.Signer, random io.Reader) ([]byte, error) {
	body, err := t.Encode()
	if err != nil {
		return nil, err
	}
	k, err := KeyOf(key.Public())
	if err != nil {
		return nil, err
	}
	message, hash := preAuth(PayloadType, body), crypto.Hash(0)
	if _, ok := k.public.(*ecdsa.PublicKey); ok {
		sum := sha256.Sum256(message)
		message, hash = sum[:], crypto.SHA256
	}
	sig, err := key.Sign(random, message, hash)
	if err != nil {
		return nil, fmt.Errorf("cannot sign the table: %w", err)
	}
	b, err := json.Marshal(envelope{
		Payload: base64.StdEncoding.EncodeToString(body), PayloadType: PayloadType,
		Signatures: []signature{{KeyID: k.ID, Sig: base64.StdEncoding.EncodeToString(sig)}},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot write the envelope: %w", err)
	}
	return append(b, '\n'), nil
}

// Parse reads a signed table. One good signature by one of the keys is enough; the others
// are not looked at, so that keys can change. Errors: TooLarge, InvalidArgument with the
// place, and Forbidden where no signature is by any of the keys.
func Parse(signed []byte, keys []Key) (Table, error) {
	if len(signed) > MaxSignedBytes {
		return Table{}, fault.At(fault.TooLarge, "envelope", "must be at most %d bytes", MaxSignedBytes)
	}
	e, err := open(signed)
	if err != nil {
		return Table{}, err
	}
	body, err := base64.StdEncoding.Strict().DecodeString(e.Payload)
	if err != nil {
		return Table{}, fault.At(fault.InvalidArgument, "payload", "must be base64 with padding")
	}
	if !e.signedBy(keys, preAuth(e.PayloadType, body)) {
		return Table{}, fault.At(fault.Forbidden, "signatures", "none is by a key that may sign this table")
	}
	return ParseTable(body)
}

// Unsigned reads the table of an envelope without looking at its signatures: to show it to
// its author, never to charge by it.
func Unsigned(signed []byte) (Table, error) {
	if len(signed) > MaxSignedBytes {
		return Table{}, fault.At(fault.TooLarge, "envelope", "must be at most %d bytes", MaxSignedBytes)
	}
	e, err := open(signed)
	if err != nil {
		return Table{}, err
	}
	body, err := base64.StdEncoding.Strict().DecodeString(e.Payload)
	if err != nil {
		return Table{}, fault.At(fault.InvalidArgument, "payload", "must be base64 with padding")
	}
	return ParseTable(body)
}

func open(signed []byte) (envelope, error) {
	var e envelope
	var listed []json.RawMessage
	err := members(signed, map[string]any{"payload": &e.Payload, "payloadType": &e.PayloadType, "signatures": &listed})
	if err != nil {
		return e, fault.At(fault.InvalidArgument, "envelope", "%s", err.Error())
	}
	switch {
	case e.PayloadType != PayloadType:
		return e, fault.At(fault.InvalidArgument, "payloadType", "must be %s", PayloadType)
	case len(listed) == 0 || len(listed) > MaxSignatures:
		return e, fault.At(fault.InvalidArgument, "signatures", "must be 1 to %d", MaxSignatures)
	}
	for i, raw := range listed {
		var s signature
		if err := members(raw, map[string]any{"keyid": &s.KeyID, "sig": &s.Sig}); err != nil {
			return e, fault.At(fault.InvalidArgument, fmt.Sprintf("signatures[%d]", i), "%s", err.Error())
		}
		e.Signatures = append(e.Signatures, s)
	}
	return e, nil
}

// members reads one object whose members are exactly those of into, each once and in its
// own spelling, which encoding/json alone would not see to.
func members(data []byte, into map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errShape
	}
	seen := 0
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return errShape
		}
		text, _ := name.(string)
		to, known := into[text]
		if !known || to == nil {
			return errMembers
		}
		if err := d.Decode(to); err != nil {
			return errShape
		}
		into[text], seen = nil, seen+1
	}
	if _, err := d.Token(); err != nil {
		return errShape
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || seen != len(into) {
		return errMembers
	}
	return nil
}

var (
	errShape   = errors.New("must be JSON of the agreed shape")
	errMembers = errors.New("must hold each of its members once and nothing else")
)

func (e envelope) signedBy(keys []Key, message []byte) bool {
	for _, s := range e.Signatures {
		sig, err := base64.StdEncoding.Strict().DecodeString(s.Sig)
		if err != nil {
			continue
		}
		for _, k := range keys {
			if k.verifies(message, sig) {
				return true
			}
		}
	}
	return false
}

func (k Key) verifies(message, sig []byte) bool {
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(message)
		return ecdsa.VerifyASN1(public, sum[:], sig)
	case ed25519.PublicKey:
		return ed25519.Verify(public, message, sig)
	}
	return false
}

// preAuth is DSSE's pre-authentication encoding: what is signed.
func preAuth(kind string, body []byte) []byte {
	b := []byte("DSSEv1 " + strconv.Itoa(len(kind)) + " " + kind + " " + strconv.Itoa(len(body)) + " ")
	return append(b, body...)
}
