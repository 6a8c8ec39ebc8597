package shc_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
)

const goodPayload = `{"iss":"https://madoguchi.example","nbf":1600000000.5,"vc":{"type":["https://smarthealth.cards#health-card"],` +
	`"credentialSubject":{"fhirVersion":"4.0.1","fhirBundle":` + goodBundle + `},"rid":"abc"}}`

const goodBundle = `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"resource:0","resource":{"resourceType":"Patient",` +
	`"name":[{"family":"Mihon","given":["Hanako"]}],"birthDate":"1990-04-01"}},{"fullUrl":"resource:1","resource":{"resourceType":"Immunization",` +
	`"status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"208"}]},"patient":{"reference":"resource:0"},` +
	`"occurrenceDateTime":"2021-07-01","lotNumber":"EW1"}}]}`

// payloadCases change one thing of the good payload each.
var payloadCases = []struct {
	name, old, new string
	outcome        cert.Outcome
	finding        cert.Finding
}{
	{"good", "", "", cert.Valid, ""},
	{"whole nbf", "1600000000.5", "1600000000", cert.Valid, ""},
	{"exponent", "1600000000.5", "1.6e9", cert.Valid, ""},
	{"nbf as text", "1600000000.5", `"1600000000"`, cert.Malformed, ""},
	{"nbf negative", "1600000000.5", "-1", cert.Malformed, ""},
	{"nbf huge", "1600000000.5", "1e300", cert.NotYetValid, shc.TimeInMilliseconds},
	{"nbf absent", `"nbf":1600000000.5,`, "", cert.Malformed, ""},
	{"nbf twice", `"nbf":1600000000.5,`, `"nbf":1,"nbf":2,`, cert.Malformed, ""},
	{"expired", `"nbf"`, `"exp":1600000001,"nbf"`, cert.Expired, ""},
	{"not expired", `"nbf"`, `"exp":1900000001,"nbf"`, cert.Valid, ""},
	{"http issuer", "https://madoguchi", "http://madoguchi", cert.Malformed, ""},
	{"slash", "madoguchi.example", "madoguchi.example/", cert.Malformed, ""},
	{"type", "#health-card", "#other", cert.Malformed, ""},
	{"more types", `["https`, `["VerifiableCredential","https`, cert.Valid, ""},
	{"rid too long", `"abc"`, `"` + strings.Repeat("a", 25) + `"`, cert.Malformed, ""},
	{"rid alphabet", `"abc"`, `"a="`, cert.Malformed, ""},
	{"version", "4.0.1", "3.0.2", cert.Valid, shc.FHIRVersion},
	{"no bundle", "fhirBundle", "otherBundle", cert.Malformed, ""},
	{"no subject", "credentialSubject", "subject", cert.Malformed, ""},
	{"not a bundle", `"Bundle"`, `"List"`, cert.Malformed, ""},
	{"document", "collection", "document", cert.Valid, shc.BundleType},
	{"no patient", `"Patient"`, `"Person"`, cert.Malformed, ""},
	{"two patients", `"Immunization","status":"completed"`, `"Patient"`, cert.Malformed, ""},
	{"url", "resource:1", "urn:uuid:1", cert.Valid, shc.FullURLForm},
	{"url out of order", `"fullUrl":"resource:1"`, `"fullUrl":"resource:2"`, cert.Valid, shc.FullURLForm},
	{"reference", `"reference":"resource:0"`, `"reference":"resource:1"`, cert.Valid, shc.PatientReference},
	{"id", `"birthDate"`, `"id":"x","birthDate"`, cert.Valid, shc.ResourceID},
	{"text", `"birthDate"`, `"text":{},"birthDate"`, cert.Valid, shc.ResourceText},
	{"meta", `"birthDate"`, `"meta":{"profile":[]},"birthDate"`, cert.Valid, shc.MetaNotSecurity},
	{"meta security", `"status"`, `"meta":{"security":[{"code":"IAL1.2"}]},"status"`, cert.Valid, ""},
	{"gender", `"birthDate"`, `"gender":"female","birthDate"`, cert.Valid, shc.NotMinimal},
	{"site", `"lotNumber"`, `"site":{"coding":[{"display":"x"}]},"lotNumber"`, cert.Valid, shc.CodingDisplay},
	{"site text", `"lotNumber"`, `"site":{"coding":[],"text":"x"},"lotNumber"`, cert.Valid, shc.ConceptText},
	{"display", `"code":"208"`, `"code":"208","display":"x"`, cert.Valid, shc.CodingDisplay},
	{"concept text", `"vaccineCode":{`, `"vaccineCode":{"text":"x",`, cert.Valid, shc.ConceptText},
	{"other code", "sid/cvx", "sid/other", cert.Valid, shc.CodeNotCVX},
	{"no code", `"code":"208"`, `"other":"208"`, cert.Malformed, ""},
	{"status", `"completed"`, `"Completed"`, cert.Malformed, ""},
	{"no occurrence", `"occurrenceDateTime":"2021-07-01",`, "", cert.Malformed, ""},
	{"two occurrences", `"lotNumber"`, `"occurrenceString":"July","lotNumber"`, cert.Malformed, ""},
	{"date and time", `"2021-07-01"`, `"2021-07-01T10:00:00+09:00"`, cert.Valid, ""},
	{"month", `"2021-07-01"`, `"2021-07"`, cert.Valid, cert.PartialDate},
	{"year", `"1990-04-01"`, `"1990"`, cert.Valid, cert.PartialDate},
	{"no day", `"2021-07-01"`, `"2021-02-30"`, cert.Malformed, ""},
	{"no month", `"2021-07-01"`, `"2021-13"`, cert.Malformed, ""},
	{"no date", `"2021-07-01"`, `""`, cert.Malformed, ""},
	{"date and noise", `"2021-07-01"`, `"2021-07-011"`, cert.Malformed, ""},
	{"no name", `"name":[{"family":"Mihon","given":["Hanako"]}],`, "", cert.Valid, cert.NoHolderName},
	{"name in one", `{"family":"Mihon","given":["Hanako"]}`, `{"text":"Mihon Hanako"}`, cert.Valid, ""},
	{"type behind", `"resourceType":"Patient",` + `"name":[{"family":"Mihon","given":["Hanako"]}],"birthDate":"1990-04-01"`, `"birthDate":"1990-04-01","name":[{"family":"Mihon"}],"resourceType":"Patient"`, cert.Valid, ""},
	{"byte order mark", `{"iss"`, "\ufeff" + `{"iss"`, cert.Malformed, ""},
	{"text behind", `"rid":"abc"}}`, `"rid":"abc"}} `, cert.Valid, ""},
	{"more behind", `"rid":"abc"}}`, `"rid":"abc"}}{}`, cert.Malformed, ""},
	{"wrong type", `"lotNumber":"EW1"`, `"lotNumber":1`, cert.Malformed, ""},
}

