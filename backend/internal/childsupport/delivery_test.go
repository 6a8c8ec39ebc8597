package childsupport_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/store"
	pushrows "madoguchi.example/backend/internal/store/push"
	"madoguchi.example/backend/internal/store/storetest"
)

// taker is a push service that takes everything.
type taker struct{ got []push.Message }

func (s *taker) Send(_ context.Context, messages []push.Message) []push.Result {
	s.got = append(s.got, messages...)
	return make([]push.Result, len(messages))
}

// pushes makes the desk that wakes phones, and gives every batch that waits in the queue.
func (b *bench) pushes(t *testing.T, s push.Sender) (*push.Desk, []push.Batch) {
	t.Helper()
	desk := push.New(push.Deps{Runner: b.DB.Runner(), Rows: pushrows.New(b.DB.Reads()), Record: b.Log, Protection: b.prot, Sender: s,
		IDs: b.IDs, Now: b.Now, Log: slog.New(slog.DiscardHandler)})
	var out []push.Batch
	must(t, b.DB.Reads().Each(t.Context(), `SELECT args FROM river_job WHERE kind = 'push_send'`, nil, func(scan func(...any) error) error {
		var raw []byte
		if err := scan(&raw); err != nil {
			return err
		}
		var one push.Batch
		err := json.Unmarshal(raw, &one)
		out = append(out, one)
		return err
	}))
	return desk, out
}

// An offer wakes the guardian's phone, and neither the job nor the list of who looked tells
// what it was for.
func TestThePushOfAnOfferTellsNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		service := &taker{}
		desk, _ := b.pushes(t, service)
		head := b.Citizen(t, minato, "Ah")
		must(t, desk.Register(t.Context(), head, audit.Account, push.Device{Device: "dev_1", Transport: push.FCM, Token: "token-1", Language: "ja"}))
		before := b.seen(t, "Ah", "As", "Ac")
		b.offered(t, b.flagged(t, "A")[0].ID)
		_, batches := b.pushes(t, service)
		if len(batches) != 1 {
			t.Fatalf("%d batches", len(batches))
		}
		must(t, desk.Deliver(t.Context(), actor.System{Name: "worker.push"}, audit.NoticeDelivery, batches[0]))
		if len(service.got) != 1 || !strings.HasPrefix(service.got[0].Handle, "psh_") {
			t.Fatalf("pushed %v", service.got)
		}
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action = 'push.send' AND citizen_id = $1`, head.ID); n != 1 {
			t.Errorf("the push is recorded %d times", n)
		}
		if after := b.seen(t, "Ah", "As", "Ac"); after != before {
			t.Errorf("the list tells of the offer:\n%s\nwas\n%s", after, before)
		}
		raw, err := json.Marshal(batches[0])
		must(t, err)
		for _, word := range []string{"child", "offer", "off_", "chc_", "support", "missed"} {
			if strings.Contains(string(raw), word) {
				t.Errorf("the job says %q: %s", word, raw)
			}
		}
	})
}

// Items lie in an order of their own: the order of the file, in which the access record
// names the children, would tell whose each one is.
func TestItemsDoNotLieInTheOrderOfTheFile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var many []family
		rows := ""
		for n := range 26 {
			f := family{string(rune('A'+n)) + "x", "2023-06-10"}
			many = append(many, f)
			rows += unclaimed(f.name, "2026-11-20")
		}
		b := open(t, db, many...)
		b.childcare(t, rows)
		place := "rowid"
		if db.Engine() == store.Postgres {
			place = "ctid"
		}
		var lie []string
		must(t, b.DB.Reads().Each(t.Context(), `SELECT pseudonym FROM child_item WHERE item = 'childcare_place' ORDER BY `+place, nil, func(scan func(...any) error) error {
			var p string
			err := scan(&p)
			lie = append(lie, p)
			return err
		}))
		if len(lie) != len(many) {
			t.Fatalf("%d items", len(lie))
		}
		for n := 1; n < len(lie); n++ {
			if lie[n] < lie[n-1] {
				t.Fatal("the items lie in the order of the file")
			}
		}
	})
}
