package sdjwtvc

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/internal/jsonpull"
)

// validity is a span of time; zero ends are open.
type validity struct{ from, until time.Time }

func (v *validity) notBefore(t time.Time) {
	if t.After(v.from) {
		v.from = t
	}
}

func (v *validity) notAfter(t time.Time) {
	if v.until.IsZero() || t.Before(v.until) {
		v.until = t
	}
}

// readClaims reads nbf and exp (RFC 7519).
func (v *validity) readClaims(payload *node) error {
	if n := payload.get("nbf"); n != nil {
		t, err := readTime(n)
		if err != nil {
			return fmt.Errorf("nbf: %w", err)
		}
		v.notBefore(t)
	}
	if n := payload.get("exp"); n != nil {
		t, err := readTime(n)
		if err != nil {
			return fmt.Errorf("exp: %w", err)
		}
		v.notAfter(t)
	}
	return nil
}

// outcome tells what the clock says: the end is the first moment that is too late.
func (v validity) outcome(at time.Time) (cert.Outcome, string) {
	switch {
	case at.Before(v.from):
		return cert.NotYetValid, "not valid before " + v.from.Format(time.RFC3339)
	case !v.until.IsZero() && !at.Before(v.until):
		return cert.Expired, "expired at " + v.until.Format(time.RFC3339)
	}
	return cert.Valid, ""
}

// readTime reads a NumericDate, which may be fractional. One after the year 9999 becomes
// its end.
func readTime(n *node) (time.Time, error) {
	if !n.is(jsonpull.Number) {
		return time.Time{}, errors.New("not a number")
	}
	seconds, err := strconv.ParseFloat(n.text, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, errors.New("a time before 1970 or out of range")
	}
	whole, fraction := math.Modf(min(seconds, lastSecond))
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), nil
}

// status is a credential's place on a status list; uri is empty where it has none.
type status struct {
	uri   string
	index int64
}

// claims is what a credential says, as far as it was disclosed.
type claims struct {
	iss      string
	vct      string
	holder   *node // cnf
	status   status
	times    validity
	cert     cert.Certificate
	findings []cert.Finding
}

func (c *claims) find(f cert.Finding) {
	if !slices.Contains(c.findings, f) {
		c.findings = append(c.findings, f)
	}
}

// read reads the processed payload.
func (c *claims) read(payload *node, typ string) error {
	c.cert = cert.Certificate{Format: Format, Issuer: c.iss, Content: cert.OtherContent}
	if err := c.readTimes(payload); err != nil {
		return err
	}
	if err := c.readControls(payload, typ); err != nil {
		return err
	}
	var err error
	switch {
	case strings.HasSuffix(c.vct, TypePath):
		err = c.readOwn(payload)
	case payload.get("credentialSubject").get("vaccine").is(jsonpull.Object):
		err = c.readW3C(payload.get("credentialSubject"))
	default:
		c.find(cert.NoVaccination)
		err = c.readPerson(payload)
	}
	if c.cert.HolderRaw == "" && c.cert.Holder == (identity.PersonName{}) {
		c.find(cert.NoHolderName)
	}
	return err
}

// readTimes reads the times of JWT and of the W3C's two data models.
func (c *claims) readTimes(payload *node) error {
	if err := c.times.readClaims(payload); err != nil {
		return err
	}
	if n := payload.get("iat"); n != nil {
		t, err := readTime(n)
		if err != nil {
			return fmt.Errorf("iat: %w", err)
		}
		c.times.notBefore(t)
		c.cert.IssuedAt = t
	}
	for _, name := range []string{"issuanceDate", "validFrom", "expirationDate", "validUntil"} {
		n := payload.get(name)
		if !n.is(jsonpull.String) {
			continue
		}
		t, err := time.Parse(time.RFC3339, n.text)
		switch {
		case err != nil:
			return fmt.Errorf("%s: not a time of RFC 3339", name)
		case name == "issuanceDate" || name == "validFrom":
			c.times.notBefore(t.UTC())
		default:
			c.times.notAfter(t.UTC())
		}
	}
	if c.cert.IssuedAt.IsZero() {
		c.cert.IssuedAt = c.times.from
	}
	c.cert.ExpiresAt = c.times.until
	return nil
}

