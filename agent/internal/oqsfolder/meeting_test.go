package oqsfolder_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/oqsfolder"
	"madoguchi.example/agent/internal/precheck"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/oqs"
	"madoguchi.example/shared/wire"
)

// The desk meets a 資格確認端末 that was written without it: the practice program, as a
// process of its own, over real folders, with every habit that it knows.

const meetingPeople = `resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since
R1,990019,髙橋﨑,花,ヤマダ,ハナ,Y,H,1980-04-01,2,000-0101,架空県みなと市本町1丁目𠮷番,2010-04-01
R4,990019,山野,キヨ,ヤマノ,キヨ,Y,K,1954-06-01,2,000-0102,架空県みなと市港町3丁目,2010-04-01
`

const meetingCoverage = `resident_ref,municipality_code,payer,insurer_number,insurer_name,symbol,number,branch,valid_from,valid_to,copayment_percent,insured_kind
R1,990019,registry,990119,みなと市国保,みな・港12,77310042,01,2024-04-01,2026-10-31,30,insured
R1,990019,registry,06990118,みなと健保組合,５５,88420153,00,2026-11-01,,30,insured
R4,990019,registry,990119,みなと市国保,みな・港13,55310042,01,2024-04-01,2025-03-31,20,insured
`

// lastDay is noon of the last day of R1's first coverage.
var lastDay = time.Date(2026, 10, 31, 3, 0, 0, 0, time.UTC)

// terminal is the practice program.
type terminal struct {
	program, dir, people, state, encoding string
	cmd                                   *exec.Cmd
	url                                   string
}

func newTerminal(t *testing.T, program, encoding string) *terminal {
	t.Helper()
	x := &terminal{program: program, dir: filepath.Join(t.TempDir(), "share"), people: t.TempDir(), state: t.TempDir(), encoding: encoding}
	for name, text := range map[string]string{"residents.csv": meetingPeople, "coverage.csv": meetingCoverage} {
		if err := os.WriteFile(filepath.Join(x.people, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	x.start(t)
	t.Cleanup(x.stop)
	return x
}

func (x *terminal) start(t *testing.T) {
	t.Helper()
	address := filepath.Join(x.state, "address")
	_ = os.Remove(address)
	x.cmd = exec.Command(x.program, "oqs", "--dir", x.dir, "--people", x.people, "--institution", "4710000009", "--encoding", x.encoding, "--state-dir", x.state)
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, "the terminal does not start", func() bool {
		b, err := os.ReadFile(address)
		x.url = "http://" + strings.TrimSpace(string(b)) + "/practice/oqs"
		return err == nil && len(b) > 0
	})
}

func (x *terminal) stop() {
	_ = x.cmd.Process.Kill()
	_ = x.cmd.Wait()
}

// within asks again and again until done is true.
func within(t *testing.T, otherwise string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(otherwise)
		}
	}
}

func (x *terminal) call(t *testing.T, method, path, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, x.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, raw, err)
	}
	return string(raw)
}

func (x *terminal) behave(t *testing.T, habit string) {
	t.Helper()
	x.call(t, http.MethodPut, "/behaviour", habit)
}

// asked tells how often each identifier was asked for.
func (x *terminal) asked(t *testing.T) map[string]int {
	t.Helper()
	var state struct{ Identifiers []string }
	if err := json.Unmarshal([]byte(x.call(t, http.MethodGet, "/state", "")), &state); err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, id := range state.Identifiers {
		n[id]++
	}
	return n
}

// meeting is a desk, on a real queue and a real vault with a clock that the test moves, and
// a terminal.
type meeting struct {
	*check.Desk
	*terminal
	home     string
	now      time.Time
	vault    *vault.Vault
	queue    *queue.Queue
	exchange *oqsfolder.Exchange
	pre      *precheck.Precheck
	code     oqs.Encoding
	there    map[string][]byte // what lay in res and face at any time, and what must stay in it
	ids      []string
	rejected []error
}

