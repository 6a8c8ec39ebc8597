package hcert

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"madoguchi.example/shared/cert/internal/cose"
	"madoguchi.example/shared/internal/jsonpull"
	"madoguchi.example/shared/trust"
)

// RevocationFile is the name of the revocation list in the folder of signers.
const RevocationFile = "revocation.json"

// RevocationType says what an entry of a revocation list is the hash of.
type RevocationType string

// The types.
const (
	ByUCI        RevocationType = "UCI"            // the certificate's id
	ByCountryUCI RevocationType = "COUNTRYCODEUCI" // iss and the certificate's id, behind each other
	BySignature  RevocationType = "SIGNATURE"      // the signature; of ES256 its first half, since the second can be changed
)

// RevocationHash is an entry of a revocation list: the first 16 bytes of SHA-256.
type RevocationHash [16]byte

// String gives the hash in hexadecimal digits.
func (h RevocationHash) String() string { return hex.EncodeToString(h[:]) }

func hashOf(parts ...string) (h RevocationHash) {
	sum := sha256.Sum256([]byte(strings.Join(parts, "")))
	copy(h[:], sum[:])
	return h
}

// UCIRevocation gives the entry of type UCI that revokes every certificate with this id.
func UCIRevocation(uci string) RevocationHash { return hashOf(uci) }

// Revocable names the entries that would revoke one certificate.
type Revocable struct {
	KeyID      string         // base64, as KeyID gives it
	UCI        RevocationHash // zero where the certificate has no id
	CountryUCI RevocationHash // zero where it has no id
	Signature  RevocationHash
}

// RevocationEntries gives the entries for a certificate's text. Nobody need have vouched
// for it.
func RevocationEntries(text []byte) (Revocable, error) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	d, err := s.open(text)
	if err != nil {
		return Revocable{}, fmt.Errorf("cannot read the certificate: %w", err)
	}
	out := Revocable{KeyID: base64.StdEncoding.EncodeToString([]byte(d.message.KeyID)), Signature: d.signatureHash()}
	if uci := d.uci(); uci != "" {
		out.UCI, out.CountryUCI = hashOf(uci), hashOf(d.iss, uci)
	}
	return out, nil
}

func (d *document) signatureHash() RevocationHash {
	signature := d.message.Signature
	if d.message.Algorithm == cose.ES256 {
		signature = signature[:len(signature)/2]
	}
	return hashOf(signature)
}

// RevocationList is one list of a revocation file.
type RevocationList struct {
	KeyID  string         `json:"kid"` // base64 of 8 bytes, as KeyID gives it
	Type   RevocationType `json:"type"`
	Hashes []string       `json:"hashes"` // hexadecimal digits of 16 bytes each
}

// WriteRevocations gives the text of a revocation file, its lists and hashes in order: the
// same entries give the same bytes.
func WriteRevocations(lists []RevocationList) ([]byte, error) {
	sorted := make([]RevocationList, 0, len(lists))
	for _, l := range lists {
		hashes := slices.Sorted(slices.Values(l.Hashes))
		sorted = append(sorted, RevocationList{l.KeyID, l.Type, append([]string{}, slices.Compact(hashes)...)})
	}
	slices.SortFunc(sorted, func(a, b RevocationList) int {
		return cmp.Or(strings.Compare(a.KeyID, b.KeyID), strings.Compare(string(a.Type), string(b.Type)))
	})
	text, err := json.Marshal(sorted)
	if err != nil {
		return nil, fmt.Errorf("cannot write the revocation list: %w", err)
	}
	var fault error
	readRevocations(text, func(n int, err error) {
		fault = cmp.Or(fault, fmt.Errorf("cannot write the revocation list: list %d: %w", n+1, err))
	})
	if fault != nil {
		return nil, fault
	}
	return text, nil
}

// revocations is what a revocation file says.
type revocations struct {
	lists map[string]*revokedOf // by key id
	// doubtful are keys with a list that could not be read whole; unread: no list could be.
	doubtful map[string]bool
	unread   bool
}

type revokedOf struct{ uci, countryUCI, signature []RevocationHash }

func (o *revokedOf) of(t RevocationType) *[]RevocationHash {
	switch t {
	case ByUCI:
		return &o.uci
	case ByCountryUCI:
		return &o.countryUCI
	case BySignature:
		return &o.signature
	}
	return nil
}

