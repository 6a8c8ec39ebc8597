package hcert

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/base45"
	"madoguchi.example/shared/cert/internal/cborpull"
	"madoguchi.example/shared/cert/internal/cose"
	"madoguchi.example/shared/cert/vaccine"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/mrz"
)

// Kind says which content a certificate has.
type Kind int

// The contents that are issued.
const (
	DCC Kind = iota // EU certificate of one vaccination against COVID-19
	DVC             // WHO certificate of vaccinations against any disease
)

// Options of a certificate. The zero value is an EU certificate issued by Japan.
type Options struct {
	Kind      Kind
	Country   string // alpha-2 code of the issuing country, iss; empty: JP
	Authority string // who issues, for people, at most 80 characters; empty: DefaultAuthority
}

// Who issues where Options does not say.
const (
	DefaultCountry   = "JP"
	DefaultAuthority = "MHLW_Gov_of_JAPAN"
)

// The places that an issue fault names.
const (
	PlaceHolder    = "holder"
	PlaceBirthDate = "birth_date"
	PlaceDoses     = "doses"
	PlaceID        = "id"
	PlaceExpires   = "expires"
	PlaceSigner    = "signer"
)

// schemaVersion is the version of the DCC schema that is written.
const schemaVersion = "1.3.0"

// Issue writes and signs a certificate for the holder in c, as the text of one QR code of at
// most MaxIssued characters. Codes of vaccines are CVX in c and translated by the table of
// package vaccine. iat is at and exp is expires, both cut to the second; expires may not be
// after the end of dsc, the DER of the signer's certificate. c.ID is the UVCI (see NewUVCI).
// Names are the Latin ones. With a key in memory the same call gives the same text.
//
// A DCC is of one dose: the latest in c, of which Number and, where Of is 0, the product's
// series are written. A DVC is of all doses in c: one as the model has it, several as an
// array, which its newer edition has. It may go without id and without expires.
//
// Faults: NoRecord without a dose, InvalidArgument with one of the places above where c
// lacks what the content must have or a vaccine has no code there, TooLarge where it does
// not fit, Internal where key, certificate and times do not go together.
func Issue(signer crypto.Signer, dsc []byte, at, expires time.Time, c cert.Certificate, o Options) (string, error) {
	if err := checkSigner(signer, dsc, at, expires); err != nil {
		return "", err
	}
	if o.Country == "" {
		o.Country = DefaultCountry
	}
	if o.Authority == "" {
		o.Authority = DefaultAuthority
	}
	content, subclaim, err := newContent(c, o, expires)
	if err != nil {
		return "", err
	}
	id := keyIDOf(dsc)
	message, err := cose.SignES256(signer, id[:], newClaims(at, expires, c, o, subclaim, content))
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot sign the certificate")
	}
	text, err := encode(message)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot write the certificate")
	}
	if len(text) > MaxIssued {
		return "", fault.At(fault.TooLarge, PlaceDoses, "the certificate does not fit one QR code: %d characters, at most %d", len(text), MaxIssued)
	}
	return text, nil
}

func newContent(c cert.Certificate, o Options, expires time.Time) (content []byte, subclaim int64, err error) {
	switch {
	case len(c.Doses) == 0:
		return nil, 0, fault.New(fault.NoRecord, "there is no vaccination to certify")
	case c.ID != "" && !ValidUVCI(c.ID), c.ID == "" && o.Kind == DCC:
		return nil, 0, fault.At(fault.InvalidArgument, PlaceID, "the certificate's id is not a UVCI with its check character")
	case c.BirthDate.IsZero():
		return nil, 0, fault.At(fault.InvalidArgument, PlaceBirthDate, "the holder has no birth date")
	case len(o.Country) != 2 || !isUpper(o.Country) || utf8.RuneCountInString(o.Authority) > maxMember:
		return nil, 0, fault.At(fault.Internal, PlaceSigner, "the issuing country or authority is not in form")
	case o.Kind == DVC:
		content, err = newDVC(c, o)
		return content, subclaimDVC, err
	case expires.IsZero():
		return nil, 0, fault.At(fault.InvalidArgument, PlaceExpires, "an EU certificate has an end")
	}
	content, err = newDCC(c, o)
	return content, subclaimDCC, err
}