func (c *claims) readControls(payload *node, typ string) error {
	switch vct := payload.get("vct"); {
	case vct == nil && (typ == typeCredential || typ == typeEarlier):
		c.find(NoType)
	case vct != nil && vct.str() == "":
		return errors.New("vct is not a string")
	default:
		c.vct = vct.str()
	}
	if c.holder = payload.get("cnf"); c.holder != nil && !c.holder.is(jsonpull.Object) {
		return errors.New("cnf is not an object")
	}
	return c.readStatus(payload)
}

func (c *claims) readStatus(payload *node) error {
	all := payload.get("status")
	if all == nil {
		if payload.get("credentialStatus") != nil {
			c.find(OtherStatus)
		}
		return nil
	}
	if !all.is(jsonpull.Object) {
		return errors.New("status is not an object")
	}
	list := all.get("status_list")
	if list == nil {
		c.find(OtherStatus)
		return nil
	}
	index := list.get("idx")
	if !index.is(jsonpull.Number) || list.get("uri").str() == "" {
		return errors.New("status_list lacks idx or uri")
	}
	var err error
	c.status.uri = list.get("uri").text
	if c.status.index, err = strconv.ParseInt(index.text, 10, 64); err != nil || c.status.index < 0 {
		return errors.New("idx is not a whole number")
	}
	return nil
}

// The claims of our own type. Names and birth date are those of OpenID Connect; a name's
// script stands behind it as a language tag (OpenID Connect Core section 5.2).
const (
	claimFamily   = "family_name"
	claimGiven    = "given_name"
	claimBirth    = "birthdate"
	claimSex      = "sex"
	claimDocument = "travel_document"
	claimID       = "certificate_id"
	claimDoses    = "vaccinations"
	scriptKanji   = "#ja-Hani-JP"
	scriptKana    = "#ja-Kana-JP"
	dateLength    = len(time.DateOnly)
	maxDoseNumber = 999
)

// codeSystems gives the name under which a code's list is written.
var codeSystems = []struct {
	system cert.CodeSystem
	uri    string
}{
	{cert.CVX, "http://hl7.org/fhir/sid/cvx"},
	{cert.ICD11, "http://id.who.int/icd11/mms"},
	{cert.SNOMED, "http://snomed.info/sct"},
	{cert.EU, "https://ec.europa.eu/health/documents/community-register/html/"},
}

// readPerson reads the holder's claims, each of which may be withheld.
func (c *claims) readPerson(payload *node) error {
	h := &c.cert.Holder
	h.FamilyKanji, h.GivenKanji = payload.get(claimFamily+scriptKanji).str(), payload.get(claimGiven+scriptKanji).str()
	h.FamilyKana, h.GivenKana = payload.get(claimFamily+scriptKana).str(), payload.get(claimGiven+scriptKana).str()
	c.setName(payload.get(claimFamily).str(), payload.get(claimGiven).str())
	birth := payload.get(claimBirth)
	if !birth.is(jsonpull.String) {
		return nil
	}
	date, err := civil.Parse(birth.text)
	if err != nil && strings.HasSuffix(c.vct, TypePath) {
		return errors.New("birthdate is not a day")
	}
	if err != nil {
		c.find(cert.PartialDate)
		c.cert.BirthText = birth.text
		return nil
	}
	c.cert.BirthDate = date
	return nil
}

// setName sorts a name without script by its characters, where no other claim gave one.
func (c *claims) setName(family, given string) {
	h := &c.cert.Holder
	c.cert.HolderRaw = strings.TrimSpace(family + " " + given)
	switch all := family + given; {
	case all == "":
	case has(all, unicode.Han):
		h.FamilyKanji, h.GivenKanji = orElse(h.FamilyKanji, family), orElse(h.GivenKanji, given)
	case has(all, unicode.Hiragana, unicode.Katakana):
		h.FamilyKana, h.GivenKana = orElse(h.FamilyKana, family), orElse(h.GivenKana, given)
	default:
		h.FamilyLatin, h.GivenLatin = family, given
	}
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

func has(s string, scripts ...*unicode.RangeTable) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return unicode.In(c, scripts...) })
}

