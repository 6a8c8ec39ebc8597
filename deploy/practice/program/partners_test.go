package program_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/deploy/practice/program"
)

const residents = `resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since
R1,990019,青海,花子,アオミ,ハナコ,A,H,1980-04-01,2,000-0101,架空県みなと市本町1丁目,2010-04-01
`

const lines = `resident_ref,municipality_code,payer,insurer_number,insurer_name,symbol,number,branch,valid_from,valid_to,copayment_percent,insured_kind
R1,990019,registry,990119,みなと市国保,みな12,77310042,01,2024-04-01,,30,insured
`

const ask = `<?xml version="1.0" encoding="UTF-8"?><XmlMsg><MessageHeader><QualificationConfirmationDate>20261020</QualificationConfirmationDate>` +
	`<MedicalInstitutionCode>4710000009</MedicalInstitutionCode></MessageHeader><MessageBody><QualificationConfirmSearchInfo>` +
	`<InsurerNumber>  990119</InsurerNumber><InsuredCardSymbol>みな12</InsuredCardSymbol><InsuredIdentificationNumber>77310042</InsuredIdentificationNumber>` +
	`<Birthdate>19800401</Birthdate><LimitApplicationCertificateRelatedConsFlg>0</LimitApplicationCertificateRelatedConsFlg>` +
	`</QualificationConfirmSearchInfo></MessageBody></XmlMsg>`

// runs starts the program and gives where it listens; it ends with the test.
func runs(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- program.Run(ctx, program.Env{Args: args, Getenv: noEnv, Stdout: io.Discard, Stderr: w, Now: time.Now, Rand: rand.Reader})
		w.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	said := bufio.NewScanner(r)
	var told struct{ Msg, Address string }
	if !said.Scan() || json.Unmarshal(said.Bytes(), &told) != nil || told.Msg != "listening" {
		t.Fatalf("it said %q", said.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return "http://" + told.Address
}

func send(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// answered moves a request in and waits for its answer.
func answered(t *testing.T, dir, name string) string {
	t.Helper()
	write(t, dir, "new.tmp", ask)
	if err := os.Rename(filepath.Join(dir, "new.tmp"), filepath.Join(dir, "req", name)); err != nil {
		t.Fatal(err)
	}
	for {
		raw, err := os.ReadFile(filepath.Join(dir, "res", strings.Replace(name, "req_", "res_", 1)))
		if err == nil {
			return string(raw)
		}
		if t.Context().Err() != nil {
			t.Fatal("no answer")
		}
	}
}

func people(t *testing.T) string {
	dir := t.TempDir()
	write(t, dir, "residents.csv", residents)
	write(t, dir, "coverage.csv", lines)
	return dir
}

func TestTheTerminalAlone(t *testing.T) {
	dir := t.TempDir()
	base := runs(t, "oqs", "--dir", dir, "--people", people(t), "--institution", "4710000009")
	if got := answered(t, dir, "OQSsiquc01req_alone-1.xml"); !strings.Contains(got, "<QualificationValidity>1<") {
		t.Error(got)
	}
	if code, _ := send(t, http.MethodPut, base+"/practice/oqs/behaviour", `{"line_cut":true}`); code != http.StatusOK {
		t.Errorf("behaviour: %d", code)
	}
	if got := answered(t, dir, "OQSsiquc01req_alone-2.xml"); !strings.Contains(got, "<SegmentOfResult>9<") {
		t.Error(got)
	}
	if code, body := send(t, http.MethodPost, base+"/practice/oqs/face", `{"resident":"R1"}`); code != http.StatusOK || !strings.Contains(body, "res_face_") {
		t.Errorf("face: %d %s", code, body)
	}
}

func TestPartnersThatTheConfigurationNames(t *testing.T) {
	dir, exchange := t.TempDir(), t.TempDir()
	write(t, dir, "practice.toml", `
listen = "127.0.0.1:0"
[oqs]
dir = "`+exchange+`"
people = "`+people(t)+`"
institution = "4710000009"
behaviour = {abnormal = "OQX-7", times = 1}
[fhir]
people = "`+people(t)+`"
behaviour = {queued = 1}
`)
	base := runs(t, "serve", "--config", filepath.Join(dir, "practice.toml"))
	if got := answered(t, exchange, "OQSsiquc01req_1.xml"); !strings.Contains(got, "OQX-7") {
		t.Error(got)
	}
	if got := answered(t, exchange, "OQSsiquc01req_2.xml"); !strings.Contains(got, "<QualificationValidity>1<") {
		t.Error(got)
	}
	if code, body := send(t, http.MethodGet, base+"/practice/fhir/state", ""); code != http.StatusOK || !strings.Contains(body, `"requests":0`) {
		t.Errorf("fhir: %d %s", code, body)
	}
	if code, _ := send(t, http.MethodGet, base+"/api/realms/main/.well-known/openid-configuration", ""); code != http.StatusOK {
		t.Errorf("the provider is gone: %d", code)
	}
}

func TestPartnersThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.toml", "[oqs]\ndir = \""+dir+"/x\"\npeople = \""+dir+"/nobody\"\n[fhir]\npeople = \""+dir+"/nobody\"\n")
	write(t, dir, "b.toml", "[oqs]\ndir = \""+dir+"/x\"\npeople = \""+people(t)+"\"\ninstitution = \"47\"\n")
	write(t, dir, "c.toml", "[fhir]\npeople = \""+people(t)+"\"\nclient_id = \"x\"\n")
	write(t, dir, "d.toml", "[fhir]\npeople = \""+people(t)+"\"\nbehaviour = {status = 200}\n")
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"check-config", "--config", dir + "/a.toml"}, []string{"oqs: ", "fhir: "}},
		{[]string{"check-config", "--config", dir + "/b.toml"}, []string{"oqs: ", "institution"}},
		{[]string{"check-config", "--config", dir + "/c.toml"}, []string{"fhir: key_file"}},
		{[]string{"serve", "--config", dir + "/d.toml", "--listen", "127.0.0.1:0"}, []string{"fhir: ", "status"}},
		{[]string{"oqs", "--dir", dir}, []string{"--people"}},
		{[]string{"oqs", "--dir", dir, "--people", people(t), "--institution", "4710000009", "--listen", "0.0.0.0:0"}, []string{"loopback"}},
		{[]string{"oqs", "--dir", dir, "--people", people(t), "--institution", "4710000009", "--encoding", "euc-jp"}, []string{"encoding"}},
	} {
		var out bytes.Buffer
		err := program.Run(t.Context(), program.Env{Args: c.args, Getenv: noEnv, Stdout: &out, Stderr: &out, Now: time.Now, Rand: rand.Reader})
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %v", c.args, err)
			}
		}
	}
}
