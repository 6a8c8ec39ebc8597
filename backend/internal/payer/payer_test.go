package payer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/keyfile"
	"madoguchi.example/backend/internal/payer"
	"madoguchi.example/backend/internal/store"
	storeaudit "madoguchi.example/backend/internal/store/audit"
	storecitizen "madoguchi.example/backend/internal/store/citizen"
	storeintake "madoguchi.example/backend/internal/store/intake"
	storepayer "madoguchi.example/backend/internal/store/payer"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

const municipalities = `municipality_code,name_ja,name_easy,name_en,counter_name,counter_place,counter_phone,counter_hours
990019,みなと市,みなとし,Minato City,国保年金課,1階,000-000-0000,9-17
`

// The seeded numbers: none of them may be found outside the register and the seals.
const (
	insurerA = "990119" // 国保, fictional
	insurerB = "06990118"
	numberA  = "77310042"
	numberB  = "88420153"
	symbolA  = "みな・港12"
)

const residents = `resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since
r1,990019,青海,花子,アオミ,ハナコ,AOMI,HANAKO,1980-04-01,2,000-0001,みなと市1-1,2010-04-01
r2,990019,青海,太郎,アオミ,タロウ,AOMI,TARO,2015-05-05,1,000-0001,みなと市1-1,2015-05-05
r3,990019,青海,次郎,アオミ,ジロウ,AOMI,JIRO,2015-05-05,1,000-0001,みなと市1-1,2015-05-05
`

const coverage = `resident_ref,municipality_code,payer,insurer_number,insurer_name,symbol,number,branch,valid_from,valid_to,copayment_percent,insured_kind
r1,990019,registry,990119,みなと市国保,みな・港12,77310042,01,2024-04-01,2026-10-31,30,insured
r1,990019,registry,06990118,みなと健保組合,５５,88420153,00,2026-11-01,,30,insured
r2,990019,registry,990119,みなと市国保,みな・港12,77310042,02,2024-04-01,,20,dependant
r3,990019,registry,990119,みなと市国保,みな・港12,77310042,03,2024-04-01,,20,dependant
`

var (
	clinic = actor.Terminal{ID: "trm_clinic", Office: "ofc_1", Municipality: "990019", Class: "clinic"}
	system = actor.System{Name: "worker.payer"}
)

type bench struct {
	*payer.Desk
	db       *store.DB
	intake   *intake.Intake
	registry *payer.Registry
	terminal *age.X25519Identity
	people   *storecitizen.Rows
	record   *audit.Log
	log      *lockedBuffer
	ids      handle.Source
	seq      uint64
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// Recipient implements payer.Terminals for the one terminal of the test.
func (b *bench) Recipient(context.Context, actor.System, audit.Purpose, string) (string, error) {
	return b.terminal.Recipient().String(), nil
}

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		rep := b.load(t, map[string]string{"municipalities.csv": municipalities, "residents.csv": residents, "coverage.csv": coverage})
		if rep.Refused() != 0 {
			t.Fatalf("import: %+v", rep)
		}
		fn(t, b)
	})
}

