package sdjwtvc

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/jws"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/internal/base64url"
	"madoguchi.example/shared/internal/jsonpull"
	"madoguchi.example/shared/trust"
)

// Options of a credential. Salt must be there.
type Options struct {
	VCT         string           // empty: the issuer's name and TypePath; else it ends in TypePath
	Holder      *ecdsa.PublicKey // on P-256; nil: whoever has the credential may show it
	Expires     time.Time        // zero: the certificate's ExpiresAt, or never
	StatusURI   string           // of the status list; empty: it cannot be revoked
	StatusIndex int64            // the place there
	Salt        io.Reader        // fresh randomness: 16 bytes for each claim that may be withheld
}

// The places that an issue fault names.
const (
	PlaceHolder    = "holder"
	PlaceBirthDate = "birth_date"
	PlaceDoses     = "doses"
	PlaceIssuer    = "issuer"
	PlaceType      = "vct"
	PlaceKey       = "holder_key"
	PlaceStatus    = "status"
)

// Issue writes and signs a credential of the vaccinations in c for its holder, with all its
// disclosures and without key binding, as a wallet takes it. Each part of the name, the
// birth date, sex, travel document and certificate id, and each dose as a whole may be
// shown or withheld on its own; issuer, times, type, status, the holder's key and the number
// of doses are always seen. Iat is at, cut to the second. It keeps no reference to its
// arguments.
//
// Faults: NoRecord without a dose, InvalidArgument with one of the places above where c or
// opts lack what a credential must have, TooLarge where it would be more than MaxInput.
func Issue(signer crypto.Signer, kid, iss string, at time.Time, c cert.Certificate, opts Options) (string, error) {
	if err := checkIssue(iss, at, c, &opts); err != nil {
		return "", err
	}
	w := writer{salt: opts.Salt}
	payload, err := w.payload(iss, at, c, opts)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot write the credential")
	}
	token, err := jws.SignES256(signer, writeHeader(typeCredential, kid), payload.json())
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot sign the credential")
	}
	text := token + "~" + strings.Join(w.disclosures, "")
	if len(text) > MaxInput {
		return "", fault.At(fault.TooLarge, PlaceDoses, "the credential is longer than %d characters", MaxInput)
	}
	if _, err := open([]byte(text)); err != nil {
		return "", fault.Wrap(fault.InvalidArgument, err, "the credential would not keep its own rules")
	}
	return text, nil
}

func checkIssue(iss string, at time.Time, c cert.Certificate, opts *Options) error {
	if opts.VCT == "" {
		opts.VCT = iss + TypePath
	}
	if opts.Expires.IsZero() {
		opts.Expires = c.ExpiresAt
	}
	switch {
	case !trust.ValidIssuer(iss):
		return fault.At(fault.InvalidArgument, PlaceIssuer, "the issuer is not an https address without trailing slash")
	case !strings.HasSuffix(opts.VCT, TypePath):
		return fault.At(fault.InvalidArgument, PlaceType, "the type does not end in %s", TypePath)
	case opts.Salt == nil:
		return fault.New(fault.Internal, "cannot write the credential: no source of salts")
	case len(c.Doses) == 0:
		return fault.New(fault.NoRecord, "there is no vaccination to certify")
	case len(c.Doses) > maxDoses:
		return fault.At(fault.TooLarge, PlaceDoses, "more than %d vaccinations", maxDoses)
	case c.Holder.Kanji() == "" && c.Holder.Latin() == "":
		return fault.At(fault.InvalidArgument, PlaceHolder, "a credential needs a name in kanji or Latin letters")
	case c.BirthDate.IsZero():
		return fault.At(fault.InvalidArgument, PlaceBirthDate, "a credential needs a birth date")
	case !opts.Expires.IsZero() && !opts.Expires.After(at):
		return fault.At(fault.InvalidArgument, PlaceDoses, "the credential would have expired before it is issued")
	case opts.StatusIndex < 0 || opts.StatusIndex >= MaxStatusSize || (opts.StatusURI == "" && opts.StatusIndex != 0):
		return fault.At(fault.InvalidArgument, PlaceStatus, "no place on a status list")
	}
	if opts.Holder != nil {
		if _, err := trust.KeyID(opts.Holder); err != nil {
			return fault.At(fault.InvalidArgument, PlaceKey, "the holder's key is not on P-256")
		}
	}
	for _, d := range c.Doses {
		if d.Code == "" || d.On.IsZero() {
			return fault.At(fault.InvalidArgument, PlaceDoses, "a vaccination without code or day")
		}
	}
	return nil
}

// writer writes values with digests in them, and the disclosures beside.
type writer struct {
	salt        io.Reader
	disclosures []string // each with ~ behind it
}

// hide makes a disclosure of the values and gives its digest.
func (w *writer) hide(values ...*node) (*node, error) {
	var salt [saltSize]byte
	if _, err := io.ReadFull(w.salt, salt[:]); err != nil {
		return nil, errors.New("no salt to be had")
	}
	all := &node{kind: jsonpull.Array, kids: append([]*node{str(base64url.Encode(salt[:]))}, values...)}
	text := base64url.Encode(all.json())
	w.disclosures = append(w.disclosures, text+"~")
	return str(digestOf([]byte(text))), nil
}