// checkSigner holds the signer's certificate against its key and the times.
func checkSigner(signer crypto.Signer, dsc []byte, at, expires time.Time) error {
	c, err := x509.ParseCertificate(dsc)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot read the signer's certificate")
	}
	refuse := func(words string) error { return fault.At(fault.Internal, PlaceSigner, "%s", words) }
	if signer == nil {
		return refuse("no key")
	}
	public, ok := c.PublicKey.(*ecdsa.PublicKey)
	switch {
	case !ok || !public.Equal(signer.Public()):
		return refuse("the signer's certificate is not of its key")
	case usageOf(c)&forVaccinations == 0:
		return refuse("the signer's certificate is not for vaccinations")
	case at.Before(c.NotBefore) || at.After(c.NotAfter):
		return refuse("the signer's certificate is not of this time")
	case !expires.IsZero() && expires.After(c.NotAfter):
		return fault.At(fault.InvalidArgument, PlaceExpires, "the certificate would outlive its signer's")
	case !expires.IsZero() && !expires.After(at):
		return fault.At(fault.InvalidArgument, PlaceExpires, "the certificate would end before it begins")
	}
	return nil
}

// newClaims writes the token.
func newClaims(at, expires time.Time, c cert.Certificate, o Options, subclaim int64, content []byte) []byte {
	key := func(n int64) []byte { return cborpull.AppendInt(nil, n) }
	var inner, claims cborpull.Builder
	inner.Put(key(subclaim), content)
	claims.Put(key(claimIssuer), cborpull.AppendText(nil, o.Country))
	claims.Put(key(claimIssued), key(at.Unix()))
	if !expires.IsZero() {
		claims.Put(key(claimExpires), key(expires.Unix()))
	}
	if subclaim == subclaimDVC && c.ID != "" {
		claims.Put(key(claimID), cborpull.AppendBytes(nil, c.ID))
	}
	claims.Put(key(claimHCERT), inner.Append(nil))
	return claims.Append(nil)
}

