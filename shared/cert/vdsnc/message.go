package vdsnc

import (
	"slices"
	"strings"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/internal/jsonpull"
)

// message is what a document claims.
type message struct {
	kind     string // hdr.t
	state    string // hdr.is
	id       string // uvci or utci
	holder   holder
	doses    []cert.Dose
	test     cert.TestResult
	findings []cert.Finding
}

type holder struct {
	name      string
	birth     civil.Date
	birthText string
	document  string // number of the travel document
	kind      string // of the document that a test names
	sex       string
}

func (m *message) find(f cert.Finding) {
	if !slices.Contains(m.findings, f) {
		m.findings = append(m.findings, f)
	}
}

// read reads msg by the kind of the document.
func (m *message) read(r *jsonpull.Reader) {
	if m.kind == typeTest {
		m.readTest(r)
		return
	}
	m.readVaccination(r)
}

func (m *message) readVaccination(r *jsonpull.Reader) {
	for o := r.Object(); o.Next(); {
		switch o.Name {
		case "uvci":
			m.id = r.Text()
		case "pid":
			m.readHolder(r)
		case "ve":
			for a := r.Array(); a.Next(); {
				if a.Index >= maxEvents {
					r.Fault("more than %d vaccination events", maxEvents)
				}
				m.readEvent(r)
			}
		default:
			m.find(UnknownMember)
		}
	}
	switch {
	case m.id == "":
		r.Fault("no uvci")
	case m.holder.name == "":
		r.Fault("pid lacks n")
	case m.holder.document == "" && m.holder.birth.IsZero() && m.holder.birthText == "":
		r.Fault("pid has neither i nor dob")
	case len(m.doses) == 0:
		r.Fault("no vaccination")
	}
}

func (m *message) readHolder(r *jsonpull.Reader) {
	h := &m.holder
	for o := r.Object(); o.Next(); {
		switch o.Name {
		case "n":
			h.name = strings.TrimSpace(r.Text())
		case "dob":
			m.readBirth(r)
		case "i", "dn":
			h.document = r.Text()
		case "dt":
			h.kind = r.Text()
		case "sex":
			if h.sex = r.Text(); h.sex != "M" && h.sex != "F" && h.sex != "X" {
				m.find(SexCode)
			}
		case "ai":
			r.Text()
		default:
			m.find(UnknownMember)
		}
	}
}

// readBirth also takes a year or a year and a month, which some people have alone.
func (m *message) readBirth(r *jsonpull.Reader) {
	const yearOnly, monthOnly = len("YYYY"), len("YYYY-MM")
	text := r.Text()
	if len(text) != yearOnly && len(text) != monthOnly {
		m.holder.birth = parseDay(r, text)
		return
	}
	parseDay(r, text+"-01-01"[:len("YYYY-MM-DD")-len(text)])
	m.holder.birthText = text
	m.find(cert.PartialDate)
}

func parseDay(r *jsonpull.Reader, text string) civil.Date {
	day, err := civil.Parse(text)
	if err != nil {
		r.Fault("not a date")
	}
	return day
}

// readEvent reads one item of ve: a product and the doses of it.
func (m *message) readEvent(r *jsonpull.Reader) {
	product := cert.Dose{CodeSystem: cert.ICD11}
	first := len(m.doses)
	for o := r.Object(); o.Next(); {
		switch o.Name {
		case "des":
			product.Code = r.Text()
		case "nam":
			product.Product = r.Text()
		case "dis":
			product.Disease = r.Text()
		case "vd":
			for a := r.Array(); a.Next(); {
				m.readDose(r)
			}
		default:
			m.find(UnknownMember)
		}
	}
	if product.Code == "" {
		r.Fault("a vaccination event without des")
	}
	if product.Product == "" {
		m.find(MissingMember)
	}
	if len(m.doses) == first {
		r.Fault("a vaccination event without vd")
	}
	for i := first; i < len(m.doses); i++ {
		d := &m.doses[i]
		d.Code, d.CodeSystem, d.Product, d.Disease = product.Code, product.CodeSystem, product.Product, product.Disease
	}
}

