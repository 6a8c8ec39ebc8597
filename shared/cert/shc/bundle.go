package shc

import (
	"strings"
	"unicode"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/internal/jsonpull"
)

// holder is the card's Patient.
type holder struct {
	seen    bool
	fullURL string
	family  string
	given   []string
	text    string // name.text, where there are no parts
	birth   civil.Date
}

func (h *holder) raw() string {
	if name := strings.TrimSpace(h.family + " " + strings.Join(h.given, " ")); name != "" {
		return name
	}
	return h.text
}

func (h *holder) nameless() bool {
	return h.family == "" && h.text == "" && strings.Join(h.given, "") == ""
}

// name sorts the parts by script: the format does not say which it is.
func (h *holder) name() identity.PersonName {
	given := strings.Join(h.given, " ")
	switch all := h.family + given; {
	case has(all, unicode.Han):
		return identity.PersonName{FamilyKanji: h.family, GivenKanji: given}
	case has(all, unicode.Hiragana, unicode.Katakana):
		return identity.PersonName{FamilyKana: h.family, GivenKana: given}
	default:
		return identity.PersonName{FamilyLatin: h.family, GivenLatin: given}
	}
}

func has(s string, scripts ...*unicode.RangeTable) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return unicode.In(c, scripts...) })
}

// readBundle reads a FHIR bundle. A bundle without exactly one Patient, or with an
// Immunization that is not a completed vaccination on one date, is refused.
func (p *payload) readBundle(r *jsonpull.Reader) {
	var kind, form string
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "resourceType":
			kind = r.Text()
		case "type":
			form = r.Text()
		case "entry":
			for a := r.Array(); a.Next(); {
				if a.Index >= maxEntries {
					r.Fault("more than %d entries", maxEntries)
					continue
				}
				p.readEntry(r, a.Index)
			}
		default:
			p.common(r, m.Name)
		}
	}
	if kind != "Bundle" {
		r.Fault("not a Bundle")
	}
	if form != "collection" {
		p.find(BundleType)
	}
	p.closeBundle(r)
}

func (p *payload) closeBundle(r *jsonpull.Reader) {
	if !p.holder.seen {
		r.Fault("no Patient")
	}
	if len(p.doses) > 0 && (p.apart || p.reference != p.holder.fullURL) {
		p.find(PatientReference)
	}
	if len(p.doses) == 0 {
		p.find(cert.NoVaccination)
	}
	if p.holder.nameless() {
		p.find(cert.NoHolderName)
	}
}

func (p *payload) readEntry(r *jsonpull.Reader, i int) {
	var url string
	var resource, patient bool
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "fullUrl":
			url = r.Text()
		case "resource":
			resource = true
			switch resourceType(r) {
			case "Patient":
				patient = true
				p.readPatient(r)
			case "Immunization":
				p.readImmunization(r)
			case "":
				r.Fault("a resource without type")
			default:
				p.find(OtherResource)
				p.readOther(r)
			}
		}
	}
	if !resource {
		r.Fault("an entry without resource")
	}
	if patient {
		p.holder.fullURL = url
	}
	if patient != (i == 0) {
		p.findOrder(i)
	}
	if !isResourceURL(url, i) {
		p.find(FullURLForm)
	}
}

// findOrder remarks a first entry that is no Patient; a later Patient follows from it.
func (p *payload) findOrder(i int) {
	if i == 0 {
		p.find(PatientNotFirst)
	}
}

func isResourceURL(url string, i int) bool {
	digits, ok := strings.CutPrefix(url, "resource:")
	if !ok || digits == "" || (len(digits) > 1 && digits[0] == '0') {
		return false
	}
	n := 0
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' || n > maxEntries {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n == i
}

// resourceType looks ahead: the type may stand anywhere in the resource.
func resourceType(r *jsonpull.Reader) string {
	ahead := r.Fork()
	kind := ""
	for m := ahead.Object(); m.Next(); {
		if m.Name == "resourceType" {
			kind = ahead.Text()
			break
		}
	}
	return kind
}

// common checks a member that every resource may have. It tells whether it was one.
func (p *payload) common(r *jsonpull.Reader, name string) bool {
	switch name {
	case "resourceType":
	case "id":
		p.find(ResourceID)
	case "text":
		p.find(ResourceText)
	case "meta":
		for m := r.Object(); m.Next(); {
			if m.Name != "security" {
				p.find(MetaNotSecurity)
			}
		}
	default:
		return false
	}
	return true
}

func (p *payload) readPatient(r *jsonpull.Reader) {
	if p.holder.seen {
		r.Fault("more than one Patient")
	}
	p.holder.seen = true
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "name":
			for a := r.Array(); a.Next(); {
				if a.Index == 0 {
					p.holder.readName(r)
				}
			}
		case "birthDate":
			p.holder.birth = p.readDate(r)
		default:
			if !p.common(r, m.Name) {
				p.find(NotMinimal)
				p.sweep(r, m.Name)
			}
		}
	}
}

func (h *holder) readName(r *jsonpull.Reader) {
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "family":
			h.family = r.Text()
		case "text":
			h.text = r.Text()
		case "given":
			for a := r.Array(); a.Next(); {
				if a.Index == 0 {
					h.given = make([]string, 0, 2)
				}
				h.given = append(h.given, r.Text())
			}
		}
	}
}

