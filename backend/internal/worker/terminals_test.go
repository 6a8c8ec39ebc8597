package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/payer"
	"madoguchi.example/backend/internal/store"
	storeaudit "madoguchi.example/backend/internal/store/audit"
	storeintake "madoguchi.example/backend/internal/store/intake"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/worker"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

var clinic = actor.Terminal{ID: "trm_clinic", Municipality: "990019", Class: "clinic"}

// moody is a payer that fails a number of times before it answers.
type moody struct {
	mu    sync.Mutex
	fails int
	asked int
}

func (*moody) ID() string { return "moody" }

func (m *moody) Answer(_ context.Context, _ actor.System, _ audit.Purpose, checks []payer.Check) ([]payer.Finding, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked++; m.asked <= m.fails {
		return nil, errors.New("cannot reach the payer")
	}
	var out []payer.Finding
	for _, c := range checks {
		out = append(out, payer.Finding{Answer: eligibility.Answer{RecordID: c.RecordID, VisitDay: c.VisitDay, Validity: eligibility.NoneFound}})
	}
	return out, nil
}

type oneTerminal struct{ recipient string }

func (o oneTerminal) Recipient(context.Context, actor.System, audit.Purpose, string) (string, error) {
	return o.recipient, nil
}

func TestACheckIsAnsweredByTheWorkerAlsoAfterItsPayerFailed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for name, fails := range map[string]int{"at once": 0, "after two failures": 2} {
			t.Run(name, func(t *testing.T) { answered(t, storetest.Open(t, db.Engine()), &moody{fails: fails}) })
		}
	})
}

func answered(t *testing.T, db *store.DB, p *moody) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	silent, random := slog.New(slog.DiscardHandler), storetest.Rand(t.Name())
	jobs, err := job.Open(db, job.Config{Now: time.Now, Retry: func(int) time.Duration { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	in := intake.New(intake.Deps{
		Runner: db.Runner(), Rows: storeintake.New(db.Reads()), Queue: jobs, Log: silent, Now: storetest.Now, Rand: random,
		ServerEpoch: db.ServerEpoch(),
	})
	desk := payer.New(payer.Deps{
		Inbox: in, Terminals: oneTerminal{identity.Recipient().String()}, Payers: []payer.Payer{p}, Log: silent, Now: storetest.Now,
		Record: audit.New(storeaudit.New(db.Reads()), audit.Register(), storetest.Now, random),
	})
	if err := worker.Terminals(jobs, desk); err != nil {
		t.Fatal(err)
	}
	if err := jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := jobs.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	record := check(t, identity.Recipient())
	if _, err := in.Receive(t.Context(), clinic, audit.TerminalOperation, wire.Batch{
		Version: wire.Version, Terminal: clinic.ID, SentAt: storetest.Now(), Records: []wire.Record{record},
	}); err != nil {
		t.Fatal(err)
	}
	page, err := in.Answers(t.Context(), clinic, audit.EligibilityAnswer, 0, intake.MaxWait)
	if err != nil || len(page.Answers) != 1 || page.Answers[0].RecordID != record.ID {
		t.Fatalf("answers %+v, error %v", page, err)
	}
	if p.asked != p.fails+1 {
		t.Errorf("the payer was asked %d times", p.asked)
	}
}

func check(t *testing.T, to age.Recipient) wire.Record {
	t.Helper()
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, to)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(wire.EligibilityCheck{
		Payer: "moody", VisitDay: civil.In(storetest.Now()), Cause: string(eligibility.CauseNone),
		Evidence: string(eligibility.EvidenceCertificate), Operator: "op_1", Sealed: sealed.Bytes(),
	})
	if err != nil {
		t.Fatal(err)
	}
	id, err := handle.Source{Now: storetest.Now, Rand: storetest.Rand(t.Name())}.UUID()
	if err != nil {
		t.Fatal(err)
	}
	return wire.Record{ID: id.String(), Epoch: "q1", Sequence: 1, Kind: wire.KindEligibilityCheck, At: storetest.Now(), Body: body}
}