func meet(t *testing.T, x *terminal, code oqs.Encoding) *meeting {
	t.Helper()
	m := &meeting{home: t.TempDir(), now: lastDay, terminal: x, code: code, there: map[string][]byte{}}
	if err := m.key().Create(rand.Reader); err != nil {
		t.Fatal(err)
	}
	m.open(t)
	t.Cleanup(m.close)
	m.foreign(t)
	m.behave(t, `{}`)
	return m
}

func (m *meeting) key() vault.KeyFile { return vault.KeyFile(filepath.Join(m.home, "vault.key")) }

func (m *meeting) close() { _ = errors.Join(m.queue.Close(), m.vault.Close()) }

// open starts the desk on what lies on the disk.
func (m *meeting) open(t *testing.T) {
	t.Helper()
	clock := func() time.Time { return m.now }
	var err error
	if m.vault, err = vault.Open(t.Context(), m.home, vault.Options{Key: m.key(), Now: clock, Rand: rand.Reader, Terminal: "trm_test"}); err != nil {
		t.Fatal(err)
	}
	source := handle.Source{Now: clock, Rand: rand.Reader}
	if m.queue, err = queue.Open(m.vault, queue.Limits{}, source); err != nil {
		t.Fatal(err)
	}
	m.exchange = oqsfolder.New(oqsfolder.Config{
		ReqDir: filepath.Join(m.terminal.dir, "req"), ResDir: filepath.Join(m.terminal.dir, "res"), FaceDir: filepath.Join(m.terminal.dir, "face"),
		Institution: "4710000009", Encoding: m.code, Now: clock, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
	})
	m.Desk = check.New(check.Config{
		Queue: m.queue, Book: casebook.New(m.vault.Shelf(casebook.ShelfName)),
		Profile: func() profile.Profile { return profile.Profile{Class: profile.Clinic, AnswerTimeoutMS: 10_000} },
		Line:    func() uplink.Line { return uplink.Line{Up: true, Since: lastDay} },
		Kick:    func() {}, Now: clock, Online: online{m.exchange},
		Seal:     func(string, []byte) ([]byte, error) { return nil, errors.New("nothing is sealed here") },
		Open:     func([]byte) ([]byte, error) { return nil, errors.New("nothing is sealed here") },
		Shelf:    func(name string) casebook.Shelf { return m.vault.Shelf(name) },
		Rejected: func(_ string, err error) { m.rejected = append(m.rejected, err) },
	})
	m.pre = precheck.New(precheck.Config{
		Shelf: func(name string) casebook.Shelf { return m.vault.Shelf(name) }, Online: m.exchange, Now: clock,
		NewID: func() (string, error) { id, err := source.UUID(); return id.String(), err },
	})
}

// restart ends the desk and starts it on what lies on the disk.
func (m *meeting) restart(t *testing.T) {
	t.Helper()
	m.close()
	m.open(t)
}

