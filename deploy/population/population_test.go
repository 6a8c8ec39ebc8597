package population_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/practice/people"
)

const asOf = "2026-11-21"

func generate(t *testing.T, seed uint64, residents int) (*population.Town, map[string][]map[string]string, map[string][]byte) {
	t.Helper()
	town, err := population.Generate(seed, residents, asOf)
	if err != nil {
		t.Fatal(err)
	}
	files, err := town.Files()
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string][]map[string]string{}
	for _, f := range population.ImportFiles() {
		rows, err := csv.NewReader(bytes.NewReader(files[f.Name])).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if !slices.Equal(rows[0], f.Columns) {
			t.Fatalf("%s has the header %v", f.Name, rows[0])
		}
		for _, r := range rows[1:] {
			row := map[string]string{}
			for i, c := range f.Columns {
				row[c] = r[i]
			}
			tables[f.Name] = append(tables[f.Name], row)
		}
	}
	return town, tables, files
}

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	_, _, a := generate(t, 7, 300)
	_, _, b := generate(t, 7, 300)
	_, _, c := generate(t, 8, 300)
	same := func(x, y []byte) bool { return bytes.Equal(x, y) }
	if !maps.EqualFunc(a, b, same) {
		t.Error("one seed gave two populations")
	}
	if maps.EqualFunc(a, c, same) {
		t.Error("two seeds gave one population")
	}
}

