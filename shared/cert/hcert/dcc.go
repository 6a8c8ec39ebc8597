package hcert

import (
	"strings"
	"unicode/utf8"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/cborpull"
	"madoguchi.example/shared/cert/vaccine"
	"madoguchi.example/shared/identity"
)

// readDCC reads an EU certificate by the rules of its schema.
func (d *document) readDCC(r *cborpull.Reader) {
	var ver, nam, dob bool
	for m := r.Map(); m.Next(); {
		switch m.Key.Text {
		case "ver":
			ver = true
			d.version = r.Text()
		case "nam":
			nam = true
			d.readName(r)
		case "dob":
			dob = true
			d.readBirth(r)
		case "v", "t", "r":
			d.readGroup(r, m.Key.Text)
		default:
			d.find(UnknownMember)
		}
	}
	switch {
	case !ver || !isVersion(d.version):
		r.Fault("ver is not a version")
	case !nam || !dob:
		r.Fault("nam or dob is missing")
	case d.groups != 1:
		r.Fault("not exactly one of v, t and r")
	}
	if d.nulls > 0 {
		d.find(NullGroup)
	}
	if !strings.HasPrefix(d.version, "1.") && d.unsupported == "" {
		d.unsupported = "a version of the EU certificate other than 1"
	}
}

// isVersion tells whether a text is three numbers with points between.
func isVersion(text string) bool {
	numbers := strings.Split(text, ".")
	for _, n := range numbers {
		if n == "" || strings.Trim(n, "0123456789") != "" {
			return false
		}
	}
	return len(numbers) == 3
}

// readGroup reads one of v, t, r. A group that is null or empty is as one that is absent.
func (d *document) readGroup(r *cborpull.Reader, group string) {
	if r.Kind() == cborpull.Null {
		r.Null()
		d.nulls++
		return
	}
	a := r.Array()
	if a.Len == 0 {
		d.nulls++
	}
	for a.Next() {
		if d.groups++; d.groups > 1 {
			r.Fault("not exactly one entry in v, t and r")
			return
		}
		switch group {
		case "v":
			d.readVaccination(r)
		case "t":
			d.readTest(r)
		default:
			d.readRecovery(r)
		}
	}
}

func (d *document) readName(r *cborpull.Reader) {
	var fn, gn, fnt, gnt string
	standard := false
	for m := r.Map(); m.Next(); {
		if d.null(r) {
			continue
		}
		switch m.Key.Text {
		case "fn":
			fn = short(r)
		case "gn":
			gn = short(r)
		case "fnt":
			standard = true
			fnt = standardised(r)
		case "gnt":
			standard = true
			gnt = standardised(r)
		default:
			d.find(UnknownMember)
		}
	}
	if !standard {
		r.Fault("neither fnt nor gnt")
	}
	c := &d.certificate
	c.Holder = identity.PersonName{FamilyLatin: spaced(fnt), GivenLatin: spaced(gnt)}
	c.HolderRaw = joined(fn, gn)
	if c.HolderRaw == "" {
		c.HolderRaw = joined(c.Holder.FamilyLatin, c.Holder.GivenLatin)
	}
}

// spaced writes the fillers of a machine readable name as blanks.
func spaced(name string) string { return strings.TrimSpace(strings.ReplaceAll(name, "<", " ")) }

func joined(family, given string) string {
	switch {
	case family == "":
		return given
	case given == "":
		return family
	}
	return family + " " + given
}

// null passes over null in place of a member that may be absent.
func (d *document) null(r *cborpull.Reader) bool {
	if r.Kind() != cborpull.Null {
		return false
	}
	r.Null()
	d.find(NullMember)
	return true
}

// short reads a text of at most maxMember characters.
func short(r *cborpull.Reader) string {
	text := r.Text()
	if len(text) > maxMember && utf8.RuneCountInString(text) > maxMember {
		r.Fault("a text of more than %d characters", maxMember)
		return ""
	}
	return text
}

// standardised reads a name in the letters of Doc 9303.
func standardised(r *cborpull.Reader) string {
	text := short(r)
	for i := range len(text) {
		if c := text[i]; (c < 'A' || c > 'Z') && c != '<' {
			r.Fault("a standardised name outside of A to Z and <")
			return ""
		}
	}
	return text
}