// readOwn reads our own type.
func (c *claims) readOwn(payload *node) error {
	c.cert.Content = cert.Vaccination
	if err := c.readPerson(payload); err != nil {
		return err
	}
	c.cert.Sex = payload.get(claimSex).str()
	c.cert.TravelDocument = payload.get(claimDocument).str()
	c.cert.ID = payload.get(claimID).str()
	list := payload.get(claimDoses)
	if !list.is(jsonpull.Array) {
		return errors.New("no vaccinations")
	}
	if len(list.kids) > maxDoses {
		return fmt.Errorf("more than %d vaccinations", maxDoses)
	}
	if list.hidden > 0 {
		c.find(DosesWithheld)
	}
	for i, n := range list.kids {
		d, err := readDose(n)
		if err != nil {
			return fmt.Errorf("vaccination %d: %w", i+1, err)
		}
		c.cert.Doses = append(c.cert.Doses, d)
	}
	if len(c.cert.Doses) == 0 {
		c.find(cert.NoVaccination)
	}
	return nil
}

func readDose(n *node) (cert.Dose, error) {
	on, err := civil.Parse(n.get("date").str())
	if err != nil {
		return cert.Dose{}, errors.New("no date")
	}
	d := cert.Dose{
		Code: n.get("code").str(), CodeSystem: cert.Unlisted, Disease: n.get("disease").str(),
		Product: n.get("product").str(), Manufacturer: n.get("manufacturer").str(), Lot: n.get("lot").str(),
		On: on, Performer: n.get("performer").str(), Country: n.get("country").str(),
	}
	for _, s := range codeSystems {
		if n.get("code_system").str() == s.uri {
			d.CodeSystem = s.system
		}
	}
	var faults [2]error
	d.Number, faults[0] = readCount(n.get("number"))
	d.Of, faults[1] = readCount(n.get("of"))
	switch {
	case d.Code == "":
		return cert.Dose{}, errors.New("no code")
	case d.Number == 0 || faults[0] != nil || faults[1] != nil:
		return cert.Dose{}, errors.New("no number")
	}
	return d, nil
}

// readCount reads a small number; absent is 0.
func readCount(n *node) (int, error) {
	if n == nil {
		return 0, nil
	}
	count, err := strconv.Atoi(n.text)
	if err != nil || !n.is(jsonpull.Number) || count < 1 || count > maxDoseNumber {
		return 0, errors.New("not a count")
	}
	return count, nil
}

// readW3C reads a VaccinationEvent as in RFC 9901 section A.4. Each of its claims may be
// withheld.
func (c *claims) readW3C(event *node) error {
	c.cert.Content = cert.Vaccination
	vaccine, recipient := event.get("vaccine"), event.get("recipient")
	d := cert.Dose{
		Number: 1, Code: vaccine.get("atcCode").str(), CodeSystem: cert.ATC,
		Product: vaccine.get("medicinalProductName").str(), Manufacturer: vaccine.get("marketingAuthorizationHolder").str(),
		Lot: event.get("batchNumber").str(), Performer: event.get("administeringCentre").str(), Country: event.get("countryOfVaccination").str(),
	}
	if number, of, found := strings.Cut(event.get("order").str(), "/"); found {
		n, errNumber := readCount(&node{kind: jsonpull.Number, text: number})
		m, errOf := readCount(&node{kind: jsonpull.Number, text: of})
		if errNumber != nil || errOf != nil {
			return errors.New("order is not n/m")
		}
		d.Number, d.Of = n, m
	}
	var err error
	if d.On, err = c.readDay(event.get("dateOfVaccination")); err != nil {
		return fmt.Errorf("dateOfVaccination: %w", err)
	}
	if d.On.IsZero() {
		c.find(cert.PartialDate)
	}
	c.cert.Doses = []cert.Dose{d}
	c.setName(recipient.get("familyName").str(), recipient.get("givenName").str())
	c.cert.Sex = map[string]string{"Male": "M", "Female": "F"}[recipient.get("gender").str()]
	if c.cert.BirthDate, err = c.readDay(recipient.get("birthDate")); err != nil {
		return fmt.Errorf("birthDate: %w", err)
	}
	return nil
}

// readDay reads a day or the day of a time, in the zone that it was written in. Absent is
// no day.
func (c *claims) readDay(n *node) (civil.Date, error) {
	if n == nil {
		return civil.Date{}, nil
	}
	text := n.str()
	day, err := civil.Parse(text[:min(len(text), dateLength)])
	if err != nil || (len(text) > dateLength && text[dateLength] != 'T') {
		return civil.Date{}, errors.New("not a day")
	}
	return day, nil
}
