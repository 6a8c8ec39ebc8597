package fhirpayer

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Systems and forms of JP Core 1.2 and CLINS.
const (
	systemMember  = "http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID"
	systemInsurer = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/InsurerNumber"
	systemURI     = "urn:ietf:rfc:3986"
	extensions    = "http://jpfhir.jp/fhir/core/Extension/StructureDefinition/JP_Coverage_InsuredPerson"
)

var (
	memberForm  = regexp.MustCompile(`^([0-9]{8}):([^:\s　]*):([^:\s　]+):(|[0-9]{2})$`)
	insurerForm = regexp.MustCompile(`^[0-9]{8}$`)
	uuidForm    = regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	halfForm    = regexp.MustCompile(`^[!-~｡-ﾟ]*$`)
)

// question is one request that was read.
type question struct {
	identifier string
	member     string
	insurer    string
	symbol     string
	number     string
	branch     string
	birth      string
	day        string
	benefits   bool
}

// reader walks a document and remembers the first place that is wrong.
type reader struct{ wrong string }

func (r *reader) fail(place string) {
	if r.wrong == "" {
		r.wrong = place
	}
}

// only gives the object, whose members must be among these.
func (r *reader) only(v any, place string, names ...string) object {
	o, ok := v.(object)
	if !ok {
		r.fail(place)
		return object{}
	}
	for name := range o {
		if !slices.Contains(names, name) {
			r.fail(place + "." + name)
		}
	}
	return o
}

func (r *reader) text(o object, name, place string) string {
	s, ok := o[name].(string)
	if !ok || strings.TrimSpace(s) != s || s == "" {
		r.fail(place + "." + name)
	}
	return s
}

func (r *reader) list(o object, name, place string, least, most int) []any {
	l, ok := o[name].([]any)
	if !ok && o[name] == nil && least == 0 {
		return nil
	}
	if !ok || len(l) < least || len(l) > most {
		r.fail(place + "." + name)
		return make([]any, least)
	}
	return l
}

func (r *reader) that(holds bool, place string) {
	if !holds {
		r.fail(place)
	}
}

// identifier gives the value of the one identifier, which must be of the system.
func (r *reader) identifier(o object, place, system string) string {
	place += ".identifier"
	one := r.only(r.list(o, "identifier", strings.TrimSuffix(place, ".identifier"), 1, 1)[0], place, "system", "value")
	r.that(r.text(one, "system", place) == system, place+".system")
	return r.text(one, "value", place)
}

// inside gives the contained resource of the type that the member refers to.
func (r *reader) inside(all []any, o object, name, place, kind string) object {
	ref := r.only(o[name], place+"."+name, "reference")
	id, ok := strings.CutPrefix(r.text(ref, "reference", place+"."+name), "#")
	for _, one := range all {
		if c, isObject := one.(object); ok && isObject && c["id"] == id && c["resourceType"] == kind {
			return c
		}
	}
	r.fail(place + "." + name)
	return object{}
}

// parse reads a request; place is the first thing that is wrong, "" for none.
func parse(raw []byte) (q question, place string) {
	d := json.NewDecoder(bytes.NewReader(raw))
	var doc any
	if err := d.Decode(&doc); err != nil {
		return q, "body"
	}
	if _, err := d.Token(); err != io.EOF {
		return q, "body"
	}
	const at = "CoverageEligibilityRequest"
	r := &reader{}
	o := r.only(doc, at, "resourceType", "contained", "identifier", "status", "purpose", "patient", "servicedDate", "created", "insurer", "insurance")
	r.that(o["resourceType"] == at, at+".resourceType")
	r.that(o["status"] == "active", at+".status")
	q.identifier = r.identifier(o, at, systemURI)
	r.that(uuidForm.MatchString(q.identifier), at+".identifier.value")
	for _, p := range r.list(o, "purpose", at, 1, 4) {
		r.that(p == "validation" || p == "benefits", at+".purpose")
		q.benefits = q.benefits || p == "benefits"
	}
	q.day = r.text(o, "servicedDate", at)
	r.that(isDay(q.day), at+".servicedDate")
	created := r.text(o, "created", at)
	_, err := time.Parse(time.RFC3339, created)
	r.that(err == nil || isDay(created), at+".created")
	r.people(&q, o, at)
	return q, r.wrong
}

func isDay(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil }

// people reads what is inside: the person, the insurer, the coverage.
func (r *reader) people(q *question, o object, at string) {
	all := r.list(o, "contained", at, 3, 4)
	person := r.only(r.inside(all, o, "patient", at, "Patient"), "Patient", "resourceType", "id", "birthDate")
	q.birth = r.text(person, "birthDate", "Patient")
	r.that(isDay(q.birth), "Patient.birthDate")
	insurer := r.only(r.inside(all, o, "insurer", at, "Organization"), "Organization", "resourceType", "id", "identifier", "name")
	q.insurer = r.identifier(insurer, "Organization", systemInsurer)
	r.that(insurerForm.MatchString(q.insurer), "Organization.identifier.value")

	insurance := r.only(r.list(o, "insurance", at, 1, 1)[0], at+".insurance", "focal", "coverage")
	r.that(insurance["focal"] == true, at+".insurance.focal")
	c := r.only(r.inside(all, insurance, "coverage", at+".insurance", "Coverage"), "Coverage",
		"resourceType", "id", "extension", "identifier", "status", "dependent", "beneficiary", "payor")
	r.that(c["status"] == "active", "Coverage.status")
	q.member = r.identifier(c, "Coverage", systemMember)
	parts := memberForm.FindStringSubmatch(q.member)
	if parts == nil {
		r.fail("Coverage.identifier.value")
		return
	}
	r.that(parts[1] == q.insurer, "Coverage.identifier.value")
	r.that(parts[2] == "" || halfForm.MatchString(parts[2]) == halfForm.MatchString(parts[3]), "Coverage.identifier.value")
	q.symbol, q.number, q.branch = parts[2], parts[3], parts[4]
	r.that(r.inside(all, c, "beneficiary", "Coverage", "Patient")["id"] == person["id"], "Coverage.beneficiary")
	payor := r.list(c, "payor", "Coverage", 1, 1)[0]
	r.that(r.inside(all, object{"payor": payor}, "payor", "Coverage", "Organization")["id"] == insurer["id"], "Coverage.payor")
	r.extensions(c, map[string]string{"Symbol": q.symbol, "Number": q.number, "SubNumber": q.branch})
	if q.branch != "" {
		r.that(c["dependent"] == q.branch, "Coverage.dependent")
	}
}

// extensions must say what the member id says.
func (r *reader) extensions(c object, want map[string]string) {
	told := map[string]string{}
	for _, e := range r.list(c, "extension", "Coverage", 1, 3) {
		one := r.only(e, "Coverage.extension", "url", "valueString")
		name, ok := strings.CutPrefix(r.text(one, "url", "Coverage.extension"), extensions)
		r.that(ok && want[name] != "" && told[name] == "", "Coverage.extension.url")
		told[name] = r.text(one, "valueString", "Coverage.extension")
	}
	for name, value := range want {
		r.that(told[name] == value, "Coverage.extension")
	}
}
