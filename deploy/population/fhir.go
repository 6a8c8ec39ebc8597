package population

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// FHIRFile is a bundle of FHIR R4 with what the second municipality has given to people
// who moved there: its health centre's system speaks FHIR, and vaccinations.csv lacks them.
const FHIRFile = "yamanobe-vaccinations.fhir.json"

// The systems of identifiers in the bundle; a municipality's code follows.
const (
	fhirResidents = "urn:madoguchi:resident:"
	fhirRecords   = "urn:madoguchi:vaccination:"
	fhirCVX       = "http://hl7.org/fhir/sid/cvx"
	fhirBase      = "https://yamanobe.example/fhir/"
)

// inBundle tells whether a dose stands in the bundle instead of vaccinations.csv.
func (t *Town) inBundle(p, row *person, n int) bool {
	return p.earlier != nil && row == p && row.town == t.municipalities[1] && n >= 3
}

type object = map[string]any

// shot adds a dose to the bundle, with the patient before the first.
func (t *Town) shot(p *person, n int, v product, lot string, on time.Time, performer string) {
	if t.patients == nil {
		t.patients = map[*person]bool{}
	}
	id := strings.ToLower(p.ref)
	if !t.patients[p] {
		t.patients[p] = true
		t.bundle = append(t.bundle, entry("Patient/"+id, object{
			"resourceType": "Patient", "id": id,
			"identifier": []object{{"system": fhirResidents + p.town.code, "value": p.ref}},
			"birthDate":  day(p.born),
		}))
	}
	t.records++
	ref := numbered("F", 6, t.records)
	t.bundle = append(t.bundle, entry("Immunization/"+strings.ToLower(ref), object{
		"resourceType": "Immunization", "id": strings.ToLower(ref), "status": "completed",
		"identifier":         []object{{"system": fhirRecords + p.town.code, "value": ref}},
		"patient":            object{"reference": "Patient/" + id},
		"vaccineCode":        object{"coding": []object{{"system": fhirCVX, "code": v.cvx}}, "text": v.name},
		"manufacturer":       object{"display": v.maker},
		"lotNumber":          lot,
		"occurrenceDateTime": day(on),
		"primarySource":      true,
		"performer":          []object{{"actor": object{"display": performer}}},
		"protocolApplied":    []object{{"doseNumberPositiveInt": n}},
	}))
}

func entry(path string, resource object) object {
	return object{"fullUrl": fhirBase + path, "resource": resource}
}

// fhir gives the bundle's text.
func (t *Town) fhir() ([]byte, error) {
	raw, err := json.MarshalIndent(object{"resourceType": "Bundle", "type": "collection",
		"timestamp": t.AsOf + "T00:00:00+09:00", "entry": t.bundle}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", FHIRFile, err)
	}
	return append(raw, '\n'), nil
}
