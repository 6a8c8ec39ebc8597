package fhir_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/payer"
	"madoguchi.example/backend/internal/payer/fhir"
	"madoguchi.example/backend/internal/store"
	storeaudit "madoguchi.example/backend/internal/store/audit"
	storeintake "madoguchi.example/backend/internal/store/intake"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/wire"
)

type terminals struct{ recipient string }

func (x terminals) Recipient(context.Context, actor.System, audit.Purpose, string) (string, error) {
	return x.recipient, nil
}

// TestAQueuedCheckStaysOpenUntilThePayerKnows takes a check through intake to the payer and
// back to the terminal, on both engines.
func TestAQueuedCheckStaysOpenUntilThePayerKnows(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t)
		log := slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		jobs, err := job.Open(db, job.Config{Now: storetest.Now, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		now := func() time.Time { return b.now }
		in := intake.New(intake.Deps{Runner: db.Runner(), Rows: storeintake.New(db.Reads()), Queue: jobs, Log: log, Now: now,
			Rand: storetest.Rand(t.Name()), ServerEpoch: db.ServerEpoch()})
		terminal, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		desk := payer.New(payer.Deps{
			Inbox: in, Terminals: terminals{terminal.Recipient().String()}, Payers: []payer.Payer{b.payer()}, Log: log, Now: now,
			Record: audit.New(storeaudit.New(db.Reads()), audit.Register(), storetest.Now, storetest.Rand("record")),
		})
		c := b.check(inquiry(1))
		body, err := json.Marshal(wire.EligibilityCheck{Payer: "kumiai", VisitDay: c.VisitDay, Cause: string(eligibility.CauseNone),
			Evidence: string(eligibility.EvidenceCertificate), Operator: "op_1", Sealed: c.Sealed})
		if err != nil {
			t.Fatal(err)
		}
		who := actor.Terminal{ID: "trm_1", Office: "ofc_1", Municipality: "990019", Class: "clinic"}
		if _, err := in.Receive(t.Context(), who, audit.TerminalOperation, wire.Batch{Terminal: who.ID, SentAt: b.now, Records: []wire.Record{
			{ID: c.RecordID, Epoch: "q1", Sequence: 1, Kind: wire.KindEligibilityCheck, At: b.now, Body: body},
		}}); err != nil {
			t.Fatal(err)
		}
		answers := func() []wire.Answer {
			page, err := in.Answers(t.Context(), who, audit.EligibilityAnswer, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			return page.Answers
		}
		sweep := func(after time.Duration) {
			t.Helper()
			b.now = b.now.Add(after)
			if err := desk.Sweep(t.Context(), system, audit.EligibilityAnswer); err != nil {
				t.Fatal(err)
			}
		}
		b.reply(200, fhir.ContentType, response(`"outcome":"queued"`))
		sweep(3 * time.Minute)
		sweep(2 * time.Minute)
		if len(b.asked) != 2 || len(answers()) != 0 {
			t.Fatalf("asked %d times, %d answers", len(b.asked), len(answers()))
		}
		b.reply(500, "text/plain", "")
		b.now = b.now.Add(5 * time.Minute)
		if err := desk.Sweep(t.Context(), system, audit.EligibilityAnswer); err == nil || len(answers()) != 0 {
			t.Fatalf("a broken payer: %v", err)
		}
		b.reply(200, fhir.ContentType, response(inside+`"outcome":"complete","insurance":[`+covers("#c1", `,"inforce":true`)+`]`))
		sweep(time.Hour)
		all := answers()
		if len(all) != 1 {
			t.Fatalf("%d answers", len(all))
		}
		r, err := age.Decrypt(bytes.NewReader(all[0].Sealed), terminal)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := eligibility.ParseAnswer(plain); err != nil || a.Validity != eligibility.Valid || a.Number != number {
			t.Errorf("answer %v, %v", a.Validity, err)
		}
		if strings.Contains(b.log.String(), number) || strings.Contains(b.log.String(), insurer) {
			t.Error("a number reached the log")
		}
	})
}

// TestAnAnswerOfAnotherHand reads what the practice payer wrote, which shares no code with us.
func TestAnAnswerOfAnotherHand(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "deploy", "practice", "fhirpayer", "testdata")
	for name, want := range map[string]eligibility.Validity{
		"valid.json": eligibility.Valid, "newer.json": eligibility.NewerCoverage, "invalid.json": eligibility.Invalid,
		"none.json": eligibility.NoneFound, "several.json": eligibility.SeveralFound, "queued.json": "",
	} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t)
		b.reply(200, fhir.ContentType, string(raw))
		got, err := b.ask(b.payer(), 1)
		if err != nil || got[0].Answer.Validity != want || got[0].Waiting != (want == "") {
			t.Errorf("%s: %q, waiting %v, %v", name, got[0].Answer.Validity, got[0].Waiting, err)
		}
		if a := got[0].Answer; want == eligibility.Valid && (a.CopaymentPercent != 30 || a.HolderKanji == "" || a.HolderKana == "" || a.InsurerName == "" || a.ValidFrom.IsZero()) {
			t.Errorf("%s tells too little", name)
		}
	}
}
