package vdsnc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"strings"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/ecsig"
	"madoguchi.example/shared/cert/internal/jcs"
	"madoguchi.example/shared/cert/vaccine"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/internal/base64url"
	"madoguchi.example/shared/internal/jsonpull"
	"madoguchi.example/shared/mrz"
)

// Options of a document.
type Options struct {
	Issuer string // the issuing state, three letters; "UTO" makes a specimen
	Centre string // who vaccinated, in Latin letters; empty: each dose's performer
}

// The places that an issue fault names.
const (
	PlaceSigner         = "signer" // the signer certificate: not of the key, not of the state, or outside its usage period
	PlaceIssuer         = "issuer"
	PlaceID             = "id"
	PlaceHolder         = "holder"
	PlaceBirthDate      = "birth_date"
	PlaceTravelDocument = "travel_document"
	PlaceSex            = "sex"
	PlaceDoses          = "doses"
)

// Limits of what is issued.
const (
	maxID       = 32
	maxDocument = 20 // characters of a travel document's number
)

// Issue writes and signs a proof of the vaccinations in c for its holder, bound to a
// passport, as canonical JSON text of at most MaxQR bytes. The signer's key is that of the
// certificate bsc (DER), which the text carries. The holder's name is the Latin one, c.ID
// the uvci (capitals and digits), c.TravelDocument the passport's number. A dose is coded by
// CVX or ICD-11; its country is opts.Issuer where it names none. With a key in memory the
// same call gives the same text. It keeps no reference to its arguments.
//
// Faults: Unavailable with PlaceSigner outside the time in which the certificate lets its
// key sign; NoRecord without a dose; InvalidArgument with a place where c lacks what a
// document must have, or a product has no code in the format's lists; TooLarge where it does
// not fit one code; Internal with PlaceSigner where signer, certificate and state do not
// belong together.
func Issue(signer crypto.Signer, bsc []byte, at time.Time, c cert.Certificate, opts Options) (string, error) {
	alg, err := checkSigner(signer, bsc, at, opts)
	if err != nil {
		return "", err
	}
	data, err := newData(c, opts)
	if err != nil {
		return "", err
	}
	canonical, err := canonicalJSON(data)
	if err != nil {
		return "", fault.Wrap(fault.InvalidArgument, err, "cannot write the document")
	}
	d := document{algorithm: alg, canonical: canonical}
	signature, err := ecsig.Sign(signer, alg.hash, d.digest(nil))
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot sign the document")
	}
	text := `{"data":` + string(canonical) + `,"sig":{"alg":"` + alg.name + `","cer":"` +
		base64url.Encode(bsc) + `","sigvl":"` + base64url.Encode(signature) + `"}}`
	if len(text) > MaxQR {
		return "", fault.At(fault.TooLarge, PlaceDoses, "the document does not fit one QR code: %d bytes, at most %d", len(text), MaxQR)
	}
	return text, keepsRules(text)
}

// keepsRules reads the document back as a verifier will.
func keepsRules(text string) error {
	var d document
	r := jsonpull.New(text)
	d.readDocument(r, len(text))
	if err := r.End(); err != nil || len(d.message.findings) > 0 || d.unsupported != "" {
		return fault.Wrap(fault.Internal, err, "the document would not keep its own rules")
	}
	return nil
}

func checkSigner(signer crypto.Signer, bsc []byte, at time.Time, opts Options) (algorithm, error) {
	if signer == nil {
		return algorithm{}, fault.At(fault.Internal, PlaceSigner, "cannot sign the document: no key")
	}
	usage, err := ReadBSC(bsc)
	if err != nil {
		return algorithm{}, &fault.Error{Code: fault.Internal, Place: PlaceSigner, Message: "cannot sign the document", Cause: err}
	}
	public, ok := signer.Public().(*ecdsa.PublicKey)
	switch {
	case !ok || !public.Equal(usage.Public):
		return algorithm{}, fault.At(fault.Internal, PlaceSigner, "the key is not that of the signer's certificate")
	case at.Before(usage.From):
		return algorithm{}, fault.At(fault.Unavailable, PlaceSigner, "the signer's key may not sign yet: from %s", usage.From.Format(time.RFC3339))
	case at.After(usage.Until):
		return algorithm{}, fault.At(fault.Unavailable, PlaceSigner, "the signer's key may not sign any more: until %s", usage.Until.Format(time.RFC3339))
	case !isState(opts.Issuer):
		return algorithm{}, fault.At(fault.Internal, PlaceIssuer, "the issuing state is not a code of three letters")
	case !sameCountry(opts.Issuer, usage.Country):
		return algorithm{}, fault.At(fault.Internal, PlaceSigner, "the signer is of another country than the issuing state")
	}
	return algorithmOn(public.Curve), nil
}

func isState(code string) bool {
	_, known := alpha2(code)
	return known || code == specimenCountry
}

