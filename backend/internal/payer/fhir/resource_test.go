package fhir_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/payer/fhir"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
)

// vectors gives the folder of shared vectors, "" where there is none.
func vectors(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("MADOGUCHI_VECTORS"); dir != "" {
		return filepath.Join(dir, "insurance")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			found := filepath.Join(dir, "..", "shared", "vectors", "insurance")
			if _, err := os.Stat(found); err == nil {
				return found
			}
		}
	}
	t.Log("no vectors here")
	return ""
}

// meaning is a document without the order of its members, its numbers as they were written.
func meaning(t testing.TB, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func again[R fhir.Resource](t testing.TB, raw []byte) R {
	t.Helper()
	r, err := fhir.Decode[R](raw)
	if err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(meaning(t, raw), meaning(t, written)) {
		t.Errorf("%T loses something:\n%s", r, written)
	}
	return r
}

func TestTheExamplesOfR4RoundTrip(t *testing.T) {
	dir := vectors(t)
	if dir == "" {
		return
	}
	read := func(name string) []byte {
		raw, err := os.ReadFile(filepath.Join(dir, "fhir", name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	request := again[fhir.CoverageEligibilityRequest](t, read("CoverageEligibilityRequest-52345.json"))
	if request.ID != "52345" || request.Insurance[0].Coverage.Reference != "Coverage/9876B1" || len(request.Rest) != 2 {
		t.Errorf("request %+v", request)
	}
	complete := again[fhir.CoverageEligibilityResponse](t, read("CoverageEligibilityResponse-E2500.json"))
	if complete.Outcome != "complete" || complete.Insurance[0].Inforce == nil || !*complete.Insurance[0].Inforce {
		t.Errorf("E2500 %+v", complete)
	}
	long := again[fhir.CoverageEligibilityResponse](t, read("CoverageEligibilityResponse-E2502.json"))
	if len(long.Insurance[0].Item) != 4 || *long.Insurance[0].Item[0].Benefit[2].AllowedUnsignedInt != 20 {
		t.Errorf("E2502 has %d items", len(long.Insurance[0].Item))
	}
	again[fhir.Coverage](t, long.Contained[0])
	coverage := again[fhir.Coverage](t, read("Coverage-9876B1.json"))
	if coverage.Period.End != "2012-05-23" || coverage.Payor[0].Reference != "Organization/2" {
		t.Errorf("coverage %+v", coverage)
	}
	t.Log("5 resources of 4 files")
}

// TestJPCoreExample reads JP Core's own example (FSH) and writes the coverage that it shows.
func TestJPCoreExample(t *testing.T) {
	dir := vectors(t)
	if dir == "" {
		return
	}
	raw, err := os.ReadFile(filepath.Join(dir, "jpcore", "JP_Coverage_Example.fsh"))
	if err != nil {
		t.Fatal(err)
	}
	value := regexp.MustCompile(`identifier\[insuranceIdentifier\]\.(system|value) = "([^"]*)"`).FindAllStringSubmatch(string(raw), -1)
	texts := regexp.MustCompile(`valueString = "([^"]*)"`).FindAllStringSubmatch(string(raw), -1)
	if len(value) != 2 || len(texts) != 3 {
		t.Fatalf("the example has %d identifiers and %d texts", len(value), len(texts))
	}
	if value[0][2] != fhir.SystemMember {
		t.Errorf("the system is %s", value[0][2])
	}
	m, _, err := insurance.ParseMemberID(value[1][2])
	if err != nil {
		t.Fatal(err)
	}
	if id, err := m.FHIR(); err != nil || id != value[1][2] {
		t.Errorf("written %s, %v", id, err)
	}
	doc := `{"resourceType":"Coverage","extension":[{"url":"s","valueString":"` + texts[0][1] + `"},{"url":"n","valueString":"` + texts[1][1] +
		`"},{"url":"b","valueString":"` + texts[2][1] + `"}],"identifier":[{"system":"` + value[0][2] + `","value":"` + value[1][2] +
		`","assigner":{"reference":"Organization/x"}}],"status":"active","subscriberId":"あいう:１８７","dependent":"05"}`
	c := again[fhir.Coverage](t, []byte(doc))
	if c.Identifier[0].Value != "00012345:あいう:１８７:05" || c.Extension[1].ValueString != "１８７" || len(c.Identifier[0].Rest) != 1 {
		t.Errorf("coverage %+v", c)
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for name, c := range map[string]struct {
		raw  string
		code fault.Code
	}{
		"another type":     {`{"resourceType":"Coverage"}`, fault.InvalidArgument},
		"no type":          {`{"outcome":"complete"}`, fault.InvalidArgument},
		"spelling":         {`{"resourcetype":"CoverageEligibilityResponse"}`, fault.InvalidArgument},
		"twice":            {`{"resourceType":"CoverageEligibilityResponse","outcome":"error","outcome":"complete"}`, fault.InvalidArgument},
		"twice inside":     {`{"resourceType":"CoverageEligibilityResponse","insurance":[{"inforce":false,"inforce":true}]}`, fault.InvalidArgument},
		"null":             {`{"resourceType":"CoverageEligibilityResponse","outcome":null}`, fault.InvalidArgument},
		"null in a list":   {`{"resourceType":"CoverageEligibilityResponse","insurance":[null]}`, fault.InvalidArgument},
		"word for boolean": {`{"resourceType":"CoverageEligibilityResponse","insurance":[{"inforce":"true"}]}`, fault.InvalidArgument},
		"number for word":  {`{"resourceType":"CoverageEligibilityResponse","outcome":1}`, fault.InvalidArgument},
		"cut":              {`{"resourceType":"CoverageEligibilityResponse","outcome":"comp`, fault.InvalidArgument},
		"trailing":         {`{"resourceType":"CoverageEligibilityResponse"} x`, fault.InvalidArgument},
		"empty":            {``, fault.InvalidArgument},
		"list":             {`[]`, fault.InvalidArgument},
		"deep":             {`{"resourceType":"CoverageEligibilityResponse","x":` + deep + `}`, fault.InvalidArgument},
		"large":            {`{"resourceType":"CoverageEligibilityResponse","x":"` + strings.Repeat("a", fhir.MaxResourceBytes) + `"}`, fault.TooLarge},
	} {
		if _, err := fhir.Decode[fhir.CoverageEligibilityResponse]([]byte(c.raw)); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"resourceType":"CoverageEligibilityResponse","outcome":"complete","insurance":[{"inforce":true,"x":1.50}],"_outcome":{"id":"a"}}`))
	f.Add([]byte(`{"resourceType":"CoverageEligibilityResponse","contained":[{"resourceType":"Coverage","id":"c"}],"error":[{"code":{"coding":[{"code":"x"}]}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := fhir.Decode[fhir.CoverageEligibilityResponse](raw)
		if err != nil {
			return
		}
		first, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		r, err = fhir.Decode[fhir.CoverageEligibilityResponse](first)
		if err != nil {
			if len(first) > fhir.MaxResourceBytes { // escapes made it longer
				return
			}
			t.Fatalf("written what cannot be read: %v", err)
		}
		second, err := json.Marshal(r)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("written twice otherwise: %v", err)
		}
	})
}
