package issuance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
)

const patient = `{"fullUrl":"urn:uuid:p1","resource":{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:other","value":"9"},` +
	`{"system":"urn:madoguchi:resident:990019","value":"R1"}]}}`

// shot is an Immunization entry; edits replace texts in it, "from", "to".
func shot(edits ...string) string {
	return strings.NewReplacer(edits...).Replace(`{"fullUrl":"urn:uuid:i1","resource":{"resourceType":"Immunization","meta":{"lastUpdated":"2026-11-20T09:00:00+09:00"},
 "identifier":[{"system":"urn:madoguchi:vaccination:990019","value":"V1"}],"status":"completed","unknown":{"any":[1,2]},
 "vaccineCode":{"coding":[{"system":"urn:yj","code":"1"},{"system":"http://hl7.org/fhir/sid/cvx","code":"208"}],"text":"コミナティ筋注"},
 "patient":{"reference":"urn:uuid:p1"},"occurrenceDateTime":"2021-07-01T10:30:00+09:00","lotNumber":"PX0001",
 "manufacturer":{"display":"ファイザー"},"performer":[{"actor":{"display":"みなと市集団接種会場"}}],
 "protocolApplied":[{"doseNumberPositiveInt":1}]}}`)
}

func bundle(entries ...string) string {
	return `{"resourceType":"Bundle","type":"collection","timestamp":"2026-11-21T08:00:00Z","entry":[` + "\n" + strings.Join(entries, ",\n") + "\n]}"
}

func (b *bench) take(t *testing.T, text string) importing.FileReport {
	t.Helper()
	return b.Import(t, map[string]string{"clinic.fhir.json": text}, b.Importers()...).Files[0]
}

// A record is the same whether a bundle or a CSV file brought it.
func TestBundleSaysTheSameRecords(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		second := shot(`"value":"V1"`, `"value":"F2"`, `"2021-07-01T10:30:00+09:00"`, `"2022-01-31T23:30:00Z"`, `doseNumberPositiveInt":1`, `doseNumberPositiveInt":3`)
		rep := b.take(t, bundle(shot(), patient, second))
		if rep.Rows != 2 || rep.Unchanged != 1 || rep.Added != 1 || rep.Refused != 0 {
			t.Fatalf("%+v", rep)
		}
		if rep := b.take(t, bundle(patient, second, shot())); rep.Unchanged != 2 {
			t.Errorf("the same again: %+v", rep)
		}
		mother := b.Citizen(t, "990019", "R1")
		c, err := b.ask(t, mother, "key-fhir-00000000001", mother.ID, issuance.Domestic)
		if err != nil || len(c.Claims.Doses) != 3 || c.Claims.Doses[2].On.String() != "2022-02-01" {
			t.Fatalf("%+v, %v", c.Claims.Doses, err)
		}
		wrong := strings.Replace(second, `"completed"`, `"entered-in-error"`, 1)
		if rep := b.take(t, bundle(patient, wrong)); rep.Changed != 1 {
			t.Fatalf("entered in error: %+v", rep)
		}
		if v := b.verify(t, c)[shc.Format]; v.Outcome != cert.Revoked {
			t.Errorf("%s", v.Outcome)
		}
		if rep := b.take(t, bundle(patient, wrong)); rep.Unchanged != 1 {
			t.Errorf("entered in error again: %+v", rep)
		}
	})
}