func TestSizes(t *testing.T) {
	for _, n := range []int{population.MinResidents, 81, 250, 1000, 3000} {
		_, tables, _ := generate(t, 1, n)
		if got := len(tables["residents.csv"]); got != n {
			t.Errorf("asked for %d residents, got %d", n, got)
		}
	}
	for _, bad := range []struct {
		n   int
		day string
	}{{0, asOf}, {population.MaxResidents + 1, asOf}, {1000, "2026-02-30"}, {1000, ""}, {1000, "1999-01-01"}} {
		if _, err := population.Generate(1, bad.n, bad.day); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

func TestNoFileLooksLikeAMyNumber(t *testing.T) {
	twelve := regexp.MustCompile(`[0-9]{12}`)
	// What a reader may take for one number: blanks, hyphens and widths folded away, the
	// commas between fields kept.
	glue := strings.NewReplacer("-", "", " ", "", "　", "", "－", "", "０", "0", "１", "1", "２", "2", "３", "3", "４", "4",
		"５", "5", "６", "6", "７", "7", "８", "8", "９", "9")
	for seed := range uint64(2) {
		_, _, files := generate(t, seed, 1000)
		for name, raw := range files {
			if twelve.MatchString(glue.Replace(string(raw))) {
				t.Errorf("seed %d: %s holds twelve digits", seed, name)
			}
		}
	}
}

type key struct{ municipality, ref string }

func keyOf(row map[string]string) key { return key{row["municipality_code"], row["resident_ref"]} }

// gone lists the rows that moved out or died.
func gone(tables map[string][]map[string]string) map[key]bool {
	out := map[key]bool{}
	for _, r := range tables["moves.csv"] {
		if r["kind"] == "out" {
			out[keyOf(r)] = true
		}
	}
	for _, r := range tables["deaths.csv"] {
		out[keyOf(r)] = true
	}
	return out
}

func TestHouseholdsHoldTogether(t *testing.T) {
	for seed := range uint64(3) {
		_, tables, _ := generate(t, seed, 1000)
		residents := map[key]map[string]string{}
		for _, r := range tables["residents.csv"] {
			if residents[keyOf(r)] != nil {
				t.Errorf("seed %d: %v stands there twice", seed, keyOf(r))
			}
			residents[keyOf(r)] = r
		}
		heads, member := map[key]int{}, map[key]int{}
		oldest := map[key]string{}
		for _, r := range tables["households.csv"] {
			home := key{r["municipality_code"], r["household_ref"]}
			p := residents[keyOf(r)]
			if p == nil {
				t.Fatalf("seed %d: a household has a member who is no resident", seed)
			}
			member[keyOf(r)]++
			if heads[home] += 0; r["relation"] == "head" {
				heads[home]++
				oldest[home] = p["birth_date"]
			}
			if r["relation"] == "child" && p["birth_date"] < addYears(t, oldest[home], 20) {
				t.Errorf("seed %d: a child of %s is less than 20 years younger than the head", seed, r["household_ref"])
			}
			if r["since"] < p["birth_date"] || r["since"] > asOf {
				t.Errorf("seed %d: %s entered the household before birth or after today", seed, r["resident_ref"])
			}
		}
		for home, n := range heads {
			if n != 1 {
				t.Errorf("seed %d: household %v has %d heads", seed, home, n)
			}
		}
		left := gone(tables)
		for k := range residents {
			if want := map[bool]int{true: 0, false: 1}[left[k]]; member[k] != want {
				t.Errorf("seed %d: %v is in %d households, want %d", seed, k, member[k], want)
			}
		}
	}
}

func addYears(t *testing.T, day string, years int) string {
	t.Helper()
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		t.Fatal(err)
	}
	return d.AddDate(years, 0, 0).Format(time.DateOnly)
}

func TestEveryFileHasWhatTheJourneysNeed(t *testing.T) {
	_, tables, _ := generate(t, 1, 1000)
	least := map[string]int{"municipalities.csv": 2, "offices.csv": 8, "staff.csv": 6, "births.csv": 5, "moves.csv": 20,
		"deaths.csv": 2, "income.csv": 500, "coverage.csv": 800, "vaccinations.csv": 1000}
	for name, n := range least {
		if len(tables[name]) < n {
			t.Errorf("%s has %d rows, want at least %d", name, len(tables[name]), n)
		}
	}
	roles := map[string]map[string]bool{}
	for _, r := range tables["staff.csv"] {
		for _, role := range strings.Split(r["roles"], ";") {
			if roles[r["municipality_code"]] == nil {
				roles[r["municipality_code"]] = map[string]bool{}
			}
			roles[r["municipality_code"]][role] = true
		}
	}
	for m, set := range roles {
		if len(set) < 2 {
			t.Errorf("%s has %d roles", m, len(set))
		}
	}
	rare := 0
	for _, r := range tables["residents.csv"] {
		if strings.ContainsAny(r["family_kanji"], "髙﨑𠮷邉邊齋齊濵栁") {
			rare++
		}
		for _, c := range []string{"family_kana", "given_kana", "family_latin", "given_latin", "address", "postal_code"} {
			if r[c] == "" {
				t.Errorf("%s has no %s", r["resident_ref"], c)
			}
		}
	}
	if rare < 10 {
		t.Errorf("only %d rare names", rare)
	}
}

func TestRowsPointAtResidentsAndDaysAreInOrder(t *testing.T) {
	for seed := range uint64(2) {
		_, tables, _ := generate(t, seed, 1000)
		born, doses := map[key]string{}, map[key]map[string]string{}
		for _, r := range tables["residents.csv"] {
			born[keyOf(r)] = r["birth_date"]
			if r["resident_since"] < r["birth_date"] || r["resident_since"] > asOf {
				t.Errorf("seed %d: %s became a resident before birth or after today", seed, r["resident_ref"])
			}
		}
		for _, f := range []struct{ name, from, to string }{
			{"births.csv", "born_on", "registered_on"}, {"deaths.csv", "died_on", "registered_on"}, {"moves.csv", "moved_on", ""},
			{"coverage.csv", "valid_from", "valid_to"}, {"vaccinations.csv", "given_on", ""},
		} {
			for i, r := range tables[f.name] {
				birth, known := born[keyOf(r)]
				if !known || r[f.from] < birth || r[f.from] > asOf {
					t.Errorf("seed %d: %s row %d: unknown resident, or %s before birth or after today", seed, f.name, i+1, f.from)
				}
				if f.to != "" && r[f.to] != "" && r[f.to] < r[f.from] {
					t.Errorf("seed %d: %s row %d: %s before %s", seed, f.name, i+1, f.to, f.from)
				}
			}
		}
		for _, r := range tables["vaccinations.csv"] {
			k := keyOf(r)
			if doses[k] == nil {
				doses[k] = map[string]string{}
			}
			if doses[k][r["dose_number"]] != "" {
				t.Errorf("seed %d: %v has dose %s twice", seed, k, r["dose_number"])
			}
			doses[k][r["dose_number"]] = r["given_on"]
		}
	}
}

func TestDosesOfOnePersonLieInBothMunicipalities(t *testing.T) {
	town, tables, files := generate(t, 1, 1000)
	elsewhere := 0
	names := map[string]string{"990019": "みなと市", "990027": "やまのべ町"}
	for _, r := range tables["vaccinations.csv"] {
		if !strings.HasPrefix(r["performer"], names[r["municipality_code"]]) {
			elsewhere++
		}
	}
	if elsewhere == 0 {
		t.Error("no dose was given in the other municipality")
	}
	moved := town.Cast.Moved
	doses := map[string]int{}
	for _, r := range tables["residents.csv"] {
		if r["family_kanji"]+" "+r["given_kanji"] == moved.Name && r["birth_date"] == moved.BirthDate {
			doses[r["municipality_code"]] += doseCount(tables, population.Part{MunicipalityCode: r["municipality_code"], ResidentRef: r["resident_ref"]})
		}
	}
	shots := bundle(t, files[population.FHIRFile])
	if doses["990019"] != 2 || doses["990027"] != 0 || shots["Patient/"+strings.ToLower(moved.ResidentRef)] != 1 {
		t.Errorf("who moved has %v doses in vaccinations.csv and %d in the bundle", doses, shots["Patient/"+strings.ToLower(moved.ResidentRef)])
	}
}

// bundle counts the immunizations of each patient in a bundle of FHIR.
func bundle(t *testing.T, raw []byte) map[string]int {
	t.Helper()
	var b struct {
		ResourceType, Type string
		Entry              []struct {
			Resource struct {
				ResourceType, ID, Status string
				Patient                  struct{ Reference string }
			}
		}
	}
	if err := json.Unmarshal(raw, &b); err != nil || b.ResourceType != "Bundle" || b.Type != "collection" {
		t.Fatalf("the file is no bundle: %v", err)
	}
	patients, shots := map[string]bool{}, map[string]int{}
	for _, e := range b.Entry {
		switch r := e.Resource; r.ResourceType {
		case "Patient":
			patients["Patient/"+r.ID] = true
		case "Immunization":
			shots[r.Patient.Reference]++
			if !patients[r.Patient.Reference] || r.Status != "completed" {
				t.Errorf("a dose is %s and of %s", r.Status, r.Patient.Reference)
			}
		}
	}
	return shots
}

// checkDigit is the algorithm of 保発45号, read the other way round than the generator's.
func checkDigit(number string) bool {
	sum := 0
	for i, d := range number {
		n := int(d - '0')
		if (len(number)-i)%2 == 0 {
			n = []int{0, 2, 4, 6, 8, 1, 3, 5, 7, 9}[n]
		}
		sum += n
	}
	return sum%10 == 0
}

func TestCheckDigits(t *testing.T) {
	for _, published := range []string{"33120015", "01130012", "123455", "54016027"} {
		if !checkDigit(published) {
			t.Fatalf("the test's own check refuses %s", published)
		}
	}
	_, tables, _ := generate(t, 1, 1000)
	for i, r := range tables["coverage.csv"] {
		n := r["insurer_number"]
		if len(n) != 6 && len(n) != 8 || !checkDigit(n) {
			t.Errorf("coverage.csv row %d: insurer_number", i+1)
		}
		if r["symbol"] == "" && !checkDigit(r["number"]) {
			t.Errorf("coverage.csv row %d: number of a scheme without symbols", i+1)
		}
	}
	for _, r := range tables["offices.csv"] {
		if n := r["institution_code"]; (r["class"] == "clinic") != (len(n) == 10 && checkDigit(n)) {
			t.Errorf("%s: institution_code", r["office_ref"])
		}
	}
	for _, r := range tables["municipalities.csv"] {
		if !slices.Contains([]string{"990019", "990027"}, r["municipality_code"]) {
			t.Errorf("municipality code with a wrong check digit")
		}
	}
}

func TestTheCastPlaysItsParts(t *testing.T) {
	for seed := range uint64(3) {
		town, tables, files := generate(t, seed, 200)
		who, err := people.Parse(files[population.PeopleFile])
		if err != nil {
			t.Fatal(err)
		}
		matches := func(sub string) int {
			i := slices.IndexFunc(who, func(p people.Person) bool { return p.Sub == sub })
			if i < 0 {
				t.Fatalf("seed %d: %s cannot sign in", seed, sub)
			}
			left, n := gone(tables), 0
			for _, r := range tables["residents.csv"] {
				if !left[keyOf(r)] && narrow(who[i].Name) == r["family_kanji"]+r["given_kanji"] &&
					narrow(who[i].Address) == narrow(r["address"]) && who[i].BirthDate == r["birth_date"] {
					n++
				}
			}
			return n
		}
		for sub, want := range map[string]int{population.SubParent: 1, population.SubSingle: 1, population.SubElder: 1,
			population.SubAmbiguous: 2, population.SubNobody: 0, population.SubUnvaccinated: 1, population.SubNeighbour: 1} {
			if got := matches(sub); got != want {
				t.Errorf("seed %d: %s matches %d residents, want %d", seed, sub, got, want)
			}
		}
		for _, part := range []population.Part{town.Cast.Parent, town.Cast.Child, town.Cast.Single} {
			if doseCount(tables, part) != 3 {
				t.Errorf("seed %d: %s has %d doses", seed, part.Words, doseCount(tables, part))
			}
		}
		if doseCount(tables, town.Cast.Unvaccinated) != 0 {
			t.Errorf("seed %d: the unvaccinated person has doses", seed)
		}
		cards(t, seed, town, tables)
	}
}

func narrow(s string) string {
	return strings.NewReplacer(" ", "", "　", "", "０", "0", "１", "1", "２", "2", "３", "3", "４", "4",
		"５", "5", "６", "6", "７", "7", "８", "8", "９", "9").Replace(s)
}

func doseCount(tables map[string][]map[string]string, p population.Part) int {
	n := 0
	for _, r := range tables["vaccinations.csv"] {
		if keyOf(r) == (key{p.MunicipalityCode, p.ResidentRef}) {
			n++
		}
	}
	return n
}

// cards checks that each card of the cast is what the payer would say it is.
func cards(t *testing.T, seed uint64, town *population.Town, tables map[string][]map[string]string) {
	t.Helper()
	for _, card := range []population.Card{town.Cast.Insured, town.Cast.Aged, town.Cast.Changed} {
		this, any := "", false
		for _, r := range tables["coverage.csv"] {
			if keyOf(r) != (key{card.MunicipalityCode, card.ResidentRef}) {
				continue
			}
			valid := r["valid_to"] == "" || r["valid_to"] >= asOf
			any = any || valid
			if r["insurer_number"] == card.InsurerNumber && r["symbol"] == card.Symbol && r["number"] == card.Number {
				this = fmt.Sprint(valid)
			}
		}
		want := map[string]string{"valid": "true", "newer_coverage": "false"}[card.Expect]
		if this != want || !any {
			t.Errorf("seed %d: the card of %s: valid %q, some valid %v, expected %s", seed, card.Words, this, any, card.Expect)
		}
	}
}