func identityOf(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newBench(t testing.TB, db *store.DB) *bench {
	t.Helper()
	random := storetest.Rand(t.Name())
	b := &bench{
		db: db, terminal: identityOf(t), people: storecitizen.New(db.Reads()), log: &lockedBuffer{},
		record: audit.New(storeaudit.New(db.Reads()), audit.Register(), storetest.Now, random),
		ids:    handle.Source{Now: storetest.Now, Rand: random},
	}
	logger := slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	jobs, err := job.Open(db, job.Config{Now: storetest.Now, Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	b.intake = intake.New(intake.Deps{
		Runner: db.Runner(), Rows: storeintake.New(db.Reads()), Queue: jobs, Log: logger,
		Now: storetest.Now, Rand: random, ServerEpoch: db.ServerEpoch(),
	})
	key, err := keyfile.X25519(filepath.Join(t.TempDir(), "keys", "payer"))
	if err != nil {
		t.Fatal(err)
	}
	b.registry = payer.NewRegistry(payer.RegistryDeps{
		Runner: db.Runner(), Rows: storepayer.New(), People: b.people, Record: b.record, Key: key, Name: "みなと市国保",
	})
	b.Desk = b.desk(b.registry)
	return b
}

func (b *bench) desk(p ...payer.Payer) *payer.Desk {
	return payer.New(payer.Deps{
		Inbox: b.intake, Terminals: b, Record: b.record, Payers: p,
		Log: slog.New(slog.NewJSONHandler(b.log, nil)), Now: storetest.Now,
	})
}

func (b *bench) load(t testing.TB, files map[string]string) importing.Report {
	t.Helper()
	people := citizen.New(citizen.Deps{
		Runner: b.db.Runner(), Rows: b.people, Record: b.record, Looked: b.record, Now: storetest.Now, Rand: storetest.Rand("people"),
	})
	var sources []importing.Source
	for name, csv := range files {
		sources = append(sources, importing.Source{Name: name, Size: int64(len(csv)), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(csv)), nil
		}})
	}
	rep, err := importing.New(b.db.Runner(), append(people.Importers(), b.registry.Importer())...).Import(t.Context(), system, sources)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// question is an inquiry by the seeded number of r1's old coverage, changed.
func (b *bench) question(t testing.TB, change func(*eligibility.Inquiry)) eligibility.Inquiry {
	t.Helper()
	id, err := b.ids.UUID()
	if err != nil {
		t.Fatal(err)
	}
	q := eligibility.Inquiry{
		RecordID: id.String(), InsurerNumber: insurerA, Symbol: symbolA, Number: numberA, Branch: "01",
		BirthDate: date("1980-04-01"), VisitDay: date("2026-10-20"),
	}
	change(&q)
	return q
}

func date(s string) civil.Date {
	d, err := civil.Parse(s)
	if err != nil {
		panic(err)
	}
	return d
}

func sealTo(t testing.TB, to age.Recipient, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (b *bench) recordOf(t testing.TB, id string, check wire.EligibilityCheck) wire.Record {
	t.Helper()
	body, err := json.Marshal(check)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Record{ID: id, Epoch: "q1", Kind: wire.KindEligibilityCheck, At: storetest.Now(), Body: body}
}

func (b *bench) sealed(t testing.TB, q eligibility.Inquiry) wire.Record {
	t.Helper()
	plain, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	return b.recordOf(t, q.RecordID, b.check(q.VisitDay, sealTo(t, b.registry.Key.Recipient(), plain)))
}

func (b *bench) check(visit civil.Date, sealed []byte) wire.EligibilityCheck {
	return wire.EligibilityCheck{
		Payer: payer.RegistryID, VisitDay: visit, Cause: string(eligibility.CauseLineBefore),
		Evidence: string(eligibility.EvidenceCertificate), Operator: "op_1", Sealed: sealed,
	}
}

// send takes the records in as one batch and gives the batch's handle.
func (b *bench) send(t testing.TB, records ...wire.Record) string {
	t.Helper()
	for i := range records {
		b.seq++
		records[i].Sequence = b.seq
	}
	r, err := b.intake.Receive(t.Context(), clinic, audit.TerminalOperation,
		wire.Batch{Version: wire.Version, Terminal: clinic.ID, SentAt: storetest.Now(), Records: records})
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range r.Results {
		if res.Status != wire.Accepted {
			t.Fatalf("result %+v", res)
		}
	}
	return b.one(t, `SELECT batch_id FROM intake_record WHERE record_id = $1`, records[0].ID)
}

func (b *bench) one(t testing.TB, query string, args ...any) string {
	t.Helper()
	var s string
	if err := b.db.Reads().Each(t.Context(), query, args, func(scan func(...any) error) error { return scan(&s) }); err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *bench) answers(t testing.TB) map[string]wire.Answer {
	t.Helper()
	page, err := b.intake.Answers(t.Context(), clinic, audit.EligibilityAnswer, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]wire.Answer{}
	for _, a := range page.Answers {
		out[a.RecordID] = a
	}
	if len(out) != len(page.Answers) {
		t.Error("a record has two answers")
	}
	return out
}

func (b *bench) open(t testing.TB, a wire.Answer) eligibility.Answer {
	t.Helper()
	in, err := age.Decrypt(bytes.NewReader(a.Sealed), b.terminal)
	if err != nil {
		t.Fatalf("the terminal cannot open its answer (code %q): %v", a.Code, err)
	}
	plain, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := eligibility.ParseAnswer(plain)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (b *bench) state(t testing.TB, id string) string {
	t.Helper()
	return b.one(t, `SELECT state FROM intake_record WHERE record_id = $1`, id)
}

func (b *bench) run(t testing.TB, batch string) {
	t.Helper()
	if err := b.AnswerBatch(t.Context(), system, audit.EligibilityAnswer, batch); err != nil {
		t.Fatal(err)
	}
}

func TestTheRegistryAnswersForTheVisitDay(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		cases := map[string]struct {
			change func(*eligibility.Inquiry)
			want   eligibility.Validity
			holder string
			about  int // citizens whom the answer is about
			looked int // citizens whose coverage was read for it, where that is more
		}{
			"valid then":        {func(q *eligibility.Inquiry) {}, eligibility.Valid, "青海 花子", 1, 0},
			"without branch":    {func(q *eligibility.Inquiry) { q.Branch = "" }, eligibility.Valid, "青海 花子", 1, 3},
			"symbol as printed": {func(q *eligibility.Inquiry) { q.Symbol = "みな・港 １２" }, eligibility.Valid, "青海 花子", 1, 0},
			"ended, another":    {func(q *eligibility.Inquiry) { q.VisitDay = date("2026-11-21") }, eligibility.NewerCoverage, "", 1, 0},
			"before it began":   {func(q *eligibility.Inquiry) { q.VisitDay = date("2020-01-01") }, eligibility.Invalid, "", 1, 0},
			"the new one": {func(q *eligibility.Inquiry) {
				q.InsurerNumber, q.Symbol, q.Number, q.Branch = insurerB, "55", numberB, ""
				q.VisitDay = date("2026-11-01")
			}, eligibility.Valid, "青海 花子", 1, 0},
			"other birth date": {func(q *eligibility.Inquiry) { q.BirthDate = date("1980-04-02") }, eligibility.NoneFound, "", 0, 1},
			"other number":     {func(q *eligibility.Inquiry) { q.Number = "77310043" }, eligibility.NoneFound, "", 0, 0},
			"other insurer":    {func(q *eligibility.Inquiry) { q.InsurerNumber = insurerB }, eligibility.NoneFound, "", 0, 0},
			"other branch":     {func(q *eligibility.Inquiry) { q.Branch = "09" }, eligibility.NoneFound, "", 0, 0},
			"a child":          {func(q *eligibility.Inquiry) { q.Branch = "02"; q.BirthDate = date("2015-05-05") }, eligibility.Valid, "青海 太郎", 1, 0},
			"twins":            {func(q *eligibility.Inquiry) { q.Branch = ""; q.BirthDate = date("2015-05-05") }, eligibility.SeveralFound, "", 2, 3},
		}
		var records []wire.Record
		ids := map[string]string{}
		for name, c := range cases {
			r := b.sealed(t, b.question(t, c.change))
			records, ids[name] = append(records, r), r.ID
		}
		b.run(t, b.send(t, records...))
		got := b.answers(t)
		for name, c := range cases {
			a := b.open(t, got[ids[name]])
			if a.Validity != c.want || a.HolderKanji != c.holder || a.RecordID != ids[name] {
				t.Errorf("%s: %s about a holder of %d characters", name, a.Validity, len([]rune(a.HolderKanji)))
			}
			if (c.want == eligibility.NoneFound || c.want == eligibility.SeveralFound) && (a.InsurerNumber != "" || a.Number != "") {
				t.Errorf("%s: numbers of somebody went back", name)
			}
			if b.state(t, ids[name]) != string(intake.Answered) {
				t.Errorf("%s: state %s", name, b.state(t, ids[name]))
			}
			for action, want := range map[string]int{"coverage.read": max(c.looked, c.about), "eligibility.answer": c.about} {
				n := b.one(t, `SELECT count(DISTINCT citizen_id) FROM audit_entry WHERE object = $1 AND action = $2
					AND purpose = 'eligibility_answer' AND citizen_id <> '' AND municipality_code = '990019'`, ids[name], action)
				if n != fmt.Sprint(want) {
					t.Errorf("%s: %s names %s citizens, want %d", name, action, n, want)
				}
			}
		}
		if n := b.one(t, `SELECT count(*) FROM audit_entry WHERE action = 'eligibility.answer' AND actor_id <> $1`, clinic.ID); n != "0" {
			t.Errorf("%s answers are not put down to the terminal that asked", n)
		}
	})
}

func TestAnInquiryThatCannotBeReadGoesBackWithACodeAndNoWord(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		to := b.registry.Key.Recipient()
		q := b.question(t, func(*eligibility.Inquiry) {})
		plain, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		whole := sealTo(t, to, plain)
		flipped := bytes.Clone(whole)
		flipped[len(flipped)-1] ^= 1
		for name, c := range map[string]struct {
			check wire.EligibilityCheck
			code  string
		}{
			"to another key":  {b.check(q.VisitDay, sealTo(t, identityOf(t).Recipient(), plain)), "invalid_argument"},
			"cut off":         {b.check(q.VisitDay, whole[:len(whole)-5]), "invalid_argument"},
			"changed":         {b.check(q.VisitDay, flipped), "invalid_argument"},
			"not JSON":        {b.check(q.VisitDay, sealTo(t, to, []byte("77310042"))), "invalid_argument"},
			"oversized":       {b.check(q.VisitDay, sealTo(t, to, bytes.Repeat([]byte(" "), eligibility.MaxInquiryBytes+1))), "too_large"},
			"another record":  {b.check(q.VisitDay, whole), "conflict"},
			"unknown payer":   {func() wire.EligibilityCheck { c := b.check(q.VisitDay, whole); c.Payer = "fhir"; return c }(), "not_found"},
			"another day":     {b.check(date("2026-01-01"), whole), "conflict"},
			"empty":           {b.check(q.VisitDay, sealTo(t, to, nil)), "invalid_argument"},
			"unknown member":  {b.check(q.VisitDay, sealTo(t, to, []byte(`{"my_number":"x"}`))), "invalid_argument"},
			"null everything": {b.check(q.VisitDay, sealTo(t, to, []byte(`null`))), "invalid_argument"},
		} {
			t.Run(name, func(t *testing.T) {
				id := b.question(t, func(*eligibility.Inquiry) {}).RecordID
				good := b.sealed(t, b.question(t, func(*eligibility.Inquiry) {}))
				b.run(t, b.send(t, b.recordOf(t, id, c.check), good))
				got := b.answers(t)
				if a := got[id]; a.Code != c.code || len(a.Sealed) != 0 || b.state(t, id) != string(intake.Refused) {
					t.Errorf("code %q, %d sealed bytes, state %s", a.Code, len(a.Sealed), b.state(t, id))
				}
				if b.open(t, got[good.ID]).Validity != eligibility.Valid {
					t.Error("the neighbour was not answered")
				}
			})
		}
		b.noNumbers(t)
	})
}

