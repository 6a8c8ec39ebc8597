package population

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// PeopleFile and CastFile are what Write adds beside the import files.
const (
	PeopleFile = "practice-people.json"
	CastFile   = "cast.json"
)

// ImportFile is one import file and its header.
type ImportFile struct {
	Name    string
	Columns []string
}

// ImportFiles lists the import files in the order in which they are to be read.
func ImportFiles() []ImportFile {
	table := []struct{ name, columns string }{
		{"municipalities.csv", "municipality_code,name_ja,name_easy,name_en,counter_name,counter_place,counter_phone,counter_hours"},
		{"offices.csv", "office_ref,municipality_code,class,name,institution_code"},
		{"staff.csv", "subject,name,municipality_code,roles"},
		{"residents.csv", "resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since"},
		{"households.csv", "household_ref,municipality_code,resident_ref,relation,since"},
		{"births.csv", "resident_ref,municipality_code,born_on,registered_on"},
		{"moves.csv", "resident_ref,municipality_code,kind,moved_on,other_municipality"},
		{"deaths.csv", "resident_ref,municipality_code,died_on,registered_on"},
		{"income.csv", "resident_ref,municipality_code,tax_year,income_yen,resident_tax_yen,dependants,exempt"},
		{"coverage.csv", "resident_ref,municipality_code,payer,insurer_number,insurer_name,symbol,number,branch,valid_from,valid_to,copayment_percent,insured_kind"},
		{"vaccinations.csv", "record_ref,resident_ref,municipality_code,vaccine_code,product,manufacturer,lot,dose_number,given_on,performer,country"},
		{"protections.csv", "resident_ref,municipality_code,kind,since,until"},
		{"benefit_facts.csv", "resident_ref,municipality_code,fact,value,since,source"},
		{"childcare.csv", "resident_ref,municipality_code,as_of,facility_kind,recognised,since,last_attended"},
		{"checkups.csv", "resident_ref,municipality_code,as_of,checkup,due_on,result,contacted_on"},
	}
	out := make([]ImportFile, 0, len(table))
	for _, row := range table {
		out = append(out, ImportFile{row.name, strings.Split(row.columns, ",")})
	}
	return out
}

// Files gives every file by name.
func (t *Town) Files() (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, f := range ImportFiles() {
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		if err := w.WriteAll(append([][]string{f.Columns}, t.rows[f.Name]...)); err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", f.Name, err)
		}
		out[f.Name] = b.Bytes()
	}
	raw, err := t.fhir()
	if err != nil {
		return nil, err
	}
	out[FHIRFile] = raw
	for name, v := range map[string]any{PeopleFile: t.People(), CastFile: t.Cast} {
		raw, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", name, err)
		}
		out[name] = append(raw, '\n')
	}
	return out, nil
}

// Write puts every file into dir, which it makes where it is absent.
func (t *Town) Write(dir string) error {
	files, err := t.Files()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder: %w", err)
	}
	for name, raw := range files {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			return fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	return nil
}
