package issuance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/civil"
)

// Names of the systems in a bundle. The first two end in a municipality's code.
const (
	residentSystem = "urn:madoguchi:resident:"
	recordSystem   = "urn:madoguchi:vaccination:"
	cvxSystem      = "http://hl7.org/fhir/sid/cvx"
)

// Limits of a bundle, beside those of every import file.
const (
	maxEntryBytes = importing.MaxRowBytes
	maxJSONDepth  = 24
	maxPatients   = importing.MaxRows
)

// fhirPaths name the columns within an entry.
var fhirPaths = map[string]string{
	"record_ref": "resource.identifier", "resident_ref": "resource.patient", "municipality_code": "resource.patient",
	"vaccine_code": "resource.vaccineCode", "product": "resource.vaccineCode.text", "manufacturer": "resource.manufacturer",
	"lot": "resource.lotNumber", "dose_number": "resource.protocolApplied", "given_on": "resource.occurrenceDateTime",
	"performer": "resource.performer", "country": "resource.extension", "act": "resource.status", "corrected_on": "resource.meta.lastUpdated",
	"resource": "resource",
}

// besides are resources that stand in bundles beside immunizations and say nothing that is
// stored.
var besides = []string{"Practitioner", "PractitionerRole", "Organization", "Location", "Provenance", "MessageHeader", "Composition"}

// bundleTypes are the types of bundles that bring resources as they are.
var bundleTypes = []string{"collection", "batch", "transaction", "searchset", "document", "message"}

// node is a JSON object, with the names of its members as they are written.
type node = map[string]any

// bundle is a bundle while it is read: what it keeps of an entry is small.
type bundle struct {
	timestamp string
	patients  map[string]patientRef // by fullUrl, and by "Patient/ID"
	shots     []shot
}

type patientRef struct{ municipality, resident string }

type shot struct {
	importing.Cells
	patient string // the reference, "" where the resource names the patient itself
	office  string // the municipality whose number of the record it is, "" where the number does not say
}

// readBundle takes a FHIR R4 bundle apart: Patient resources with an identifier of the
// system "urn:madoguchi:resident:<municipality_code>", and Immunization resources that
// refer to them or carry that identifier. It is strict where two readers could see two
// things: names that stand twice, text behind the bundle, modifiers that it does not know.
// Members that it does not know are left alone.
func readBundle(text []byte, yield func(importing.Cells)) (line int, err error) {
	b := bundle{patients: map[string]patientRef{}}
	r := &bundleReader{text: text, d: json.NewDecoder(bytes.NewReader(text)), line: 1}
	r.d.UseNumber()
	top, err := r.top(b.entry)
	if err != nil {
		return r.lineAt(r.d.InputOffset()), err
	}
	switch kind, _ := top["resourceType"].(string); {
	case kind != "Bundle":
		return 1, errors.New("resourceType is not Bundle")
	case !slices.Contains(bundleTypes, str(top, "type")):
		return 1, errors.New("not a type of bundle that brings records")
	case top["implicitRules"] != nil || top["modifierExtension"] != nil:
		return 1, errors.New("the bundle has rules of its own, which are not known")
	}
	b.timestamp = str(top, "timestamp")
	for _, s := range b.shots {
		yield(b.resolve(s))
	}
	return 0, nil
}

// resolve puts in whom an immunization is about.
func (b *bundle) resolve(s shot) importing.Cells {
	if s.Nothing || s.Faults != nil {
		return s.Cells
	}
	if s.patient != "" {
		p, ok := b.patients[s.patient]
		if !ok {
			s.Faults = map[string]string{"resident_ref": "refers to no patient of this bundle with a resident's identifier"}
			return s.Cells
		}
		s.Values["municipality_code"], s.Values["resident_ref"] = p.municipality, p.resident
	}
	if s.office != "" && s.office != s.Values["municipality_code"] {
		s.Faults = map[string]string{"record_ref": "the number is another municipality's than the resident"}
	}
	if s.Values["act"] == string(Void) && s.Values["corrected_on"] == "" {
		s.Values["corrected_on"] = day(b.timestamp)
	}
	return s.Cells
}

// entry takes one entry in. An error refuses the whole bundle.
func (b *bundle) entry(index, line int, value any) error {
	e, _ := value.(node)
	resource, ok := e["resource"].(node)
	if !ok {
		return fmt.Errorf("entry[%d] has no resource", index)
	}
	place := "entry[" + strconv.Itoa(index) + "]"
	switch kind := str(resource, "resourceType"); {
	case kind == "Patient":
		return b.patient(e, resource)
	case kind == "Immunization":
		s := readShot(resource, line, place)
		if !keeps(e) {
			s.Faults = map[string]string{"resource": "the entry asks for something else than to keep it"}
		}
		b.shots = append(b.shots, s)
	case !slices.Contains(besides, kind):
		b.shots = append(b.shots, shot{Cells: importing.Cells{Line: line, Place: place,
			Faults: map[string]string{"resource": "resourceType is neither Immunization nor Patient"}}})
	}
	return nil
}

// keeps tells whether an entry, of a batch too, says that its resource is so.
func keeps(e node) bool {
	if e["request"] == nil {
		return true
	}
	request, _ := e["request"].(node)
	method := str(request, "method")
	return method == "PUT" || method == "POST"
}

// modified tells whether a resource says that it means something else, in a way that is
// not known here.
func modified(resource node) bool {
	return resource["modifierExtension"] != nil || resource["implicitRules"] != nil
}