// noNumbers looks for the seeded numbers, names and days in the log and in every table
// that is not a register.
func (b *bench) noNumbers(t *testing.T) {
	t.Helper()
	secrets := []string{numberA, numberB, "77310043", symbolA, "1980-04-01", "青海", "アオミ"}
	search := func(where, text string) {
		t.Helper()
		for i, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("seeded value %d stands in %s", i, where)
			}
		}
	}
	search("the log", b.log.String())
	for where, query := range map[string]string{
		"the records": `SELECT record_id, body FROM intake_record`,
		"the answers": `SELECT record_id, sealed FROM terminal_answer`,
	} {
		err := b.db.Reads().Each(t.Context(), query, nil, func(scan func(...any) error) error {
			var id string
			var raw []byte
			err := scan(&id, &raw)
			search(where, string(raw))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	cast := "CAST(args AS TEXT)"
	err := b.db.Reads().Each(t.Context(), `SELECT `+cast+` FROM river_job`, nil, func(scan func(...any) error) error {
		var args string
		err := scan(&args)
		search("the jobs", args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = b.db.Reads().Each(t.Context(), `SELECT action, object, items FROM audit_entry`, nil, func(scan func(...any) error) error {
		var action, object, items string
		err := scan(&action, &object, &items)
		search("the access record", action+object+items)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoNumberStandsInClearOutsideTheRegister(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.run(t, b.send(t, b.sealed(t, b.question(t, func(*eligibility.Inquiry) {})),
			b.sealed(t, b.question(t, func(q *eligibility.Inquiry) { q.Number = "77310043" }))))
		if len(b.answers(t)) != 2 {
			t.Fatal("not answered")
		}
		b.noNumbers(t)
	})
}

// out is a payer that cannot answer, or answers wrongly.
type out struct {
	findings func(checks []payer.Check) ([]payer.Finding, error)
}

func (out) ID() string { return "out" }
func (o out) Answer(_ context.Context, _ actor.System, _ audit.Purpose, checks []payer.Check) ([]payer.Finding, error) {
	return o.findings(checks)
}

func TestAPayerThatCannotAnswerLeavesTheRecordOpen(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		down := errors.New("cannot reach the payer")
		for name, findings := range map[string]func([]payer.Check) ([]payer.Finding, error){
			"an error":        func([]payer.Check) ([]payer.Finding, error) { return nil, down },
			"too few answers": func([]payer.Check) ([]payer.Finding, error) { return nil, nil },
			"no word":         func(c []payer.Check) ([]payer.Finding, error) { return make([]payer.Finding, len(c)), nil },
			"no validity": func(c []payer.Check) ([]payer.Finding, error) {
				return []payer.Finding{{Answer: eligibility.Answer{RecordID: c[0].RecordID, VisitDay: c[0].VisitDay}}}, nil
			},
			"another record": func(c []payer.Check) ([]payer.Finding, error) {
				return []payer.Finding{{Answer: eligibility.Answer{RecordID: "x", VisitDay: c[0].VisitDay, Validity: eligibility.Invalid}}}, nil
			},
			"another day": func(c []payer.Check) ([]payer.Finding, error) {
				return []payer.Finding{{Answer: eligibility.Answer{RecordID: c[0].RecordID, VisitDay: date("2020-01-01"), Validity: eligibility.Invalid}}}, nil
			},
		} {
			t.Run(name, func(t *testing.T) {
				desk := b.desk(b.registry, out{findings})
				q := b.question(t, func(*eligibility.Inquiry) {})
				check := b.check(q.VisitDay, sealTo(t, b.registry.Key.Recipient(), []byte("x")))
				check.Payer = "out"
				good := b.sealed(t, b.question(t, func(*eligibility.Inquiry) {}))
				batch := b.send(t, b.recordOf(t, q.RecordID, check), good)
				if err := desk.AnswerBatch(t.Context(), system, audit.EligibilityAnswer, batch); err == nil {
					t.Error("the job would not be tried again")
				}
				got := b.answers(t)
				if _, answered := got[q.RecordID]; answered || b.state(t, q.RecordID) != string(intake.Open) {
					t.Errorf("answered %v, state %s", answered, b.state(t, q.RecordID))
				}
				if b.open(t, got[good.ID]).Validity != eligibility.Valid {
					t.Error("the other payer's check was held up")
				}
			})
		}
	})
}

// dying is a store that dies around a commit of Settle: before it or after it.
type dying struct {
	payer.Inbox
	after bool
	calls int
}

var errDied = errors.New("the process died")

func (d *dying) Settle(ctx context.Context, who actor.System, purpose audit.Purpose, terminal string, all []intake.Settlement,
	also func(context.Context, tx.Tx, map[string]bool) error) error {
	d.calls++
	if !d.after {
		also = func(context.Context, tx.Tx, map[string]bool) error { return errDied }
	}
	return errors.Join(d.Inbox.Settle(ctx, who, purpose, terminal, all, also), errDied)
}

func TestAJobThatDiesAroundItsCommitAnswersOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for _, after := range []bool{false, true} {
			d := &dying{Inbox: b.intake, after: after}
			desk := payer.New(payer.Deps{Inbox: d, Terminals: b, Record: b.record, Payers: []payer.Payer{b.registry},
				Log: slog.New(slog.DiscardHandler), Now: storetest.Now})
			r := b.sealed(t, b.question(t, func(*eligibility.Inquiry) {}))
			batch := b.send(t, r)
			if err := desk.AnswerBatch(t.Context(), system, audit.EligibilityAnswer, batch); !errors.Is(err, errDied) || d.calls != 1 {
				t.Fatalf("error %v after %d calls", err, d.calls)
			}
			if _, answered := b.answers(t)[r.ID]; answered != after {
				t.Errorf("died after the commit %v: answered %v", after, answered)
			}
			b.run(t, batch)
			b.run(t, batch)
			if _, answered := b.answers(t)[r.ID]; !answered {
				t.Errorf("died after the commit %v: never answered", after)
			}
			if n := b.one(t, `SELECT count(*) FROM audit_entry WHERE action = 'eligibility.answer' AND object = $1`, r.ID); n != "1" {
				t.Errorf("died after the commit %v: %s access entries", after, n)
			}
		}
	})
}

func TestTheSameBatchByManyJobsAtOnceIsAnsweredOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var records []wire.Record
		for range 60 { // more than one transaction's worth
			records = append(records, b.sealed(t, b.question(t, func(*eligibility.Inquiry) {})))
		}
		batch := b.send(t, records...)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				// A neighbour that broke the shared commit makes the job run again.
				for b.AnswerBatch(t.Context(), system, audit.EligibilityAnswer, batch) != nil && t.Context().Err() == nil {
				}
			})
		}
		all.Wait()
		if got := b.answers(t); len(got) != len(records) {
			t.Errorf("%d answers for %d records", len(got), len(records))
		}
		if n := b.one(t, `SELECT count(*) FROM audit_entry WHERE action = 'eligibility.answer'`); n != fmt.Sprint(len(records)) {
			t.Errorf("%s access entries", n)
		}
	})
}