func (m *message) readDose(r *jsonpull.Reader) {
	var d cert.Dose
	for o := r.Object(); o.Next(); {
		switch o.Name {
		case "dvc":
			d.On = parseDay(r, r.Text())
		case "seq":
			n := r.Int()
			if n < 1 || n > maxSequence {
				r.Fault("seq is not 1 to %d", maxSequence)
			}
			d.Number = int(n)
		case "ctr":
			d.Country = r.Text()
		case "adm":
			d.Performer = r.Text()
		case "lot":
			d.Lot = r.Text()
		case "dvn":
			parseDay(r, r.Text())
		default:
			m.find(UnknownMember)
		}
	}
	if d.On.IsZero() || d.Number == 0 {
		r.Fault("a vaccination without dvc or seq")
	}
	if d.Country == "" || d.Performer == "" || d.Lot == "" {
		m.find(MissingMember)
	}
	m.addDose(r, d)
}

func (m *message) addDose(r *jsonpull.Reader, d cert.Dose) {
	const usual = 4
	if len(m.doses) >= maxDoses {
		r.Fault("more than %d vaccinations", maxDoses)
		return
	}
	if m.doses == nil {
		m.doses = make([]cert.Dose, 0, usual)
	}
	m.doses = append(m.doses, d)
}

func (m *message) readTest(r *jsonpull.Reader) {
	for o := r.Object(); o.Next(); {
		switch o.Name {
		case "utci":
			m.id = r.Text()
		case "pid":
			m.readHolder(r)
		case "sp":
			m.readProvider(r)
		case "dat":
			m.readTimes(r)
		case "tr":
			m.readResult(r)
		case "opt":
			r.Skip()
		default:
			m.find(UnknownMember)
		}
	}
	switch {
	case m.id == "":
		r.Fault("no utci")
	case m.holder.name == "" || m.holder.document == "" || (m.holder.birth.IsZero() && m.holder.birthText == ""):
		r.Fault("pid lacks n, dob or dn")
	case m.test.Kind == "":
		r.Fault("no test result")
	case m.test.Sampled.IsZero():
		r.Fault("no time of the sample")
	}
	m.find(cert.NoVaccination)
}

func (m *message) readProvider(r *jsonpull.Reader) {
	for o := r.Object(); o.Next(); {
		switch o.Name {
		case "spn":
			m.test.Centre = r.Text()
		case "ctr":
			m.test.Country = r.Text()
		}
	}
}

func (m *message) readTimes(r *jsonpull.Reader) {
	for o := r.Object(); o.Next(); {
		if o.Name != "sc" && o.Name != "ri" {
			m.find(UnknownMember)
			continue
		}
		at, err := time.Parse(time.RFC3339, r.Text())
		if err != nil {
			r.Fault("not a time of RFC 3339")
		}
		if o.Name == "sc" {
			m.test.Sampled = at
		}
	}
}

// readResult takes whatever is not said to be negative for a finding of the disease.
func (m *message) readResult(r *jsonpull.Reader) {
	var result string
	for o := r.Object(); o.Next(); {
		switch o.Name {
		case "tc":
			m.test.Kind = r.Text()
		case "r":
			result = r.Text()
		case "m":
			r.Text()
		default:
			m.find(UnknownMember)
		}
	}
	negative := strings.EqualFold(result, "negative")
	if m.test.Detected = !negative; !negative && !strings.EqualFold(result, "positive") {
		m.find(TestResultOther)
	}
}

// certificate gives the claims in neutral words.
func (m *message) certificate() *cert.Certificate {
	c := &cert.Certificate{
		Format: Format, Content: cert.Vaccination, Issuer: m.state, ID: m.id,
		Holder: m.holder.parts(), HolderRaw: m.holder.name,
		BirthDate: m.holder.birth, BirthText: m.holder.birthText,
		Sex: m.holder.sex, TravelDocument: m.holder.document, Doses: m.doses,
	}
	if m.kind == typeTest {
		c.Content, c.Tests = cert.Test, []cert.TestResult{m.test}
		if m.holder.kind != "P" {
			c.TravelDocument = ""
		}
	}
	return c
}

// parts gives the name in two where the issuer wrote so: two blanks stand for the two
// fillers between primary and secondary identifier (Doc 9303-3 section 4.6). With one blank
// nobody can tell where the family name ends, and the holder's text alone is given.
func (h *holder) parts() identity.PersonName {
	family, given, ok := strings.Cut(h.name, "  ")
	if !ok {
		return identity.PersonName{}
	}
	return identity.PersonName{FamilyLatin: strings.TrimSpace(family), GivenLatin: strings.TrimSpace(given)}
}