func str(s string) *node { return &node{kind: jsonpull.String, text: s} }

func object() *node { return &node{kind: jsonpull.Object} }

func number(n int64) *node {
	text, err := json.Marshal(n)
	if err != nil {
		panic("sdjwtvc: a number always has a JSON form")
	}
	return &node{kind: jsonpull.Number, text: string(text)}
}

func (w *writer) payload(iss string, at time.Time, c cert.Certificate, opts Options) (*node, error) {
	p := object()
	p.add("iss", str(iss))
	p.add("iat", number(at.Unix()))
	if !opts.Expires.IsZero() {
		p.add("exp", number(opts.Expires.Unix()))
	}
	p.add("vct", str(opts.VCT))
	if opts.StatusURI != "" {
		list, status := object(), object()
		list.add("idx", number(opts.StatusIndex))
		list.add("uri", str(opts.StatusURI))
		status.add("status_list", list)
		p.add("status", status)
	}
	if opts.Holder != nil {
		jwk, err := holderKey(opts.Holder)
		if err != nil {
			return nil, err
		}
		cnf := object()
		cnf.add("jwk", jwk)
		p.add("cnf", cnf)
	}
	p.add(nameHash, str(hashSHA256))
	if err := w.person(p, c); err != nil {
		return nil, err
	}
	return p, w.doses(p, c.Doses)
}

// person adds the digests of the holder's claims in the digests' own order, which tells
// nothing of which is which.
func (w *writer) person(p *node, c cert.Certificate) error {
	family, given := c.Holder.FamilyLatin, c.Holder.GivenLatin
	if family+given == "" {
		family, given = c.Holder.FamilyKanji, c.Holder.GivenKanji
	}
	digests := &node{kind: jsonpull.Array}
	for _, claim := range []struct{ name, value string }{
		{claimFamily, family}, {claimGiven, given},
		{claimFamily + scriptKanji, c.Holder.FamilyKanji}, {claimGiven + scriptKanji, c.Holder.GivenKanji},
		{claimFamily + scriptKana, c.Holder.FamilyKana}, {claimGiven + scriptKana, c.Holder.GivenKana},
		{claimBirth, c.BirthDate.String()}, {claimSex, c.Sex},
		{claimDocument, c.TravelDocument}, {claimID, c.ID},
	} {
		if claim.value == "" {
			continue
		}
		digest, err := w.hide(str(claim.name), str(claim.value))
		if err != nil {
			return err
		}
		digests.kids = append(digests.kids, digest)
	}
	slices.SortFunc(digests.kids, func(a, b *node) int { return strings.Compare(a.text, b.text) })
	p.add(nameDigests, digests)
	return nil
}

func (w *writer) doses(p *node, doses []cert.Dose) error {
	list := &node{kind: jsonpull.Array}
	for i, d := range doses {
		digest, err := w.hide(writeDose(i+1, d))
		if err != nil {
			return err
		}
		place := object()
		place.add(namePlace, digest)
		list.kids = append(list.kids, place)
	}
	p.add(claimDoses, list)
	return nil
}

// writeDose writes a dose; nth stands in for a number that it lacks. A code without list
// is a CVX code, as everywhere in the project.
func writeDose(nth int, d cert.Dose) *node {
	n := object()
	if d.Number == 0 {
		d.Number = nth
	}
	n.add("number", number(int64(d.Number)))
	if d.Of != 0 {
		n.add("of", number(int64(d.Of)))
	}
	if d.CodeSystem == "" {
		d.CodeSystem = cert.CVX
	}
	var system string
	for _, s := range codeSystems {
		if s.system == d.CodeSystem {
			system = s.uri
		}
	}
	for _, member := range []struct{ name, value string }{
		{"date", d.On.String()}, {"code", d.Code}, {"code_system", system}, {"disease", d.Disease}, {"product", d.Product},
		{"manufacturer", d.Manufacturer}, {"lot", d.Lot}, {"performer", d.Performer}, {"country", d.Country},
	} {
		if member.value != "" {
			n.add(member.name, str(member.value))
		}
	}
	return n
}

// holderKey writes a public key as the JWK that cnf holds.
func holderKey(key *ecdsa.PublicKey) (*node, error) {
	set, err := trust.WriteJWKS(trust.PublishedKey{Public: key})
	if err != nil {
		return nil, err
	}
	tree, err := new(store).parse(set)
	if err != nil {
		return nil, err
	}
	jwk, whole := object(), tree.get("keys").kids[0]
	for _, name := range []string{"kty", "crv", "x", "y"} {
		jwk.add(name, whole.get(name))
	}
	return jwk, nil
}

func writeHeader(typ, kid string) []byte {
	h := object()
	h.add("alg", str("ES256"))
	h.add("typ", str(typ))
	if kid != "" {
		h.add("kid", str(kid))
	}
	return h.json()
}
