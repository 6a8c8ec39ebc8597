package shc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/jws"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/internal/base64url"
	"madoguchi.example/shared/trust"
)

// NameForm says which of the holder's names a card bears: a card has one.
type NameForm int

// The forms.
const (
	NameKanji NameForm = iota // domestic: as the register writes it
	NameLatin                 // overseas: as the passport writes it
)

// Options of a card. The zero value is a domestic card.
type Options struct {
	Name NameForm
}

// The places that an issue fault names.
const (
	PlaceHolder    = "holder"
	PlaceBirthDate = "birth_date"
	PlaceDoses     = "doses"
	PlaceID        = "id"
	PlaceIssuer    = "issuer"
)

// Issue writes and signs a card of the vaccinations in c for its holder, as a compact JWS
// of at most MaxSingleQR characters: one QR code of at most version 22. Nbf is at, cut to
// the second; exp is c.ExpiresAt where set; rid is c.ID where set (see RevocationID). Of a
// dose it writes code, day, lot, performer and, where it is an MVX code, manufacturer.
// With a key in memory the same call gives the same text. It keeps no reference to its
// arguments.
//
// Faults: NoRecord without a dose, InvalidArgument with one of the places above where c
// lacks what a card must have, TooLarge where it does not fit.
func Issue(key crypto.Signer, iss string, at time.Time, c cert.Certificate, opts Options) (string, error) {
	kid, err := keyIDOf(key)
	if err != nil {
		return "", err
	}
	p, err := newPayload(iss, at, c, opts)
	if err != nil {
		return "", err
	}
	text := p.json()
	if check := CheckPayload(text, at); check.Outcome != cert.Valid || len(check.Findings) > 0 {
		return "", fault.At(fault.InvalidArgument, PlaceDoses, "the card would not keep its own rules: %s", reasons(check))
	}
	compact, err := jws.SignES256(key, []byte(`{"zip":"DEF","alg":"ES256","kid":"`+kid+`"}`), deflate(text))
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot sign the card")
	}
	if len(compact) > MaxSingleQR {
		return "", fault.At(fault.TooLarge, PlaceDoses, "the card does not fit one QR code: %d characters, at most %d", len(compact), MaxSingleQR)
	}
	return compact, nil
}

func reasons(c Check) string {
	words := []string{string(c.Outcome)}
	for _, f := range c.Findings {
		words = append(words, string(f))
	}
	return strings.Join(words, ", ")
}

// KeyID gives the kid of a signing key: its RFC 7638 thumbprint.
func KeyID(key *ecdsa.PublicKey) (string, error) { return trust.KeyID(key) }

func keyIDOf(key crypto.Signer) (string, error) {
	if key == nil {
		return "", fault.New(fault.Internal, "cannot sign the card: no key")
	}
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return "", fault.New(fault.Internal, "cannot sign the card: not an elliptic curve key")
	}
	kid, err := KeyID(public)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot sign the card")
	}
	return kid, nil
}

// RevocationID gives a rid as the specification recommends: 11 characters from the first
// 64 bits of HMAC-SHA-256 under secret over the key's id and the person's handle, so that
// a list of them tells nothing about who was revoked.
func RevocationID(secret []byte, kid, person string) string {
	const bits64 = 8
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(kid))
	mac.Write([]byte(person))
	return base64url.Encode(mac.Sum(nil)[:bits64])
}

// cardPayload is a card in FHIR's words, without those that are the same on every card.
type (
	cardPayload struct {
		ISS           string
		NBF, EXP      int64 // EXP 0: it has no end
		RID           string
		Patient       cardPatient
		Immunizations []cardImmunization
	}
	cardPatient struct {
		Family, Given string
		BirthDate     civil.Date
	}
	cardImmunization struct {
		Code, MVX, Lot, Performer string
		On                        civil.Date
	}
)

func newPayload(iss string, at time.Time, c cert.Certificate, opts Options) (cardPayload, error) {
	var none cardPayload
	if !trust.ValidIssuer(iss) {
		return none, fault.At(fault.Internal, PlaceIssuer, "the issuer is not an https address without trailing slash")
	}
	if c.ID != "" && !trust.ValidRID(c.ID) {
		return none, fault.At(fault.InvalidArgument, PlaceID, "the revocation id is not 1 to %d characters of base64url", trust.MaxRID)
	}
	patient, err := newPatient(c, opts)
	if err != nil {
		return none, err
	}
	if len(c.Doses) == 0 {
		return none, fault.New(fault.NoRecord, "there is no vaccination to certify")
	}
	p := cardPayload{ISS: iss, NBF: at.Unix(), RID: c.ID, Patient: patient, Immunizations: make([]cardImmunization, 0, len(c.Doses))}
	for i, d := range c.Doses {
		if d.Code == "" || d.On.IsZero() {
			return none, fault.At(fault.InvalidArgument, PlaceDoses, "vaccination %d lacks its code or day", i+1)
		}
		p.Immunizations = append(p.Immunizations, newImmunization(d))
	}
	if !c.ExpiresAt.IsZero() {
		p.EXP = c.ExpiresAt.Unix()
	}
	return p, nil
}

func newPatient(c cert.Certificate, opts Options) (cardPatient, error) {
	family, given := c.Holder.FamilyKanji, c.Holder.GivenKanji
	if opts.Name == NameLatin {
		family, given = c.Holder.FamilyLatin, c.Holder.GivenLatin
	}
	if family == "" && given == "" {
		return cardPatient{}, fault.At(fault.InvalidArgument, PlaceHolder, "the holder has no name in the script of this card")
	}
	if c.BirthDate.IsZero() {
		return cardPatient{}, fault.At(fault.InvalidArgument, PlaceBirthDate, "the holder has no birth date")
	}
	return cardPatient{family, given, c.BirthDate}, nil
}

func newImmunization(d cert.Dose) cardImmunization {
	i := cardImmunization{Code: d.Code, Lot: d.Lot, Performer: d.Performer, On: d.On}
	if isMVX(d.Manufacturer) {
		i.MVX = d.Manufacturer
	}
	return i
}

// isMVX tells whether a manufacturer is named by its MVX code: two or three capitals.
func isMVX(s string) bool {
	if len(s) < 2 || len(s) > 3 {
		return false
	}
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
