// Package cose promises COSE_Sign1 (RFC 9052 section 4.2) in the form that health
// certificates use: one signer, ES256 or PS256, the signature made over the protected bytes
// and the payload exactly as received. Header parameters are believed from the protected
// bucket before the unprotected one. It judges form and signature; whose key that is and
// what the payload says are the format's.
package cose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"

	"madoguchi.example/shared/cert/internal/cborpull"
	"madoguchi.example/shared/cert/internal/ecsig"
)

// Algorithms that are verified here (RFC 9053 section 2.1, RFC 8230 section 2).
const (
	ES256 = -7
	PS256 = -37
)

// MinRSA and MaxRSA bound the keys of PS256, in bits.
const (
	MinRSA = 2048
	MaxRSA = 8192
)

const (
	tagSign1 = 18
	tagCWT   = 61 // RFC 8392 section 6
	parts    = 4  // protected, unprotected, payload, signature

	labelAlgorithm = 1
	labelCritical  = 2
	labelKeyID     = 4
)

// Faults that a format tells apart from a wrong form.
var (
	ErrCritical  = errors.New("a header parameter that a reader must understand")
	ErrAlgorithm = errors.New("an algorithm other than ES256 and PS256")
)

// Message is a COSE_Sign1 taken apart. Its texts hold bytes.
type Message struct {
	Algorithm int64
	KeyID     string
	Payload   string
	Signature string
	protected string

	Untagged    bool // neither tag 18 nor tag 61 stands around it
	Unprotected bool // algorithm or key id came from the unprotected bucket
	Named       bool // there is a key id
	critical    bool
	algorithm   bool // there is one
}

// Parse takes a message apart, whose size the caller has bounded. Whether its algorithm is
// one to be verified is Supported's to say.
func Parse(data string) (Message, error) {
	r := cborpull.New(data)
	m := Message{Untagged: true}
	if r.Kind() == cborpull.Tag {
		m.Untagged = false
		readTags(&r)
	}
	i := 0
	for a := r.Array(); a.Next(); i++ {
		switch i {
		case 0:
			m.protected = r.Bytes()
		case 1:
			if err := m.readProtected(); err != nil {
				return m, err
			}
			m.readHeaders(&r, false)
		case 2:
			m.Payload = r.Bytes()
		case 3:
			m.Signature = r.Bytes()
		}
	}
	if err := r.End(); err != nil {
		return m, err
	}
	if i != parts {
		return m, fmt.Errorf("not %d parts", parts)
	}
	if !m.algorithm {
		return m, errors.New("no algorithm")
	}
	return m, nil
}

// readTags wants 18, or 61 around 18.
func readTags(r *cborpull.Reader) {
	tag := r.Tag()
	if tag == tagCWT {
		tag = r.Tag()
	}
	if tag != tagSign1 {
		r.Fault("a tag that is not COSE_Sign1")
	}
}

// readProtected reads the map that the protected bytes hold; none at all is an empty one.
func (m *Message) readProtected() error {
	if len(m.protected) == 0 {
		return nil
	}
	r := cborpull.New(m.protected)
	m.readHeaders(&r, true)
	if err := r.End(); err != nil {
		return fmt.Errorf("protected header: %w", err)
	}
	return nil
}

// readHeaders reads one bucket. What the protected one said stands.
func (m *Message) readHeaders(r *cborpull.Reader, protected bool) {
	for p := r.Map(); p.Next(); {
		if p.Key.IsText {
			continue
		}
		switch p.Key.Int {
		case labelAlgorithm:
			m.readAlgorithm(r, protected)
		case labelKeyID:
			id := r.Bytes()
			if !m.Named {
				m.KeyID, m.Named = id, true
				m.Unprotected = m.Unprotected || !protected
			}
		case labelCritical:
			m.critical = true
			r.Skip()
		}
	}
}

func (m *Message) readAlgorithm(r *cborpull.Reader, protected bool) {
	var id int64
	if r.Kind() == cborpull.Text {
		r.Text() // a private algorithm, 0 here: supported is none of them
	} else {
		id = r.Int()
	}
	if m.algorithm {
		return
	}
	m.algorithm, m.Algorithm = true, id
	m.Unprotected = m.Unprotected || !protected
}

// Supported tells why the message cannot be verified here, nil where it can.
func (m *Message) Supported() error {
	switch {
	case m.critical:
		return ErrCritical
	case m.Algorithm != ES256 && m.Algorithm != PS256:
		return ErrAlgorithm
	}
	return nil
}

// AppendSigned appends what was signed, the Sig_structure of RFC 9052 section 4.4 without
// external data.
func (m *Message) AppendSigned(dst []byte) []byte {
	return appendSigned(dst, m.protected, m.Payload)
}

func appendSigned[B []byte | string](dst []byte, protected, payload B) []byte {
	dst = cborpull.AppendArray(dst, parts)
	dst = cborpull.AppendText(dst, "Signature1")
	dst = cborpull.AppendBytes(dst, protected)
	dst = cborpull.AppendBytes(dst, "")
	return cborpull.AppendBytes(dst, payload)
}

// Verify tells whether key made the signature; digest is SHA-256 of what was signed. A key
// of another kind than the algorithm's made none. It takes room for the signature's bytes.
func (m *Message) Verify(key crypto.PublicKey, digest, room []byte) bool {
	signature := append(room[:0], m.Signature...)
	switch public := key.(type) {
	case *ecdsa.PublicKey:
		return m.Algorithm == ES256 && public.Curve == elliptic.P256() && ecsig.Verify(public, digest, signature)
	case *rsa.PublicKey:
		return m.Algorithm == PS256 && rsaSize(public) && verifyPSS(public, digest, signature)
	}
	return false
}

func verifyPSS(key *rsa.PublicKey, digest, signature []byte) bool {
	opts := rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	return rsa.VerifyPSS(key, crypto.SHA256, digest, signature, &opts) == nil
}

func rsaSize(key *rsa.PublicKey) bool {
	bits := key.N.BitLen()
	return bits >= MinRSA && bits <= MaxRSA
}

// Usable tells whether signatures of a key can be verified here: on P-256, or RSA of
// MinRSA to MaxRSA bits.
func Usable(key crypto.PublicKey) bool {
	switch public := key.(type) {
	case *ecdsa.PublicKey:
		return public.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return rsaSize(public)
	}
	return false
}

// SignES256 gives a tagged message: algorithm and key id protected, nothing unprotected. A
// key in memory signs deterministically: the same call gives the same bytes.
func SignES256(signer crypto.Signer, keyID, payload []byte) ([]byte, error) {
	if signer == nil {
		return nil, errors.New("cannot sign: no key")
	}
	if key, ok := signer.Public().(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("cannot sign: not a key on P-256")
	}
	var headers cborpull.Builder
	headers.Put(cborpull.AppendInt(nil, labelAlgorithm), cborpull.AppendInt(nil, ES256))
	headers.Put(cborpull.AppendInt(nil, labelKeyID), cborpull.AppendBytes(nil, keyID))
	protected := headers.Append(nil)
	digest := sha256.Sum256(appendSigned(nil, protected, payload))
	signature, err := ecsig.Sign(signer, crypto.SHA256, digest[:])
	if err != nil {
		return nil, err
	}
	out := cborpull.AppendArray(cborpull.AppendTag(nil, tagSign1), parts)
	out = cborpull.AppendBytes(out, protected)
	var none cborpull.Builder
	out = none.Append(out)
	out = cborpull.AppendBytes(out, payload)
	return cborpull.AppendBytes(out, signature), nil
}