func TestCheckPayload(t *testing.T) {
	for _, c := range payloadCases {
		if !strings.Contains(goodPayload, c.old) {
			t.Fatalf("%s: nothing to change", c.name)
		}
		text := strings.Replace(goodPayload, c.old, c.new, 1)
		got := shc.CheckPayload([]byte(text), time.Unix(1700000000, 0))
		if got.Outcome != c.outcome || got.Findings == nil {
			t.Errorf("%s: %s %v (%s)", c.name, got.Outcome, got.Findings, got.Reason)
		}
		if c.finding != "" && !slices.Contains(got.Findings, c.finding) {
			t.Errorf("%s: findings %v lack %s", c.name, got.Findings, c.finding)
		}
		if c.finding == "" && c.outcome == cert.Valid && !reflect.DeepEqual(got.Findings, []cert.Finding{}) {
			t.Errorf("%s: findings %v", c.name, got.Findings)
		}
		if strings.Contains(got.Reason, "Mihon") || strings.Contains(got.Reason, "1990") {
			t.Errorf("%s: the reason tells a personal value: %s", c.name, got.Reason)
		}
	}
}

func TestTimeIsChecked(t *testing.T) {
	text := []byte(strings.Replace(goodPayload, `"nbf"`, `"exp":1700000000,"nbf"`, 1))
	for seconds, want := range map[float64]cert.Outcome{
		1600000000: cert.NotYetValid, 1600000000.5: cert.Valid, 1699999999.9: cert.Valid, 1700000000: cert.Expired,
	} {
		at := time.UnixMilli(int64(seconds * 1000))
		if got := shc.CheckPayload(text, at); got.Outcome != want {
			t.Errorf("at %v: %s, want %s", seconds, got.Outcome, want)
		}
	}
}