func TestBundlesThatAreRefused(t *testing.T) {
	b := loaded(t, storetest.Open(t, store.SQLite))
	fresh := func(edits ...string) string { return shot(append(edits, `"value":"V1"`, `"value":"F9"`)...) }
	for name, c := range map[string]struct {
		text string
		line int
		at   string
	}{
		"not JSON":              {`{"resourceType":"Bundle",`, 1, ""},
		"a resource":            {shot(), 1, ""},
		"another resource type": {strings.Replace(bundle(patient), `"Bundle"`, `"Parameters"`, 1), 1, ""},
		"a name twice":          {bundle(patient, fresh(`"status":"completed"`, `"status":"completed","status":"not-done"`)), 3, ""},
		"text behind":           {bundle(patient) + "{}", 3, ""},
		"too deep":              {bundle(patient, fresh(`{"any":[1,2]}`, strings.Repeat("[", 40)+strings.Repeat("]", 40))), 3, ""},
		"too large":             {bundle(patient, fresh(`{"any":[1,2]}`, `"`+strings.Repeat("x", importing.MaxRowBytes)+`"`)), 3, ""},
		"an observation":        {bundle(patient, fresh(`"Immunization"`, `"Observation"`)), 3, "entry[1].resource"},
		"no such patient":       {bundle(patient, fresh(`urn:uuid:p1`, `urn:uuid:p9`)), 3, "entry[1].resource.patient"},
		"no such resident":      {bundle(strings.Replace(patient, `"R1"`, `"R99"`, 1), fresh()), 3, "entry[1].resource.patient"},
		"no CVX":                {bundle(patient, fresh(`http://hl7.org/fhir/sid/cvx`, `urn:x`)), 3, "entry[1].resource.vaccineCode"},
		"a partial day":         {bundle(patient, fresh(`2021-07-01T10:30:00+09:00`, `2021-07`)), 3, "entry[1].resource.occurrenceDateTime"},
		"a future day":          {bundle(patient, fresh(`2021-07-01T10:30:00+09:00`, `2027-07-01`)), 3, "entry[1].resource.occurrenceDateTime"},
		"no dose number":        {bundle(patient, fresh(`"doseNumberPositiveInt":1`, `"series":"1"`)), 3, "entry[1].resource.protocolApplied"},
		"an unknown status":     {bundle(patient, fresh(`"completed"`, `"maybe"`)), 3, "entry[1].resource.status"},
		"a modifier":            {bundle(patient, fresh(`"unknown"`, `"modifierExtension"`)), 3, "entry[1].resource"},
		"a My Number":           {bundle(patient, fresh(`PX0001`, `123456789018`)), 3, "entry[1].resource.lotNumber"},
		"another content":       {bundle(patient, shot(`PX0001`, `PX0008`)), 3, "entry[1].resource.identifier"},
		"a dose too small":      {bundle(patient, fresh(`"unknown"`, `"isSubpotent":true,"unknown"`)), 3, "entry[1].resource"},
		"a deletion":            {bundle(patient, strings.Replace(fresh(), `{"fullUrl"`, `{"request":{"method":"DELETE","url":"Immunization/1"},"fullUrl"`, 1)), 3, "entry[1].resource"},
		"a patient's modifier":  {bundle(strings.Replace(patient, `"id"`, `"modifierExtension":[{"url":"x"}],"id"`, 1), fresh()), 3, "entry[1].resource.patient"},
		"of another office":     {bundle(patient, fresh(`vaccination:990019`, `vaccination:990027`)), 3, "entry[1].resource.identifier"},
		"half a character":      {bundle(patient, fresh(`PX0001`, `\ud800`)), 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rep := b.take(t, c.text)
			if rep.Refused != 1 || rep.Added != 0 || len(rep.Faults) != 1 {
				t.Fatalf("%+v", rep)
			}
			f := rep.Faults[0]
			if c.at != "" && (f.Name != c.at || f.Line != c.line) || c.at == "" && f.Name != "" {
				t.Errorf("%s, want line %d at %q", f, c.line, c.at)
			}
			for _, value := range []string{"PX0008", "123456789018", "R99", "maybe", "Observation", "Parameters"} {
				if strings.Contains(f.String(), value) {
					t.Errorf("a value stands in %q", f)
				}
			}
		})
	}
}

// What stands beside in a bundle, and what was not done, is no fault and no record.
func TestBundleWithOthers(t *testing.T) {
	b := loaded(t, storetest.Open(t, store.SQLite))
	rep := b.take(t, bundle(patient, `{"resource":{"resourceType":"Organization","id":"o"}}`, shot(`"completed"`, `"not-done"`),
		shot(`"completed"`, `"entered-in-error"`, `"value":"V1"`, `"value":"NEVER"`),
		shot(`"reference":"urn:uuid:p1"`, `"identifier":{"system":"urn:madoguchi:resident:990019","value":"R1"}`)))
	if rep.Rows != 3 || rep.Unchanged != 3 || rep.Refused != 0 {
		t.Errorf("%+v", rep)
	}
}

// An entry in error takes back the record of the office and the person that it names, and no
// other that has the same number.
func TestInErrorOfAnother(t *testing.T) {
	b := loaded(t, storetest.Open(t, store.SQLite))
	mother := b.Citizen(t, "990019", "R1")
	for name, entries := range map[string][]string{
		"another municipality's number": {patient, shot(`"completed"`, `"entered-in-error"`, `vaccination:990019`, `vaccination:990027`)},
		"another person":                {strings.Replace(patient, `"R1"`, `"R2"`, 1), shot(`"completed"`, `"entered-in-error"`)},
		"nobody":                        {strings.Replace(patient, `"R1"`, `"R99"`, 1), shot(`"completed"`, `"entered-in-error"`)},
	} {
		if rep := b.take(t, bundle(entries...)); rep.Refused != 1 || rep.Changed != 0 {
			t.Errorf("%s: %+v", name, rep)
		}
	}
	if n := b.Count(t, `SELECT count(*) FROM vaccination WHERE citizen_id = $1`, mother.ID); n != 2 {
		t.Errorf("%d records are left", n)
	}
}

// A large bundle is stored in batches, and each fault names its entry.
func TestManyEntries(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite))
	entries := []string{patient}
	for i := range importing.BatchRows + 20 {
		lot := "PX0001"
		if i%100 == 7 {
			lot = "123456789018"
		}
		entries = append(entries, shot(`"value":"V1"`, fmt.Sprintf(`"value":"M%d"`, i), "PX0001", lot))
	}
	rep := b.take(t, bundle(entries...))
	if rep.Added != importing.BatchRows+20-6 || rep.Refused != 6 || !slices.ContainsFunc(rep.Faults, func(f importing.Fault) bool {
		return f.Name == "entry[108].resource.lotNumber"
	}) {
		t.Errorf("added %d, refused %d, %v", rep.Added, rep.Refused, rep.Faults)
	}
}

func FuzzBundle(f *testing.F) {
	f.Add(bundle(patient, shot()))
	f.Add(bundle(shot(`"completed"`, `"entered-in-error"`), patient))
	f.Fuzz(func(t *testing.T, text string) {
		line, err := issuance.ReadBundle([]byte(text), func(c importing.Cells) {
			if c.Line < 1 || c.Place == "" || len(c.Faults) == 0 && !c.Nothing && c.Values["act"] == "" {
				t.Errorf("a row that says nothing: %+v", c)
			}
		})
		if err != nil && (line < 1 || line > 1+strings.Count(text, "\n")) {
			t.Errorf("a fault at line %d", line)
		}
	})
}