// encode writes a message as the text of a QR code.
func encode(message []byte) (string, error) {
	var out bytes.Buffer
	z, err := zlib.NewWriterLevel(&out, zlib.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := z.Write(message); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return string(base45.AppendEncode([]byte(Prefix), out.Bytes())), nil
}

func newDCC(c cert.Certificate, o Options) ([]byte, error) {
	name, err := newName(c)
	if err != nil {
		return nil, err
	}
	entry, err := newEntry(latest(c.Doses), c.ID, o.Authority)
	if err != nil {
		return nil, err
	}
	var b cborpull.Builder
	b.PutText("ver", schemaVersion)
	b.PutText("dob", c.BirthDate.String())
	b.Put(cborpull.AppendText(nil, "nam"), name)
	b.Put(cborpull.AppendText(nil, "v"), append(cborpull.AppendArray(nil, 1), entry...))
	return b.Append(nil), nil
}

func newName(c cert.Certificate) ([]byte, error) {
	var b cborpull.Builder
	for _, part := range []struct{ name, plain, standard string }{
		{c.Holder.FamilyLatin, "fn", "fnt"}, {c.Holder.GivenLatin, "gn", "gnt"},
	} {
		standard, err := mrz.Transliterate(norm.NFC.String(part.name))
		if err != nil || utf8.RuneCountInString(part.name) > maxMember || len(standard) > maxMember {
			return nil, fault.At(fault.InvalidArgument, PlaceHolder, "the holder's Latin name cannot be written by Doc 9303")
		}
		b.PutText(part.plain, part.name)
		b.PutText(part.standard, standard)
	}
	if c.Holder.FamilyLatin == "" && c.Holder.GivenLatin == "" {
		return nil, fault.At(fault.InvalidArgument, PlaceHolder, "the holder has no Latin name")
	}
	return b.Append(nil), nil
}

// latest gives the dose that was given last, of several on one day the one with the highest
// number.
func latest(doses []cert.Dose) cert.Dose {
	last := doses[0]
	for _, d := range doses[1:] {
		if c := d.On.Compare(last.On); c > 0 || (c == 0 && d.Number > last.Number) {
			last = d
		}
	}
	return last
}

func newEntry(d cert.Dose, id, authority string) ([]byte, error) {
	p, err := productOf(d)
	if err != nil {
		return nil, err
	}
	in, err := countryOf(d)
	if err != nil {
		return nil, err
	}
	series := d.Of
	if series == 0 {
		series = p.Series
	}
	switch {
	case p.EUProduct == "":
		return nil, fault.At(fault.InvalidArgument, PlaceDoses, "the EU value sets have no code for this vaccine")
	case d.Number < 1 || series < 1:
		return nil, fault.At(fault.InvalidArgument, PlaceDoses, "the vaccination's number or series is not known")
	}
	var b cborpull.Builder
	b.PutText("tg", p.DiseaseSNOMED)
	b.PutText("vp", p.EUVaccine)
	b.PutText("mp", p.EUProduct)
	b.PutText("ma", p.EUHolder)
	b.PutInt("dn", int64(d.Number))
	b.PutInt("sd", int64(max(series, d.Number)))
	b.PutText("dt", d.On.String())
	b.PutText("co", in)
	b.PutText("is", authority)
	b.PutText("ci", id)
	return b.Append(nil), nil
}

// productOf gives the product of a dose in our records, by its CVX code.
func productOf(d cert.Dose) (vaccine.Product, error) {
	p, ok := vaccine.ByCVX(d.Code)
	switch {
	case !ok || (d.CodeSystem != "" && d.CodeSystem != cert.CVX):
		return p, fault.At(fault.InvalidArgument, PlaceDoses, "the vaccine's code is not one that can be translated")
	case d.On.IsZero():
		return p, fault.At(fault.InvalidArgument, PlaceDoses, "the vaccination has no day")
	}
	return p, nil
}

// countryOf gives the alpha-2 code of where a dose was given; Japan where it is not said.
func countryOf(d cert.Dose) (string, error) {
	if d.Country == "" {
		return DefaultCountry, nil
	}
	region, err := language.ParseRegion(d.Country)
	if err != nil || !region.IsCountry() || len(region.String()) != 2 {
		return "", fault.At(fault.InvalidArgument, PlaceDoses, "the country of the vaccination is not an ISO 3166 code")
	}
	return region.String(), nil
}

func newDVC(c cert.Certificate, o Options) ([]byte, error) {
	name := strings.TrimSpace(c.Holder.Latin())
	if name == "" {
		return nil, fault.At(fault.InvalidArgument, PlaceHolder, "the holder has no Latin name")
	}
	if len(c.Doses) > maxDoses {
		return nil, fault.At(fault.TooLarge, PlaceDoses, "more than %d vaccinations", maxDoses)
	}
	var doses []byte
	if len(c.Doses) > 1 {
		doses = cborpull.AppendArray(nil, len(c.Doses))
	}
	for _, d := range c.Doses {
		dose, err := newVaccination(d, o.Authority)
		if err != nil {
			return nil, err
		}
		doses = append(doses, dose...)
	}
	var b cborpull.Builder
	b.PutText("n", name)
	b.PutText("dob", c.BirthDate.String())
	b.PutText("s", c.Sex)
	b.PutText("nid", c.TravelDocument)
	if c.TravelDocument != "" {
		b.PutText("ndt", documentPassport)
	}
	b.Put(cborpull.AppendText(nil, "v"), doses)
	return b.Append(nil), nil
}

// newVaccination writes one vaccination of a DVC. A vaccine against several diseases names
// none: the model has room for one, and its newer edition has none.
func newVaccination(d cert.Dose, authority string) ([]byte, error) {
	p, err := productOf(d)
	if err != nil {
		return nil, err
	}
	if d.Lot == "" {
		return nil, fault.At(fault.InvalidArgument, PlaceDoses, "the record does not name the lot")
	}
	maker := d.Manufacturer
	if maker == "" {
		maker = p.Manufacturer
	}
	var b cborpull.Builder
	b.PutText("tg", p.ICD11Disease)
	b.PutText("vp", p.ICD11Vaccine)
	b.PutText("ma", maker)
	b.PutText("bo", d.Lot)
	b.PutText("dn", doseCode(d.Number))
	b.PutText("dt", d.On.String())
	b.PutText("is", authority)
	return b.Append(nil), nil
}

// doseCode gives a dose's code in WHO's list DoseNumber: 1 to 5, beyond it a booster.
func doseCode(number int) string {
	const last = 5
	switch {
	case number < 1:
		return ""
	case number > last:
		return "B"
	}
	return string(rune('0' + number))
}
