package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/keyfile"
	"madoguchi.example/backend/internal/payer"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
)

const (
	insuredPeople = `resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since
R1,990019,山田,花,ヤマダ,ハナ,Y,H,1980-04-01,2,000-0101,架空県みなと市本町1丁目,2010-04-01
`
	insuredLines = `resident_ref,municipality_code,payer,insurer_number,insurer_name,symbol,number,branch,valid_from,valid_to,copayment_percent,insured_kind
R1,990019,registry,990119,みなと市国保,みな・港12,77310042,01,2024-04-01,2026-10-31,30,insured
`
)

// insurer runs the practice program with a FHIR server that lets one client in, and gives
// its address.
func insurer(t *testing.T, client, key string) string {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "madoguchi-practice")
	if out, err := exec.Command("go", "build", "-o", program, "madoguchi.example/deploy/cmd/madoguchi-practice").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	people := filepath.Join(dir, "people")
	write(t, filepath.Join(people, "residents.csv"), insuredPeople)
	write(t, filepath.Join(people, "coverage.csv"), insuredLines)
	write(t, filepath.Join(dir, "people.json"), "[]")
	write(t, filepath.Join(dir, "practice.toml"), fmt.Sprintf("listen = \"127.0.0.1:0\"\nstate_dir = %q\npeople_file = %q\n[fhir]\npeople = %q\nclient_id = %q\nkey_file = %q\n",
		dir, filepath.Join(dir, "people.json"), people, client, key))
	var log bytes.Buffer
	cmd := exec.Command(program, "serve", "--config", filepath.Join(dir, "practice.toml"))
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if raw, err := os.ReadFile(filepath.Join(dir, "address")); err == nil && len(raw) > 0 {
			return "http://" + strings.TrimSpace(string(raw))
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the insurer's server ended: %v\n%s", err, &log)
		case <-tick.C:
		}
	}
}

// opened builds everything that the configuration names, and gives the payers.
func opened(t *testing.T, file string) (map[string]published, error) {
	t.Helper()
	p := &program{getenv: func(string) string { return "" }, stdout: io.Discard, stderr: io.Discard, now: time.Now, rand: rand.Reader}
	c, err := p.load(file, config.Config.Validate)
	if err != nil {
		return nil, err
	}
	h, err := p.open(t.Context(), c, p.logger(c))
	if err != nil {
		return nil, err
	}
	t.Cleanup(h.close)
	all, err := h.allPayers(p)
	if err != nil {
		return nil, err
	}
	byID := map[string]published{}
	for _, one := range all {
		byID[one.ID()] = one
	}
	return byID, nil
}

// sealed is a check as a terminal makes it from what its profile tells of the payer.
func sealed(t *testing.T, to profile.Payer, n int, day civil.Date) payer.Check {
	t.Helper()
	q := eligibility.Inquiry{
		RecordID: fmt.Sprintf("019aa34c-2f00-7000-8000-%012d", n), InsurerNumber: "990119", Symbol: "みな・港12", Number: "77310042", Branch: "01",
		BirthDate: civil.Date{Year: 1980, Month: 4, Day: 1}, VisitDay: day,
	}
	plain, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := age.ParseX25519Recipient(to.Recipient)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipient)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return payer.Check{RecordID: q.RecordID, VisitDay: day, Sealed: out.Bytes()}
}

func answerOf(t *testing.T, p published, n int, day civil.Date) (payer.Finding, error) {
	t.Helper()
	found, err := p.Answer(t.Context(), actor.System{Name: "worker.payer"}, audit.EligibilityAnswer, []payer.Check{sealed(t, p.Published(), n, day)})
	if err != nil || len(found) != 1 {
		return payer.Finding{}, err
	}
	return found[0], nil
}

