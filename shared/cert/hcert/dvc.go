package hcert

import (
	"strings"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/cborpull"
	"madoguchi.example/shared/cert/vaccine"
)

// documentPassport is the type of a passport number (HL7 v2 table 0203).
const documentPassport = "PPN"

// readDVC reads a WHO vaccination certificate: the map itself, or an array of one. Texts are
// bounded by the message alone, for the model states no lengths.
func (d *document) readDVC(r *cborpull.Reader) {
	if r.Kind() != cborpull.List {
		d.readHolder(r)
		return
	}
	n := 0
	for a := r.Array(); a.Next(); n++ {
		if a.Len != 1 {
			r.Fault("%d contents", a.Len)
			return
		}
		d.readHolder(r)
	}
	if n == 0 {
		r.Fault("no content")
	}
}

func (d *document) readHolder(r *cborpull.Reader) {
	c := &d.certificate
	c.Content = cert.Vaccination
	var name, birth bool
	var document, kind string
	for m := r.Map(); m.Next(); {
		switch m.Key.Text {
		case "n":
			name = true
			c.HolderRaw = strings.TrimSpace(r.Text())
		case "dob":
			birth = true
			d.readBirth(r)
		case "s":
			c.Sex = sexOf(d.optional(r))
		case "nid":
			document = d.optional(r)
		case "ndt":
			kind = d.optional(r)
		case "v":
			d.readDoses(r)
		case "gn", "ntl":
			d.optional(r)
		default:
			d.find(UnknownMember)
		}
	}
	if !name || !birth || len(c.Doses) == 0 {
		r.Fault("n, dob or v is missing")
	}
	if kind == documentPassport {
		c.TravelDocument = document
	}
}

// optional reads a text that may be null.
func (d *document) optional(r *cborpull.Reader) string {
	if d.null(r) {
		return ""
	}
	return r.Text()
}

func sexOf(text string) string {
	switch strings.ToLower(text) {
	case "m", "male":
		return "M"
	case "f", "female":
		return "F"
	case "x", "other":
		return "X"
	}
	return ""
}

// readDoses reads one vaccination, or an array of them.
func (d *document) readDoses(r *cborpull.Reader) {
	if r.Kind() != cborpull.List {
		d.readDose(r)
		return
	}
	for a := r.Array(); a.Next(); {
		if a.Len > maxDoses {
			r.Fault("more than %d vaccinations", maxDoses)
			return
		}
		d.readDose(r)
	}
}

func (d *document) readDose(r *cborpull.Reader) {
	var dose cert.Dose
	var authority string
	for m := r.Map(); m.Next(); {
		switch m.Key.Text {
		case "tg":
			dose.Disease = r.Text()
		case "vp":
			dose.Code = r.Text()
		case "mp":
			dose.Product = d.optional(r)
		case "ma":
			dose.Manufacturer = d.optional(r)
		case "bo":
			dose.Lot = d.optional(r)
		case "dn":
			dose.Number = d.readDoseNumber(r)
		case "dt":
			dose.On = d.readDay(r)
		case "cn":
			dose.Performer = d.optional(r)
		case "is":
			authority = d.optional(r)
		case "vls":
			d.readPeriod(r, &d.from)
		case "vle":
			d.readPeriod(r, &d.to)
		case "mid":
			d.optional(r)
		default:
			d.find(UnknownMember)
		}
	}
	if dose.Code == "" || dose.On.IsZero() {
		r.Fault("a vaccination without vp or dt")
	}
	if dose.Lot == "" || (authority == "" && dose.Performer == "") {
		d.find(MissingMember)
	}
	dose.CodeSystem = systemOf(dose.Code)
	d.authority = authority
	d.certificate.Doses = append(d.certificate.Doses, dose)
}

func (d *document) readDoseNumber(r *cborpull.Reader) int {
	if r.Kind() == cborpull.Integer {
		return positive(r)
	}
	return doseNumber(d.optional(r))
}

// readPeriod reads an end of the days for which a vaccination counts.
func (d *document) readPeriod(r *cborpull.Reader, p *period) {
	if !d.null(r) {
		p.day = d.readDay(r)
	}
}

// systemOf tells of which list a vaccine's code is.
func systemOf(code string) cert.CodeSystem {
	const shortestSNOMED = 6
	switch {
	case strings.HasPrefix(code, "XM"):
		return cert.ICD11
	case len(code) >= shortestSNOMED && strings.Trim(code, "0123456789") == "":
		return cert.SNOMED
	}
	if _, ok := vaccine.ByEU(code); ok {
		return cert.EU
	}
	return cert.Unlisted
}