func TestTheSweepFindsWhatHasNoJob(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		r := b.sealed(t, b.question(t, func(*eligibility.Inquiry) {}))
		b.send(t, r)
		later := func(d time.Duration) *payer.Desk {
			return payer.New(payer.Deps{Inbox: b.intake, Terminals: b, Record: b.record, Payers: []payer.Payer{b.registry},
				Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return storetest.Now().Add(d) }})
		}
		for _, c := range []struct {
			after    time.Duration
			answered bool
		}{{payer.SweepAfter, false}, {payer.SweepAfter + time.Second, true}} {
			if err := later(c.after).Sweep(t.Context(), system, audit.EligibilityAnswer); err != nil {
				t.Fatal(err)
			}
			if _, answered := b.answers(t)[r.ID]; answered != c.answered {
				t.Errorf("after %s: answered %v", c.after, answered)
			}
		}
	})
}

func TestCoverageFileTwiceChangesNothingAndBadRowsAreTold(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		if got := b.load(t, map[string]string{"coverage.csv": coverage}).Files[0]; got.Unchanged != 4 || got.Added+got.Changed+got.Refused != 0 {
			t.Errorf("the same file again: %+v", got)
		}
		head, _, _ := strings.Cut(coverage, "\n")
		got := b.load(t, map[string]string{"coverage.csv": head + `
r2,990019,registry,990119,みなと市国保,みな・港12,77310042,02,2024-04-01,2026-03-31,20,dependant
r9,990019,registry,990119,x,1,2,,2024-04-01,,30,insured
r1,990019,fhir,9901,x,1,2,,2024-04-01,,30,insured
r1,990019,registry,990119,,1,,123,2024-04-31,2024-01-01,15,friend
r1,990019,registry,990119,x,1,123456789018,,2024-04-01,,30,insured
r1,990019,registry,990119,x,1,2,,2024-04-01,2024-03-31,30,insured
`}).Files[0]
		var places []string
		for _, f := range got.Faults {
			places = append(places, fmt.Sprintf("%d %s", f.Line, f.Name))
			if strings.Contains(f.String(), "123456789018") || strings.Contains(f.String(), "friend") {
				t.Error("a fault repeats a value")
			}
		}
		want := "3 resident_ref|4 payer|4 insurer_number|5 insurer_name|5 number|5 branch|5 valid_from|5 copayment_percent|5 insured_kind|6 number|7 valid_to"
		if s := strings.Join(places, "|"); got.Changed != 1 || got.Refused != 5 || s != want {
			t.Errorf("changed %d, refused %d at %s", got.Changed, got.Refused, s)
		}
		q := b.question(t, func(q *eligibility.Inquiry) {
			q.Branch, q.BirthDate, q.VisitDay = "02", date("2015-05-05"), date("2026-04-01")
		})
		b.run(t, b.send(t, b.sealed(t, q)))
		if a := b.open(t, b.answers(t)[q.RecordID]); a.Validity != eligibility.Invalid || a.ValidTo != date("2026-03-31") {
			t.Errorf("after the change: %s until %s", a.Validity, a.ValidTo)
		}
	})
}

func TestTheIdentityFileIsMadeOnceAndPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "payer.key")
	first, err := keyfile.X25519(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := keyfile.X25519(path)
	if err != nil || again.String() != first.String() {
		t.Errorf("another identity the second time: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := keyfile.X25519(path); err == nil {
		t.Error("a file that others may read was used")
	}
	if err := os.WriteFile(path+"2", []byte("AGE-SECRET-KEY-seeded"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keyfile.X25519(path + "2"); err == nil || strings.Contains(err.Error(), "seeded") {
		t.Errorf("a broken file: %v", err)
	}
}