func loadRevocations(f *trust.Folder) revocations {
	text, err := f.Read(RevocationFile, MaxRevocations)
	if err != nil {
		f.Note(RevocationFile, err)
		return revocations{unread: true}
	}
	return readRevocations(text, func(list int, err error) { f.Note(fmt.Sprintf("%s list %d", RevocationFile, list+1), err) })
}

// readRevocations reads a revocation file. A list that breaks its form is noted, and what it
// says of its key is then not known in full; a file that breaks its form says nothing, and
// a list of nobody knows which key leaves all keys in doubt.
func readRevocations(text []byte, note func(list int, err error)) revocations {
	out := revocations{lists: map[string]*revokedOf{}, doubtful: map[string]bool{}}
	total := 0
	r := jsonpull.New(string(text))
	for a := r.Array(); a.Next(); {
		total = out.readList(r, total, func(err error) { note(a.Index, err) })
	}
	if err := r.End(); err != nil {
		note(-1, err)
		return revocations{unread: true}
	}
	for _, of := range out.lists {
		for _, t := range []RevocationType{ByUCI, ByCountryUCI, BySignature} {
			slices.SortFunc(*of.of(t), compareHashes)
		}
	}
	return out
}

func compareHashes(a, b RevocationHash) int { return bytes.Compare(a[:], b[:]) }

// readList adds one list {"kid","type","hashes"} and gives the number of hashes so far.
func (v *revocations) readList(r *jsonpull.Reader, total int, note func(error)) int {
	var kid string
	var kind RevocationType
	var hashes []RevocationHash
	var fault error
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "kid":
			kid = r.Text()
		case "type":
			kind = RevocationType(strings.ToUpper(r.Text()))
		case "hashes":
			for a := r.Array(); a.Next(); {
				hash, ok := readBytes(r.Text(), len(RevocationHash{}))
				switch total++; {
				case total > MaxRevoked:
					r.Fault("more than %d hashes", MaxRevoked)
				case !ok:
					fault = errors.New("a hash that is not 16 bytes in hexadecimal digits or base64")
				default:
					hashes = append(hashes, RevocationHash(hash))
				}
			}
		}
	}
	id, ok := readBytes(kid, keyIDSize)
	switch {
	case r.Err() != nil:
	case !ok:
		note(errors.New("kid is not 8 bytes in hexadecimal digits or base64"))
		v.unread = true
	default:
		if err := v.add(string(id), kind, hashes); err != nil {
			fault = err
		}
		if fault != nil {
			note(fault)
			v.doubtful[string(id)] = true
		}
	}
	return total
}

func (v *revocations) add(id string, kind RevocationType, hashes []RevocationHash) error {
	of := v.lists[id]
	if of == nil {
		of = &revokedOf{}
		v.lists[id] = of
	}
	list := of.of(kind)
	if list == nil {
		return errors.New("a type other than UCI, COUNTRYCODEUCI and SIGNATURE")
	}
	*list = append(*list, hashes...)
	return nil
}

// readBytes reads n bytes written as hexadecimal digits, or as base64 in either alphabet
// with or without padding. The lengths tell the two apart.
func readBytes(text string, n int) ([]byte, bool) {
	if len(text) == hex.EncodedLen(n) {
		b, err := hex.DecodeString(text)
		return b, err == nil
	}
	padded := base64.StdEncoding.EncodedLen(n)
	bare := base64.RawStdEncoding.EncodedLen(n)
	if len(text) != bare && (len(text) != padded || strings.Trim(text[bare:], "=") != "") {
		return nil, false
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(text[:bare]))
	return b, err == nil && len(b) == n
}

// revocation tells whether a list names the document, and whether all that its key's lists
// say could be read.
func (v *revocations) revocation(d *document) (revoked, known bool) {
	known = !v.unread && !v.doubtful[d.message.KeyID]
	of := v.lists[d.message.KeyID]
	if of == nil {
		return false, known
	}
	holds := func(list []RevocationHash, parts ...string) bool {
		if len(list) == 0 {
			return false
		}
		_, found := slices.BinarySearchFunc(list, hashOf(parts...), compareHashes)
		return found
	}
	if uci := d.uci(); uci != "" && (holds(of.uci, uci) || holds(of.countryUCI, d.iss, uci)) {
		return true, known
	}
	if len(of.signature) == 0 {
		return false, known
	}
	_, found := slices.BinarySearchFunc(of.signature, d.signatureHash(), compareHashes)
	return found, known
}