func (m *meeting) chase(t *testing.T) {
	t.Helper()
	if err := m.Chase(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (m *meeting) shown(t *testing.T, id string) check.View {
	t.Helper()
	v, err := m.Case(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// online is the exchange as the desk asks it.
type online struct{ *oqsfolder.Exchange }

func (o online) Health() check.Health {
	h := o.Exchange.Health()
	return check.Health{Ready: h.Ready, Fault: h.Fault, LastAnswer: h.LastAnswer}
}

// foreign puts files of other programs beside ours.
func (m *meeting) foreign(t *testing.T) {
	t.Helper()
	answer := `<?xml version="1.0" encoding="UTF-8"?><XmlMsg><MessageHeader><ArbitraryFileIdentifier>rececon-1</ArbitraryFileIdentifier><SegmentOfResult>1</SegmentOfResult></MessageHeader><MessageBody/></XmlMsg>`
	for name, text := range map[string]string{
		"req/rececon.tmp": "x", "req/.madoguchi-old": "x", "res/OQSsiquc01res_rececon1.xml": answer, "res/OQSsiquc01res_rececon2.xml": "<half",
		"res/OQSsihvd01res_1.xml": "x", "res/memo.txt": "x", "res/OQSsiquc01res_rececon3.zip": "PK", "face/memo.xml": "x",
	} {
		if err := os.WriteFile(filepath.Join(m.terminal.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m.there[name] = []byte(text)
	}
}

// everything is the desk and the evening's check as one taker.
type everything struct {
	*check.Desk
	pre *precheck.Precheck
}

func (e everything) TakeReception(ctx context.Context, r oqs.Reception) error {
	return e.pre.TakeReception(ctx, r)
}
func (e everything) TakeBulk(ctx context.Context, r oqs.Result) error { return e.pre.TakeBulk(ctx, r) }

func (m *meeting) scan(t *testing.T) {
	t.Helper()
	m.exchange.Scan(t.Context(), everything{m.Desk, m.pre})
	for _, dir := range []string{"res", "face"} {
		entries, _ := os.ReadDir(filepath.Join(m.terminal.dir, dir)) // the share may be away
		for _, e := range entries {
			name := dir + "/" + e.Name()
			if _, seen := m.there[name]; !seen && e.Name() != ".writing" {
				m.there[name] = nil
			}
		}
	}
}

// person records somebody whose numbers are in the register.
func (m *meeting) person(t *testing.T, ref string) casebook.Case {
	t.Helper()
	e := check.Entry{
		Insurer: "990119", Symbol: "みな・港12", Number: "77310042", Branch: "01", BirthDate: "S55.4.1", Label: "ヤマダ ハナ",
		Evidence: eligibility.EvidenceCertificate, Copayment: 30, Operator: "受付１", OperatorID: "op_1", Override: true,
	}
	if ref == "R4" {
		e.Symbol, e.Number, e.BirthDate, e.Label = "みな・港13", "55310042", "1954-06-01", "ヤマノ キヨ"
	}
	c, _, err := m.Record(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	m.ids = append(m.ids, c.RecordID)
	return c
}

// step is how far the desk's clock moves between two looks.
const step = 250 * time.Millisecond

// pump lets both sides work until done or for so many steps, and looks at the valid row at
// every one of them.
func (m *meeting) pump(t *testing.T, valid string, steps int, done func() bool) bool {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range steps {
		m.scan(t)
		if v := m.shown(t, valid); v.Display == "invalid" || v.Display == "none_found" || v.Display == "newer_coverage" {
			t.Fatalf("a valid coverage is shown as %s", v.Display)
		}
		if done() {
			return true
		}
		<-tick.C
		m.now = m.now.Add(step)
	}
	return false
}

func (m *meeting) answered(t *testing.T, ids ...string) func() bool {
	return func() bool {
		for _, id := range ids {
			if m.shown(t, id).State != eligibility.Answered {
				return false
			}
		}
		return true
	}
}

// settle has the terminal behave and everything asked again until there is a word.
func (m *meeting) settle(t *testing.T, valid string, ids ...string) {
	t.Helper()
	m.behave(t, `{}`)
	m.now = m.now.Add(time.Minute) // the question is due again
	for range 8 {
		m.chase(t)
		if m.pump(t, valid, 60, m.answered(t, ids...)) {
			return
		}
		m.now = m.now.Add(20 * time.Minute)
	}
	for _, id := range ids {
		v := m.shown(t, id)
		t.Errorf("never answered: %s %s asked %d; %+v", v.State, v.Display, v.Asked, m.exchange.Health())
	}
}

// left checks that nothing of others is gone or changed, and that each record of ours has
// one outcome.
func (m *meeting) left(t *testing.T) {
	t.Helper()
	for name, want := range m.there {
		got, err := os.ReadFile(filepath.Join(m.terminal.dir, name))
		if err != nil || want != nil && !bytes.Equal(got, want) {
			t.Errorf("%s is gone or changed: %v", name, err)
		}
	}
	outcomes := map[string]int{}
	records, err := m.queue.Peek(t.Context(), wire.MaxBatchRecords, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Kind == wire.KindEligibilityOutcome {
			o, err := wire.DecodeEligibilityOutcome(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			outcomes[o.Of]++
		}
	}
	for _, id := range m.ids {
		if outcomes[id] != 1 {
			t.Errorf("a record has %d outcomes", outcomes[id])
		}
	}
}

// What a habit leads to before the terminal behaves again.
const (
	comes  = "comes"  // the answer is taken
	waits  = "waits"  // there is none, and the question stays out
	broken = "broken" // the answer says nothing of the coverage: an error of the check
)

var habits = []struct{ name, habit, leads, trouble string }{
	{"well", `{}`, comes, ""},
	{"delay", `{"delay_ms":400}`, comes, ""},
	{"longer than patience", `{"delay_ms":3600000}`, waits, ""},
	{"silent", `{"silent":true}`, waits, ""},
	{"half", `{"half_ms":400}`, comes, ""},
	{"half for ever", `{"half_ms":3600000}`, waits, oqsfolder.FaultUnreadable},
	{"shift_jis", `{"encoding":"shift_jis"}`, comes, ""},
	{"utf-8", `{"encoding":"utf-8"}`, comes, ""},
	{"shift_jis that says utf-8", `{"encoding":"shift_jis_as_utf-8"}`, waits, oqsfolder.FaultEncoding},
	{"utf-8 that says shift_jis", `{"encoding":"utf-8_as_shift_jis"}`, comes, ""},
	{"in progress", `{"in_progress":1}`, comes, ""},
	{"abnormal", `{"abnormal":"OQX-1"}`, waits, oqsfolder.FaultAbnormal},
	{"line cut", `{"line_cut":true}`, waits, oqsfolder.FaultAbnormal},
	{"reordered", `{"reorder":true}`, comes, ""},
	{"rare kanji", `{"rare":true}`, comes, ""},
	{"zip", `{"zip":true}`, waits, oqsfolder.FaultZip},
	{"left to lie", `{"leave":true}`, comes, ""},
	{"remark", `{"remark":"3か月以内"}`, comes, ""},
	{"everything", `{"delay_ms":100,"half_ms":300,"encoding":"shift_jis","reorder":true,"rare":true,"leave":true,"remark":"x"}`, comes, ""},
	{"no identifier", `{"omit":["ArbitraryFileIdentifier"]}`, waits, ""},
	{"no day", `{"omit":["QualificationConfirmationDate"]}`, comes, ""},
	{"no end", `{"omit":["SegmentOfResult"]}`, comes, ""},
	{"no character set", `{"omit":["CharacterCodeIdentifier"]}`, comes, ""},
	{"no status", `{"omit":["ProcessingResultStatus"]}`, comes, ""},
	{"no word", `{"omit":["QualificationValidity"]}`, broken, ""},
	{"no coverage", `{"omit":["ResultList"]}`, comes, ""},
	{"no names", `{"omit":["Name","NameKana","InsuredName"]}`, comes, ""},
	{"no birth date", `{"omit":["Birthdate"]}`, comes, ""},
	{"no numbers", `{"omit":["InsurerNumber","InsuredCardSymbol","InsuredIdentificationNumber","InsuredBranchNumber"]}`, comes, ""},
	{"no days", `{"omit":["QualificationDate","DisqualificationDate"]}`, comes, ""},
	{"no header", `{"omit":["MessageHeader"]}`, waits, ""},
	{"no body", `{"omit":["MessageBody"]}`, broken, ""},
	{"abnormal without a day", `{"abnormal":"OQX-1","omit":["QualificationConfirmationDate"]}`, waits, oqsfolder.FaultAbnormal},
	{"in progress without a day", `{"in_progress":1,"omit":["QualificationConfirmationDate"]}`, comes, ""},
}

func practiceProgram(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs a program")
	}
	program := filepath.Join(t.TempDir(), "madoguchi-practice")
	if out, err := exec.Command("go", "build", "-o", program, "madoguchi.example/deploy/cmd/madoguchi-practice").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// spared tells whether a habit is left to the long run: to wait for nothing takes as long in
// the second character set as in the first.
func spared(code oqs.Encoding, leads string) bool {
	return code == oqs.ShiftJIS && leads == waits && os.Getenv("MADOGUCHI_SOAK") == ""
}

func TestMeetsTheTerminalInEveryMood(t *testing.T) {
	t.Parallel()
	program := practiceProgram(t)
	for _, code := range []oqs.Encoding{oqs.UTF8, oqs.ShiftJIS} {
		x := newTerminal(t, program, string(code))
		for _, h := range habits {
			if spared(code, h.leads) {
				continue
			}
			t.Run(string(code)+"/"+h.name, func(t *testing.T) {
				m := meet(t, x, code)
				good, ended := m.person(t, "R1"), m.person(t, "R4")
				m.behave(t, h.habit)
				m.chase(t)
				steps := 48 // beyond the patience of the exchange
				if h.leads == comes {
					steps = 500
				}
				came := m.pump(t, good.RecordID, steps, m.answered(t, good.RecordID, ended.RecordID))
				if came != (h.leads != waits) {
					v := m.shown(t, good.RecordID)
					t.Errorf("answered %v: %s %s %+v", came, v.State, v.Display, m.exchange.Health())
				}
				if h.trouble != "" && !m.pump(t, good.RecordID, 200, func() bool { return m.troubled(h.trouble) }) {
					t.Errorf("%s is not in sight: %+v", h.trouble, m.exchange.Health().Trouble)
				}
				m.settle(t, good.RecordID, good.RecordID, ended.RecordID)
				want, other := check.Display("valid"), check.Display("invalid")
				if h.leads == broken {
					want, other = check.DisplayError, check.DisplayError
				}
				if a, b := m.shown(t, good.RecordID), m.shown(t, ended.RecordID); a.Display != want || b.Display != other || a.OtherPerson || b.OtherPerson {
					t.Errorf("%s and %s, another person %v and %v", a.Display, b.Display, a.OtherPerson, b.OtherPerson)
				}
				m.restart(t) // everything is read once more, and nothing changes
				m.scan(t)
				m.left(t)
			})
		}
	}
}

// troubled tells whether a fault is in sight.
func (m *meeting) troubled(word string) bool {
	return slices.ContainsFunc(m.exchange.Health().Trouble, func(x oqsfolder.Trouble) bool { return x.Fault == word })
}

// A late check asks for the day of the visit: on the next day another coverage counts.
func TestMeetsTheTerminalAfterTheShareWasAway(t *testing.T) {
	x := newTerminal(t, practiceProgram(t), "utf-8")
	m := meet(t, x, oqs.UTF8)
	asked := m.person(t, "R1")
	m.behave(t, `{"silent":true}`)
	m.chase(t)
	m.pump(t, asked.RecordID, 20, func() bool { return false })
	x.stop()
	away := x.dir + ".away"
	if err := os.Rename(x.dir, away); err != nil {
		t.Fatal(err)
	}
	m.scan(t)
	late := m.person(t, "R1")
	for range 3 {
		m.now = m.now.Add(time.Hour)
		_ = m.Chase(t.Context()) // nothing can be asked, and nothing is lost
		m.scan(t)
	}
	if v := m.shown(t, late.RecordID); v.Asked != 0 || v.State != eligibility.Queued {
		t.Errorf("%s, asked %d", v.State, v.Asked)
	}
	m.restart(t)
	m.now = m.now.AddDate(0, 0, 3)
	if err := os.Rename(away, x.dir); err != nil {
		t.Fatal(err)
	}
	x.start(t)
	m.scan(t)
	m.settle(t, asked.RecordID, asked.RecordID, late.RecordID)
	for _, id := range []string{asked.RecordID, late.RecordID} {
		if v := m.shown(t, id); v.Display != "valid" {
			t.Errorf("%s", v.Display)
		}
	}
	m.left(t)
}

// The receipt computer is faster: it takes every answer away unread.
func TestMeetsTheTerminalBesideAReceiptComputer(t *testing.T) {
	x := newTerminal(t, practiceProgram(t), "shift_jis")
	m := meet(t, x, oqs.UTF8)
	c := m.person(t, "R1")
	m.chase(t)
	taken := t.TempDir()
	within(t, "no answer", func() bool {
		files, _ := filepath.Glob(filepath.Join(x.dir, "res", "OQSsiquc01res_"+strings.Repeat("[0-9]", 22)+".xml"))
		for _, f := range files {
			if err := os.Rename(f, filepath.Join(taken, filepath.Base(f))); err != nil {
				t.Fatal(err)
			}
		}
		return len(files) > 0
	})
	m.pump(t, c.RecordID, 48, func() bool { return false })
	if v := m.shown(t, c.RecordID); v.State != eligibility.Sent || v.Display != check.DisplayLate {
		t.Errorf("%s %s", v.State, v.Display)
	}
	m.settle(t, c.RecordID, c.RecordID)
	if n := x.asked(t)[c.RecordID]; n != 2 {
		t.Errorf("asked %d times", n)
	}
	m.left(t)
}

func TestMeetsTheTerminalInTheEvening(t *testing.T) {
	t.Parallel()
	program := practiceProgram(t)
	const list = "time,patient,kana,birth_date,insurer_number,symbol,number,branch,visit_day\n" +
		"09:00,P-1,ヤマダ ハナ,1980-04-01,06990118,５５,88420153,00,2026-11-01\n" +
		"09:30,P-2,ヤマノ キヨ,1954-06-01,990119,みな・港13,55310042,01,2026-11-01\n"
	for _, code := range []oqs.Encoding{oqs.UTF8, oqs.ShiftJIS} {
		x := newTerminal(t, program, string(code))
		for _, h := range habits {
			if h.name == "no body" || h.name == "no coverage" || spared(code, h.leads) {
				continue // a bulk answer has no body of its own to lack, and no list
			}
			t.Run(string(code)+"/"+h.name, func(t *testing.T) {
				m := meet(t, x, code)
				row := m.person(t, "R1") // for the rows that pump looks at
				m.ids = nil
				if _, err := m.pre.Load(t.Context(), []byte(list)); err != nil {
					t.Fatal(err)
				}
				m.behave(t, h.habit)
				if err := m.pre.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				known := func() (valid, ended *casebook.Known) {
					all, err := m.pre.Bookings(t.Context(), civil.Date{Year: 2026, Month: 11, Day: 1})
					if err != nil || len(all) != 2 {
						t.Fatalf("%d %v", len(all), err)
					}
					return all[0].Known, all[1].Known
				}
				told := func() bool {
					if err := m.pre.Chase(t.Context()); err != nil {
						t.Fatal(err)
					}
					v, e := known()
					if v != nil && v.Validity != eligibility.Valid || e != nil && e.Validity != eligibility.Invalid {
						t.Fatalf("known %+v %+v", v, e)
					}
					return v != nil && e != nil
				}
				m.pump(t, row.RecordID, 20, told)
				m.behave(t, `{}`)
				m.now = m.now.Add(5 * time.Minute)
				for range 6 {
					if m.pump(t, row.RecordID, 30, told) {
						break
					}
					m.now = m.now.Add(20 * time.Minute)
				}
				if h.leads == broken { // a word came that says nothing: asked once more by a person
					if err := m.pre.Run(t.Context()); err != nil {
						t.Fatal(err)
					}
					for range 3 {
						m.pump(t, row.RecordID, 30, told)
						m.now = m.now.Add(20 * time.Minute)
					}
				}
				if !told() {
					t.Errorf("nothing is known: %+v", m.exchange.Health())
				}
				m.left(t)
			})
		}
	}
}

func TestMeetsTheFaceReader(t *testing.T) {
	program := practiceProgram(t)
	for _, h := range habits {
		if h.leads != comes {
			continue
		}
		t.Run(h.name, func(t *testing.T) {
			x := newTerminal(t, program, "utf-8")
			m := meet(t, x, oqs.UTF8)
			c := m.person(t, "R1")
			m.behave(t, h.habit)
			x.call(t, http.MethodPost, "/face", `{"resident":"R1","day":"2026-10-31","consents":["drugs"]}`)
			lost := func() bool { // without them no row is found, and a person does it
				faces, err := m.Faces(t.Context())
				return err == nil && len(faces) > 0
			}
			if !m.pump(t, c.RecordID, 600, func() bool { return m.answered(t, c.RecordID)() || lost() }) {
				t.Fatalf("the result is lost: %+v", m.exchange.Health())
			}
			if lost() {
				m.ids = nil
			} else if v := m.shown(t, c.RecordID); v.Display != "valid" {
				t.Errorf("%s", v.Display)
			}
			m.left(t)
		})
	}
}