// readImmunization adds a dose.
func (p *payload) readImmunization(r *jsonpull.Reader) {
	d := cert.Dose{Number: len(p.doses) + 1}
	var status, reference string
	occurrences, coded := 0, false
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "status":
			status = r.Text()
		case "vaccineCode":
			coded = p.readVaccine(r, &d)
		case "patient":
			reference = readReference(r)
		case "occurrenceDateTime":
			occurrences++
			d.On = p.readDate(r)
		case "occurrenceString":
			occurrences++
			r.Fault("an Immunization with its date in words")
		case "lotNumber":
			d.Lot = r.Text()
		case "manufacturer":
			d.Manufacturer = readManufacturer(r)
		case "performer":
			d.Performer = p.readPerformer(r)
		default:
			if !p.common(r, m.Name) {
				p.find(NotMinimal)
				p.sweep(r, m.Name)
			}
		}
	}
	switch {
	case status != "completed":
		r.Fault("an Immunization whose status is not completed")
	case occurrences != 1:
		r.Fault("an Immunization without exactly one occurrence")
	case !coded:
		r.Fault("an Immunization without vaccine code")
	case len(p.doses) >= maxDoses:
		r.Fault("more than %d vaccinations", maxDoses)
	}
	p.addDose(d, reference)
}

// addDose keeps a dose, and whether all of them refer to one resource: which one that has
// to be is known at the bundle's end.
func (p *payload) addDose(d cert.Dose, reference string) {
	if p.doses == nil {
		p.doses = make([]cert.Dose, 0, 4)
		p.reference = reference
	}
	p.apart = p.apart || reference != p.reference
	p.doses = append(p.doses, d)
}

// readVaccine takes the CVX code, else the first, and tells whether there is one.
func (p *payload) readVaccine(r *jsonpull.Reader, d *cert.Dose) bool {
	var cvx bool
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "coding":
			for a := r.Array(); a.Next(); {
				system, code := p.readCoding(r)
				if system == systemCVX && code != "" && !cvx {
					cvx, d.Code = true, code
				}
				if d.Code == "" {
					d.Code = code
				}
			}
		case "text":
			p.find(ConceptText)
		}
	}
	if !cvx {
		p.find(CodeNotCVX)
	}
	return d.Code != ""
}

func (p *payload) readCoding(r *jsonpull.Reader) (system, code string) {
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "system":
			system = r.Text()
		case "code":
			code = r.Text()
		case "display":
			p.find(CodingDisplay)
		}
	}
	return system, code
}

func readReference(r *jsonpull.Reader) (reference string) {
	for m := r.Object(); m.Next(); {
		if m.Name == "reference" {
			reference = r.Text()
		}
	}
	return reference
}

func readManufacturer(r *jsonpull.Reader) (value string) {
	for m := r.Object(); m.Next(); {
		if m.Name != "identifier" {
			continue
		}
		for m := r.Object(); m.Next(); {
			if m.Name == "value" {
				value = r.Text()
			}
		}
	}
	return value
}

// readPerformer gives the first performer's display name.
func (p *payload) readPerformer(r *jsonpull.Reader) (display string) {
	for a := r.Array(); a.Next(); {
		for m := r.Object(); m.Next(); {
			if m.Name != "actor" {
				continue
			}
			for m := r.Object(); m.Next(); {
				if m.Name == "display" && a.Index == 0 {
					display = r.Text()
				}
			}
		}
	}
	return display
}

// readDate reads a FHIR date or dateTime. One without day is no date, with a finding.
func (p *payload) readDate(r *jsonpull.Reader) civil.Date {
	text := r.Text()
	day := text[:min(len(text), len("YYYY-MM-DD"))]
	if len(day) < len("YYYY-MM-DD") {
		if _, err := civil.Parse((day + "-01-01")[:min(len(day)+len("-01-01"), len("YYYY-MM-DD"))]); err != nil || (len(day) != 4 && len(day) != 7) {
			r.Fault("not a date")
		}
		p.find(cert.PartialDate)
		return civil.Date{}
	}
	d, err := civil.Parse(day)
	if err != nil || (len(text) > len(day) && text[len(day)] != 'T') {
		r.Fault("not a date")
	}
	return d
}

// readOther checks a resource of another type for what no card may have.
func (p *payload) readOther(r *jsonpull.Reader) {
	for m := r.Object(); m.Next(); {
		if !p.common(r, m.Name) {
			p.sweep(r, m.Name)
		}
	}
}

// sweep passes over the value of the member called name and remarks
// CodeableConcept.text and Coding.display in it.
func (p *payload) sweep(r *jsonpull.Reader, name string) {
	switch r.Kind() {
	case jsonpull.Array:
		for a := r.Array(); a.Next(); {
			p.sweep(r, name)
		}
	case jsonpull.Object:
		var concept, text bool
		for m := r.Object(); m.Next(); {
			switch m.Name {
			case "coding":
				concept = true
			case "text":
				text = true
			case "display":
				if name == "coding" {
					p.find(CodingDisplay)
				}
			}
			p.sweep(r, m.Name)
		}
		if concept && text {
			p.find(ConceptText)
		}
	}
}