// country reads a country or an organisation that has a country's place (UNHCR).
func country(r *cborpull.Reader) string {
	const longest = 10
	text := r.Text()
	if text == "" || len(text) > longest || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		r.Fault("not a country")
		return ""
	}
	return text
}

// positive reads a number from 1 on.
func positive(r *cborpull.Reader) int {
	const most = 1 << 30
	n := r.Int()
	if n < 1 || n > most {
		r.Fault("a number below 1 or beyond reason")
		return 0
	}
	return int(n)
}

// required counts the members of an entry that must be there.
type required struct{ got int }

func (q *required) text(r *cborpull.Reader) string {
	q.got++
	return r.Text()
}

func (q *required) done(r *cborpull.Reader, want int) {
	if q.got != want {
		r.Fault("an entry that lacks a member")
	}
}

// common reads the members that all entries share, and tells whether name is one of them.
func (d *document) common(r *cborpull.Reader, q *required, name string, disease, in *string) bool {
	switch name {
	case "tg":
		*disease = r.Text()
	case "co":
		*in = country(r)
	case "is":
		d.authority = short(r)
	case "ci":
		d.certificate.ID = short(r)
	default:
		return false
	}
	q.got++
	return true
}

func (d *document) readVaccination(r *cborpull.Reader) {
	const members = 10
	dose := cert.Dose{CodeSystem: cert.EU}
	var q required
	for m := r.Map(); m.Next(); {
		switch m.Key.Text {
		case "vp":
			q.text(r)
		case "mp":
			dose.Code = q.text(r)
		case "ma":
			dose.Manufacturer = q.text(r)
		case "dn":
			q.got++
			dose.Number = positive(r)
		case "sd":
			q.got++
			dose.Of = positive(r)
		case "dt":
			q.got++
			dose.On = d.readDay(r)
		default:
			if !d.common(r, &q, m.Key.Text, &dose.Disease, &dose.Country) {
				d.find(UnknownMember)
			}
		}
	}
	q.done(r, members)
	if p, ok := vaccine.ByEU(dose.Code); ok {
		dose.Product = p.Name
	}
	d.certificate.Content, d.certificate.Doses = cert.Vaccination, []cert.Dose{dose}
}

const snomedDetected = "260373001"

func (d *document) readTest(r *cborpull.Reader) {
	const members = 7
	var test cert.TestResult
	var q required
	for m := r.Map(); m.Next(); {
		switch m.Key.Text {
		case "tt":
			test.Kind = q.text(r)
		case "sc":
			q.got++
			test.Sampled = d.readMoment(r)
		case "tr":
			test.Detected = q.text(r) == snomedDetected
		case "tc":
			if !d.null(r) {
				test.Centre = short(r)
			}
		case "nm":
			if !d.null(r) {
				short(r)
			}
		case "ma":
			if !d.null(r) {
				r.Text()
			}
		default:
			if !d.common(r, &q, m.Key.Text, &test.Disease, &test.Country) {
				d.find(UnknownMember)
			}
		}
	}
	q.done(r, members)
	d.certificate.Content, d.certificate.Tests = cert.Test, []cert.TestResult{test}
}

func (d *document) readRecovery(r *cborpull.Reader) {
	const members = 7
	var recovered cert.Recovered
	var q required
	for m := r.Map(); m.Next(); {
		switch m.Key.Text {
		case "fr":
			q.got++
			recovered.FirstPositive = d.readDay(r)
		case "df":
			q.got++
			recovered.From = d.readDay(r)
		case "du":
			q.got++
			recovered.Until = d.readDay(r)
		default:
			if !d.common(r, &q, m.Key.Text, &recovered.Disease, &recovered.Country) {
				d.find(UnknownMember)
			}
		}
	}
	q.done(r, members)
	d.from, d.to = period{recovered.From}, period{recovered.Until}
	d.certificate.Content, d.certificate.Recoveries = cert.Recovery, []cert.Recovered{recovered}
}
