package mailbox_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// batches gives the push jobs of the queue, oldest first.
func (b *bench) batches(t *testing.T) []push.Batch {
	t.Helper()
	var out []push.Batch
	rows, err := b.DB.Writer().QueryContext(t.Context(), `SELECT args FROM river_job WHERE kind = $1 ORDER BY id`, push.Batch{}.Kind())
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var raw []byte
		var batch push.Batch
		if err := rows.Scan(&raw); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &batch); err != nil {
			t.Fatal(err)
		}
		out = append(out, batch)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func (b *bench) proof(t *testing.T, of identity.CitizenID, id string) (mailbox.Proof, bool) {
	t.Helper()
	var out map[string]mailbox.Proof
	err := b.DB.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) (err error) {
		out, err = b.Proofs(ctx, tt, []mailbox.Delivered{{Citizen: of, Notice: id}, {Citizen: of, Notice: "ntc_none"}})
		return err
	})
	if err != nil || len(out) > 1 {
		t.Fatalf("%d proofs, %v", len(out), err)
	}
	p, ok := out[id]
	return p, ok
}

func (b *bench) recordLetter(who actor.Staff, of identity.CitizenID, id string, on civil.Date) error {
	return b.DB.Runner().Do(context.Background(), func(ctx context.Context, t tx.Tx) error {
		return b.RecordLetter(ctx, t, who, audit.BenefitDecision, of, id, on)
	})
}

func TestProofOfDelivery(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		who, stranger := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R2")
		id := b.posted(t, b.letter(t, "R1", "a"))[0].Notice
		sent := civil.In(b.Now())
		if _, ok := b.proof(t, who.ID, id); ok {
			t.Error("proven before anything happened")
		}
		b.Advance(48 * time.Hour)
		today := civil.In(b.Now())
		for name, c := range map[string]struct {
			who  actor.Staff
			of   identity.CitizenID
			on   civil.Date
			code fault.Code
		}{
			"future":             {clerk, who.ID, today.AddDays(1), fault.InvalidArgument},
			"before sending":     {clerk, who.ID, sent.AddDays(-1), fault.InvalidArgument},
			"no day":             {clerk, who.ID, civil.Date{}, fault.InvalidArgument},
			"of elsewhere":       {other, who.ID, today, fault.NotFound},
			"to somebody else":   {clerk, stranger.ID, today, fault.NotFound},
			"by an auditor":      {auditor, who.ID, today, fault.Forbidden},
			"by a child officer": {actor.Staff{ID: "s", Municipality: "990019", Roles: []actor.Role{actor.ChildOfficer}}, who.ID, today, fault.Forbidden},
		} {
			if err := b.recordLetter(c.who, c.of, id, c.on); fault.CodeOf(err) != c.code {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, ok := b.proof(t, who.ID, id); ok {
			t.Error("proven by what was refused")
		}
		_, version := b.inbox(t, who)
		for _, on := range []civil.Date{sent.AddDays(1), sent, today} {
			if err := b.recordLetter(clerk, who.ID, id, on); err != nil {
				t.Fatal(err)
			}
		}
		p, ok := b.proof(t, who.ID, id)
		if !ok || p.Channel != notice.Letter || civil.In(p.At) != sent.AddDays(1) || !p.At.Add(time.Microsecond).Equal(sent.AddDays(2).Midnight()) {
			t.Errorf("by letter: %+v", p)
		}
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action = 'notice.letter' AND citizen_id = $1 AND visible_from >= 0`, who.ID); n != 1 {
			t.Errorf("recorded %d times", n)
		}
		if ids, now := b.inbox(t, who); len(ids) != 1 || now != version {
			t.Errorf("a letter changed the app's list: %d, %s after %s", len(ids), now, version)
		}
		if err := b.Read(t.Context(), who, audit.Self, id); err != nil {
			t.Fatal(err)
		}
		if p, _ = b.proof(t, who.ID, id); p.Channel != notice.Letter {
			t.Errorf("a later reading came first: %+v", p)
		}
	})
}

func TestTheFirstProofCounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		who, second := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R4")
		out := b.posted(t, b.letter(t, "R1", "a"), b.letter(t, "R4", "b"))
		if err := b.Read(t.Context(), who, audit.Self, out[0].Notice); err != nil {
			t.Fatal(err)
		}
		read := b.Now()
		b.Advance(24 * time.Hour)
		if err := b.recordLetter(clerk, who.ID, out[0].Notice, civil.In(read)); err != nil {
			t.Fatal(err)
		}
		if p, _ := b.proof(t, who.ID, out[0].Notice); p.Channel != notice.App || !p.At.Equal(read) {
			t.Errorf("%+v, read at %v", p, read)
		}
		if _, ok := b.proof(t, second.ID, out[0].Notice); ok {
			t.Error("another's reading is a proof")
		}
	})
}

// A letter to somebody protected is recorded as any other and shows in nobody's app.
func TestLetterOfAWithheldNotice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		b.protect(t, "R4")
		who := b.Citizen(t, "990019", "R4")
		out := b.posted(t, b.letter(t, "R4", "a"))
		if _, ok := b.proof(t, who.ID, out[0].Notice); ok || !out[0].Withheld {
			t.Fatal("a withheld notice is proven")
		}
		if err := b.recordLetter(protector, who.ID, out[0].Notice, civil.In(b.Now())); err != nil {
			t.Fatal(err)
		}
		if p, ok := b.proof(t, who.ID, out[0].Notice); !ok || p.Channel != notice.Letter {
			t.Errorf("%+v", p)
		}
		b.unseen(t, who, out[0].Notice, "")
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE object = $1 AND visible_from >= 0`, out[0].Notice); n != 0 {
			t.Errorf("the app shows %d entries", n)
		}
	})
}