func (b *bundle) patient(e, resource node) error {
	if len(b.patients) > 2*maxPatients {
		return errors.New("more patients than a file may have")
	}
	p, ok := resident(resource["identifier"])
	if !ok || modified(resource) {
		return nil // whoever refers to it is told
	}
	for _, name := range []string{str(e, "fullUrl"), "Patient/" + str(resource, "id")} {
		if name == "" || name == "Patient/" {
			continue
		}
		if before, twice := b.patients[name]; twice && before != p {
			return errors.New("two patients stand under one address")
		}
		b.patients[name] = p
	}
	return nil
}

// resident finds the identifier of a resident among those of a patient.
func resident(identifiers any) (patientRef, bool) {
	for _, id := range nodes(identifiers) {
		if code, ok := strings.CutPrefix(str(id, "system"), residentSystem); ok {
			return patientRef{code, str(id, "value")}, true
		}
	}
	return patientRef{}, false
}

// readShot makes a row of an Immunization.
func readShot(i node, line int, place string) shot {
	s := shot{Cells: importing.Cells{Line: line, Place: place, Values: map[string]string{}}}
	fault := func(column, reason string) {
		if s.Faults == nil {
			s.Faults = map[string]string{}
		}
		s.Faults[column] = reason
	}
	if modified(i) {
		fault("resource", "has a modifier that is not known")
	}
	if weak, said := i["isSubpotent"]; said && weak != false {
		fault("resource", "the dose was too weak to count")
	}
	switch str(i, "status") {
	case "not-done":
		s.Nothing = true
		return s
	case "completed":
		s.Values["act"] = string(added)
	case "entered-in-error":
		s.Values["act"] = string(Void)
	default:
		fault("act", "not completed, entered-in-error or not-done")
	}
	s.named(i, fault)
	if s.Values["act"] == string(Void) {
		meta, _ := i["meta"].(node)
		s.Values["corrected_on"], s.Values["reason"] = day(firstOf(str(meta, "lastUpdated"), str(i, "recorded"))), "entered-in-error"
		return s
	}
	s.given(i, fault)
	return s
}

// named reads which record it is and whom it is about.
func (s *shot) named(i node, fault func(column, reason string)) {
	if p, ok := i["patient"].(node); ok {
		s.patient = str(p, "reference")
		if id, ok := resident([]any{p["identifier"]}); ok {
			s.patient, s.Values["municipality_code"], s.Values["resident_ref"] = "", id.municipality, id.resident
		} else if s.patient == "" {
			fault("resident_ref", "names no patient")
		}
	} else {
		fault("resident_ref", "names no patient")
	}
	ids := nodes(i["identifier"])
	own := slices.IndexFunc(ids, func(id node) bool { return strings.HasPrefix(str(id, "system"), recordSystem) })
	switch {
	case own >= 0:
		s.Values["record_ref"] = str(ids[own], "value")
		s.office = strings.TrimPrefix(str(ids[own], "system"), recordSystem)
	case len(ids) == 1:
		s.Values["record_ref"] = str(ids[0], "value")
	default:
		fault("record_ref", "the office's number of the record is not there, or not the only identifier")
	}
}

// given reads what was given, when and by whom.
func (s *shot) given(i node, fault func(column, reason string)) {
	code, _ := i["vaccineCode"].(node)
	product := str(code, "text")
	for _, c := range nodes(code["coding"]) {
		if str(c, "system") != cvxSystem {
			continue
		}
		if before := s.Values["vaccine_code"]; before != "" && before != str(c, "code") {
			fault("vaccine_code", "two CVX codes that differ")
		}
		s.Values["vaccine_code"] = str(c, "code")
		product = firstOf(product, str(c, "display"))
	}
	if s.Values["vaccine_code"] == "" {
		fault("vaccine_code", "no code of the CVX list")
	} else if p, ok := named(s.Values["vaccine_code"]); ok {
		product = firstOf(product, p)
	}
	s.Values["product"], s.Values["lot"], s.Values["country"] = product, str(i, "lotNumber"), issuingState
	manufacturer, _ := i["manufacturer"].(node)
	s.Values["manufacturer"] = str(manufacturer, "display")
	if performers := nodes(i["performer"]); len(performers) > 0 {
		actor, _ := performers[0]["actor"].(node)
		s.Values["performer"] = str(actor, "display")
	}
	if s.Values["given_on"] = day(str(i, "occurrenceDateTime")); s.Values["given_on"] == "" {
		fault("given_on", "not a whole day")
	}
	if applied := nodes(i["protocolApplied"]); len(applied) == 1 {
		number, _ := applied[0]["doseNumberPositiveInt"].(json.Number)
		s.Values["dose_number"] = firstOf(string(number), str(applied[0], "doseNumberString"))
	} else {
		fault("dose_number", "not exactly one protocol with the number of the dose")
	}
}

// named gives a product's Japanese name.
func named(cvx string) (string, bool) {
	p, ok := product(cert.Dose{Code: cvx})
	return p.Names.Ja, ok
}

// day gives the day in Japan of a FHIR date or dateTime, "" for one that is partial or none.
func day(text string) string {
	if d, err := civil.Parse(text); err == nil {
		return d.String()
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return civil.In(at).String()
	}
	return ""
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// str gives a member that is a text, "" for every other.
func str(n node, name string) string {
	s, _ := n[name].(string)
	return s
}

// nodes gives the objects of an array.
func nodes(value any) []node {
	list, _ := value.([]any)
	var out []node
	for _, v := range list {
		if n, ok := v.(node); ok {
			out = append(out, n)
		}
	}
	return out
}