// A payer of the configuration is asked over FHIR as its server lets clients in.
func TestPayersOfTheConfigurationAreAsked(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs a program")
	}
	dir, file := site(t, "")
	keys := filepath.Join(dir, "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := keyfile.ECDSA(filepath.Join(keys, "payer-kumiai.pem"), rand.Reader); err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(keys, "payer-kumiai.pem.pub")
	base := insurer(t, "madoguchi", public)
	tokenFile := filepath.Join(dir, "token")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(raw)+fmt.Sprintf(`
[[payer.fhir]]
id = "kumiai"
name = "みなと健保組合"
base_url = "%[1]s/practice/fhir/r4"
token_url = "%[1]s/practice/fhir/token"
client_id = "madoguchi"
[[payer.fhir]]
id = "filed"
name = "みなと健保組合"
base_url = "%[1]s/practice/fhir/r4"
token_file = %[2]q
timeout = "3s"
[[payer.fhir]]
id = "unfiled"
name = "みなと健保組合"
base_url = "%[1]s/practice/fhir/r4"
token_file = %[2]q
[[payer.fhir]]
id = "stranger"
name = "みなと健保組合"
base_url = "%[1]s/practice/fhir/r4"
`, base, tokenFile))
	payers, err := opened(t, file)
	if err != nil {
		t.Fatal(err)
	}
	october, november := civil.Date{Year: 2026, Month: 10, Day: 31}, civil.Date{Year: 2026, Month: 11, Day: 1}
	for i, c := range []struct {
		day  civil.Date
		want eligibility.Validity
	}{{october, eligibility.Valid}, {november, eligibility.Invalid}} {
		f, err := answerOf(t, payers["kumiai"], i, c.day)
		if err != nil || f.Answer.Validity != c.want || f.Answer.VisitDay != c.day {
			t.Errorf("%s: %s, refused %q, waiting %v: %v", c.day, f.Answer.Validity, f.Refused, f.Waiting, err)
		}
	}
	for _, id := range []string{"unfiled", "stranger"} { // without the file, and with nothing at all
		if f, err := answerOf(t, payers[id], 10, october); err == nil && !f.Waiting {
			t.Errorf("%s is let in: %+v", id, f)
		}
	}
	write(t, tokenFile, credentials(t, base, keys)+"\n")
	if f, err := answerOf(t, payers["filed"], 11, october); err != nil || f.Answer.Validity != eligibility.Valid {
		t.Errorf("with a token from a file: %s, refused %q, waiting %v: %v", f.Answer.Validity, f.Refused, f.Waiting, err)
	}
	write(t, tokenFile, "revoked\n")
	if f, err := answerOf(t, payers["filed"], 12, october); err == nil && !f.Waiting {
		t.Errorf("with a revoked token: %+v", f)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, base+"/practice/fhir/behaviour", strings.NewReader(`{"status":503}`))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("behaviour: %v", err)
	}
	if f, err := answerOf(t, payers["kumiai"], 13, october); err == nil && !f.Waiting {
		t.Errorf("a server in trouble gives a word: %+v", f)
	}
}

// credentials gets a token at the address, as an operator would for the file.
func credentials(t *testing.T, base, keys string) string {
	t.Helper()
	p := &program{getenv: func(string) string { return "" }, stdout: io.Discard, stderr: io.Discard, now: time.Now, rand: rand.Reader}
	h := &house{}
	h.now = time.Now
	source, err := h.payerToken(config.FHIRPayer{TokenURL: base + "/practice/fhir/token", ClientID: "madoguchi", ClientKeyFile: filepath.Join(keys, "payer-kumiai.pem")}, nil, p)
	if err != nil {
		t.Fatal(err)
	}
	token, err := source(context.Background(), true)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestPayersThatCannotBeUsed(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"no certificates": {`ca_file = "/nonexistent.pem"`, "payer kumiai"},
		"odd timeout":     {`timeout = "10"`, "payer.fhir[0].timeout"},
		"negative":        {`timeout = "-10s"`, "payer.fhir[0].timeout"},
		"too patient":     {`timeout = "61s"`, "payer.fhir[0].timeout"},
		"both tokens":     {"token_file = \"x\"\ntoken_url = \"https://x.example/t\"\nclient_id = \"c\"", "payer.fhir[0].token_file"},
		"no client":       {`token_url = "https://x.example/t"`, "payer.fhir[0].token_url"},
		"plain http":      {`base_url = "http://payer.example/r4"`, "payer.fhir[0].base_url"},
	} {
		_, file := site(t, "")
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := "\n[[payer.fhir]]\nid = \"kumiai\"\nname = \"x\"\n" + c.text + "\n"
		if !strings.Contains(c.text, "base_url") {
			text += "base_url = \"https://payer.example/r4\"\n"
		}
		write(t, file, string(raw)+text)
		if _, err := opened(t, file); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