// The document in its own words. The members are sorted as the canonical form wants them.
type (
	jsonData struct {
		Header  jsonHeader  `json:"hdr"`
		Message jsonMessage `json:"msg"`
	}
	jsonHeader struct {
		State   string `json:"is"`
		Kind    string `json:"t"`
		Version int    `json:"v"`
	}
	jsonMessage struct {
		Holder jsonHolder  `json:"pid"`
		ID     string      `json:"uvci"`
		Events []jsonEvent `json:"ve"`
	}
	jsonHolder struct {
		Birth    civil.Date `json:"dob"`
		Document string     `json:"i"`
		Name     string     `json:"n"`
		Sex      string     `json:"sex,omitempty"`
	}
	jsonEvent struct {
		Vaccine string     `json:"des"`
		Disease string     `json:"dis,omitempty"`
		Name    string     `json:"nam"`
		Doses   []jsonDose `json:"vd"`
	}
	jsonDose struct {
		Centre  string     `json:"adm"`
		Country string     `json:"ctr"`
		On      civil.Date `json:"dvc"`
		Lot     string     `json:"lot"`
		Number  int        `json:"seq"`
	}
)

func canonicalJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return jcs.Transform(out.String())
}

func newData(c cert.Certificate, opts Options) (jsonData, error) {
	d := jsonData{Header: jsonHeader{opts.Issuer, typeVaccination, version}}
	var err error
	if d.Message.Holder, err = newHolder(c); err != nil {
		return d, err
	}
	if !onlyCapitals(c.ID, maxID) {
		return d, fault.At(fault.InvalidArgument, PlaceID, "the certificate's id is not 1 to %d capitals and digits", maxID)
	}
	d.Message.ID = c.ID
	if len(c.Doses) == 0 {
		return d, fault.New(fault.NoRecord, "there is no vaccination to certify")
	}
	for i, dose := range c.Doses {
		if err := d.Message.addDose(i, dose, opts); err != nil {
			return d, err
		}
	}
	return d, nil
}

func newHolder(c cert.Certificate) (jsonHolder, error) {
	name, err := latinName(c)
	switch {
	case err != nil:
		return jsonHolder{}, err
	case c.BirthDate.IsZero():
		return jsonHolder{}, fault.At(fault.InvalidArgument, PlaceBirthDate, "the holder has no birth date")
	case !onlyCapitals(c.TravelDocument, maxDocument):
		return jsonHolder{}, fault.At(fault.InvalidArgument, PlaceTravelDocument, "the passport's number is not 1 to %d capitals and digits", maxDocument)
	case c.Sex != "" && c.Sex != "M" && c.Sex != "F" && c.Sex != "X":
		return jsonHolder{}, fault.At(fault.InvalidArgument, PlaceSex, "the sex is not M, F or X")
	}
	return jsonHolder{Birth: c.BirthDate, Document: c.TravelDocument, Name: name, Sex: c.Sex}, nil
}

// latinName gives the name in a passport's letters, two blanks between its two parts.
func latinName(c cert.Certificate) (string, error) {
	family, err1 := mrz.Transliterate(c.Holder.FamilyLatin)
	given, err2 := mrz.Transliterate(c.Holder.GivenLatin)
	if err1 != nil || err2 != nil {
		return "", fault.At(fault.InvalidArgument, PlaceHolder, "the holder's name is not in Latin letters")
	}
	name := strings.TrimSpace(strings.ReplaceAll(family+"<<"+given, "<", " "))
	if name == "" || len(name) > maxName {
		return "", fault.At(fault.InvalidArgument, PlaceHolder, "the holder has no name of 1 to %d Latin letters", maxName)
	}
	return name, nil
}

func onlyCapitals(s string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// addDose adds the i-th dose to its product's event.
func (m *jsonMessage) addDose(i int, d cert.Dose, opts Options) error {
	event, ok := newEvent(d)
	if !ok {
		return fault.At(fault.InvalidArgument, PlaceDoses, "vaccination %d is of a product that this format has no code for", i+1)
	}
	dose := jsonDose{Centre: opts.Centre, Country: d.Country, On: d.On, Lot: d.Lot, Number: d.Number}
	if dose.Centre == "" {
		dose.Centre = d.Performer
	}
	if dose.Country == "" {
		dose.Country = opts.Issuer
	}
	switch {
	case d.On.IsZero() || d.Lot == "" || dose.Centre == "":
		return fault.At(fault.InvalidArgument, PlaceDoses, "vaccination %d lacks its day, lot or centre", i+1)
	case d.Number < 1 || d.Number > maxSequence:
		return fault.At(fault.InvalidArgument, PlaceDoses, "vaccination %d has a number that is not 1 to %d", i+1, maxSequence)
	case !isState(dose.Country):
		return fault.At(fault.InvalidArgument, PlaceDoses, "vaccination %d names a country that is not three letters", i+1)
	}
	for j := range m.Events {
		e := &m.Events[j]
		if e.Vaccine == event.Vaccine && e.Name == event.Name && e.Disease == event.Disease {
			e.Doses = append(e.Doses, dose)
			return nil
		}
	}
	event.Doses = []jsonDose{dose}
	m.Events = append(m.Events, event)
	return nil
}

// newEvent gives a dose's product in the format's codes.
func newEvent(d cert.Dose) (jsonEvent, bool) {
	if d.CodeSystem == cert.ICD11 {
		return jsonEvent{Vaccine: d.Code, Disease: d.Disease, Name: d.Product}, d.Code != "" && d.Product != ""
	}
	if d.CodeSystem != "" && d.CodeSystem != cert.CVX {
		return jsonEvent{}, false
	}
	p, known := vaccine.ByCVX(d.Code)
	return jsonEvent{Vaccine: p.ICD11Vaccine, Disease: p.ICD11Disease, Name: p.Name}, known && p.ICD11Vaccine != ""
}
