package vaccine_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"madoguchi.example/shared/cert/vaccine"
)

// vectors gives the folder of published code lists, or ends the test.
func vectors(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MADOGUCHI_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Logf("the vectors are not here (%s): nothing was compared", dir)
		t.SkipNow()
	}
	return dir
}

func read[V any](t *testing.T, path string) V {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out V
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

var forms = map[string]*regexp.Regexp{
	"CVX":     regexp.MustCompile(`^[0-9]{2,3}$`),
	"MVX":     regexp.MustCompile(`^([A-Z]{2,3})?$`),
	"vaccine": regexp.MustCompile(`^XM[0-9A-Z]{4}$`),
	"disease": regexp.MustCompile(`^([0-9A-Z]{4}(\.[0-9])?)?$`),
	"SNOMED":  regexp.MustCompile(`^[0-9]{0,18}$`),
}

func TestTableIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range vaccine.All() {
		if seen[p.CVX] {
			t.Errorf("%s stands twice", p.CVX)
		}
		seen[p.CVX] = true
		for list, code := range map[string]string{
			"CVX": p.CVX, "MVX": p.Manufacturer, "vaccine": p.ICD11Vaccine, "disease": p.ICD11Disease, "SNOMED": p.DiseaseSNOMED,
		} {
			if !forms[list].MatchString(code) {
				t.Errorf("%s: %q is no code of the list %s", p.CVX, code, list)
			}
		}
		if p.Name == "" || p.Names.Ja == "" || p.Names.En == "" || p.Series < 0 || p.Series > 9 {
			t.Errorf("%s: %+v", p.CVX, p)
		}
		if whole := p.EUVaccine != "" && p.EUHolder != ""; whole != (p.EUProduct != "") {
			t.Errorf("%s: some of the EU codes, not all", p.CVX)
		}
		if got, ok := vaccine.ByCVX(p.CVX); !ok || got != p {
			t.Errorf("%s: found %v", p.CVX, got.CVX)
		}
		if p.DiseaseSNOMED != "" && !verhoeff(p.DiseaseSNOMED) {
			t.Errorf("%s: the check digit of the SNOMED code is wrong", p.CVX)
		}
	}
	for _, code := range []string{"", "3", "999"} {
		if _, ok := vaccine.ByCVX(code); ok {
			t.Errorf("%q: found", code)
		}
	}
}

func TestByEU(t *testing.T) {
	for mp, cvx := range map[string]string{
		"EU/1/20/1528": "208", "EU/1/20/1507": "207", "EU/1/21/1529": "210", "EU/1/21/1618": "211", "EU/1/20/1525": "212",
	} {
		if p, ok := vaccine.ByEU(mp); !ok || p.CVX != cvx {
			t.Errorf("%s: %s", mp, p.CVX)
		}
	}
	for _, mp := range []string{"", "CoronaVac"} {
		if _, ok := vaccine.ByEU(mp); ok {
			t.Errorf("%q: found", mp)
		}
	}
}

// newer are codes that were given out after the published list at hand.
var newer = map[string]bool{"305": true, "308": true, "309": true, "310": true, "311": true, "312": true, "313": true}

func TestCodesStandInThePublishedLists(t *testing.T) {
	dir := vectors(t)
	type set struct {
		Values map[string]struct {
			Active bool `json:"active"`
		} `json:"valueSetValues"`
	}
	sets := map[string]set{}
	for _, name := range []string{"vaccine-prophylaxis", "vaccine-medicinal-product", "vaccine-mah-manf", "disease-agent-targeted"} {
		sets[name] = read[set](t, filepath.Join(dir, "dcc", "valuesets", name+".json"))
	}
	cvx := read[map[string]any](t, filepath.Join(dir, "shc", "codes", "cvx-codes.json"))
	icdVaccines := read[map[string]string](t, filepath.Join(dir, "vdsnc", "codes", "icd11-vaccines.json"))
	icdDiseases := read[map[string]string](t, filepath.Join(dir, "vdsnc", "codes", "icd11-diseases.json"))
	eu := 0
	for _, p := range vaccine.All() {
		if cvx[p.CVX] == nil != newer[p.CVX] {
			t.Errorf("%s: in the CVX list: %v", p.CVX, cvx[p.CVX] != nil)
		}
		if icdVaccines[p.ICD11Vaccine] == "" {
			t.Errorf("%s: %s is not in the list of vaccines", p.CVX, p.ICD11Vaccine)
		}
		category, _, _ := strings.Cut(p.ICD11Disease, ".")
		if category != "" && icdDiseases[category] == "" {
			t.Errorf("%s: %s is not in the list of diseases", p.CVX, category)
		}
		if p.EUProduct == "" {
			continue
		}
		eu++
		for name, code := range map[string]string{
			"vaccine-prophylaxis": p.EUVaccine, "vaccine-medicinal-product": p.EUProduct,
			"vaccine-mah-manf": p.EUHolder, "disease-agent-targeted": p.DiseaseSNOMED,
		} {
			if !sets[name].Values[code].Active {
				t.Errorf("%s: %q is no active code of %s", p.CVX, code, name)
			}
		}
	}
	t.Logf("%d products compared, %d of them with EU codes", len(vaccine.All()), eu)
}

func TestEUTriplesAreThoseOfTheInstructions(t *testing.T) {
	type instructions struct {
		Values map[string]struct {
			Code   string   `json:"vaccine-code"`
			Holder string   `json:"vaccine-manufacturer"`
			SCT    []string `json:"sct-codes"`
		} `json:"valueSetValues"`
	}
	all := read[instructions](t, filepath.Join(vectors(t), "dcc", "valuesets", "vaccine-encoding-instructions.json"))
	for _, p := range vaccine.All() {
		if p.EUProduct == "" {
			continue
		}
		found := false
		for _, v := range all.Values {
			if v.Code != p.EUProduct || v.Holder != p.EUHolder {
				continue
			}
			for _, code := range v.SCT {
				found = found || code == p.EUVaccine
			}
		}
		if !found {
			t.Errorf("%s: no instruction has its three codes together", p.CVX)
		}
	}
}

// verhoeff holds a SNOMED CT identifier against its Verhoeff check digit.
func verhoeff(id string) bool {
	product := [10][10]int{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6},
		{3, 4, 0, 1, 2, 8, 9, 5, 6, 7}, {4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
		{6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3}, {8, 7, 6, 5, 9, 3, 2, 1, 0, 4},
		{9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
	}
	shift := [10]int{1, 5, 7, 6, 2, 8, 3, 0, 9, 4}
	check := 0
	for i := range len(id) {
		digit := int(id[len(id)-1-i] - '0')
		for range i % 8 {
			digit = shift[digit]
		}
		check = product[check][digit]
	}
	return check == 0
}
