package push_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/store"
	mailboxrows "madoguchi.example/backend/internal/store/mailbox"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

var protector = actor.Staff{ID: "stf_7", Municipality: "990019", Roles: []actor.Role{actor.Protector}}

func (b *bench) protect(t *testing.T, ref string) {
	t.Helper()
	if err := b.Town.Protection.Set(t.Context(), protector, audit.Protection, ref, protection.DoNotContact, civil.Date{}); err != nil {
		t.Fatal(err)
	}
}

// store keeps notices about the people as a mailbox would.
func (b *bench) store(t *testing.T, notices map[string][]actor.Citizen) {
	t.Helper()
	var all []mailbox.Notice
	for id, about := range notices {
		n := mailbox.Notice{ID: id, Municipality: "990019", ClientID: id, Fingerprint: []byte{1}, Posting: "pst_1", SentAt: b.Now(),
			Texts: map[notice.Language]notice.Text{notice.Japanese: {Title: "題 " + id, Body: "文"}}}
		for _, c := range about {
			n.About = append(n.About, c.ID)
		}
		all = append(all, n)
	}
	err := b.DB.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
		_, err := mailboxrows.New(nil).InsertAll(ctx, tt, all)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Many notices in one job: each recipient's devices get a handle for each of their notices,
// once, however often the job runs.
func TestManyNoticesInOneJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		one, two := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R4")
		b.register(t, one, "phone", "token-a")
		b.register(t, one, "tablet", "token-b")
		b.register(t, two, "phone", "token-c")
		b.store(t, map[string][]actor.Citizen{"ntc_1": nil, "ntc_2": nil, "ntc_3": nil})
		batch := push.Batch{Notice: "pst_1"}
		batch.Add(one.ID, "ntc_1")
		batch.Add(two.ID, "ntc_2")
		batch.Add(one.ID, "ntc_3")
		b.service.answers["token-c"] = push.Later
		if err := b.run(t, batch); fault.CodeOf(err) != fault.Unavailable || b.Count(t, `SELECT count(*) FROM push_done`) != 0 {
			t.Fatalf("a push is open, but the job says %v", err)
		}
		b.service.answers = nil
		for range 2 {
			if err := b.run(t, batch); err != nil {
				t.Fatal(err)
			}
		}
		if b.sent("token-a") != 2 || b.sent("token-b") != 2 || b.sent("token-c") != 2 || b.service.got["token-c"][0] != b.service.got["token-c"][1] {
			t.Errorf("a %d, b %d, c %d", b.sent("token-a"), b.sent("token-b"), b.sent("token-c"))
		}
		if n := b.Count(t, `SELECT count(*) FROM push_done WHERE notice_id = 'pst_1'`); n != 1 {
			t.Errorf("done %d times", n)
		}
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action = 'push.send' AND citizen_id = $1`, one.ID); n != 2 {
			t.Errorf("two notices, %d entries", n)
		}
	})
}

func TestBatchesThatAreNotWhole(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite))
	ids := make([]identity.CitizenID, push.MaxRecipients+1)
	if err := b.run(t, push.Batch{Notice: "n", Recipients: ids}); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("too many: %v", err)
	}
	if err := b.run(t, push.Batch{Notice: "n", Recipients: ids[:2], Notices: []string{"one"}}); fault.CodeOf(err) != fault.Internal {
		t.Errorf("notices are missing: %v", err)
	}
}

// The largest batch fits into a job, and a job of before, which named no notices, is read
// as it was meant.
func TestArgumentsOfTheJob(t *testing.T) {
	handle := func(prefix string, n int) string { return fmt.Sprintf("%s_%026d", prefix, n) }
	large := push.Batch{Notice: handle("pst", 0)}
	for i := range push.MaxRecipients {
		large.Add(identity.CitizenID(handle("ctz", i)), handle("ntc", i))
	}
	raw, err := json.Marshal(large)
	if err != nil || len(raw) > job.MaxArgs || len(large.Notices) != push.MaxRecipients {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
	one := push.Batch{Notice: "ntc_1"}
	one.Add("ctz_1", "ntc_1")
	if raw, err = json.Marshal(one); err != nil || string(raw) != `{"notice":"ntc_1","recipients":["ctz_1"]}` {
		t.Errorf("%s, %v", raw, err)
	}
}

// A protection that is set after the notice lies in the mailbox, of the recipient or of
// somebody whom the notice tells of, stops the push and tells a person; nobody else is
// kept from theirs, and nothing starts it again.
func TestAProtectionStopsThePush(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		parent, child, other := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R2"), b.Citizen(t, "990019", "R4")
		b.register(t, parent, "phone", "token-parent")
		b.register(t, child, "phone", "token-child")
		b.register(t, other, "phone", "token-other")
		b.store(t, map[string][]actor.Citizen{"ntc_1": {child}, "ntc_2": nil, "ntc_3": nil, "ntc_4": nil})
		batch := push.Batch{Notice: "pst_1"}
		batch.Add(parent.ID, "ntc_1") // tells of the child
		batch.Add(child.ID, "ntc_2")
		batch.Add(other.ID, "ntc_3")
		batch.Add(parent.ID, "ntc_4")
		b.protect(t, "R2")
		for range 2 {
			if err := b.run(t, batch); err != nil {
				t.Fatal(err)
			}
		}
		if b.sent("token-parent") != 1 || b.sent("token-child") != 0 || b.sent("token-other") != 1 {
			t.Errorf("parent %d, child %d, other %d", b.sent("token-parent"), b.sent("token-child"), b.sent("token-other"))
		}
		if n := b.Count(t, `SELECT count(*) FROM push_outcome WHERE outcome = $1 AND notice_id IN ('ntc_1', 'ntc_2')`, push.Stopped); n != 2 {
			t.Errorf("%d pushes were stopped", n)
		}
		tasks, err := b.Town.Protection.Waiting(t.Context(), protector, audit.Protection, 10)
		if err != nil || len(tasks) != 2 || tasks[0].What != protection.Push || tasks[0].Title != "題 "+tasks[0].Object {
			t.Errorf("the protectors' list: %+v, %v", tasks, err)
		}
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action = 'push.stop' AND visible_from >= 0`); n != 0 {
			t.Errorf("the app shows %d stops", n)
		}
		if err := b.Town.Protection.Lift(t.Context(), protector, audit.Protection, "R2", protection.DoNotContact); err != nil {
			t.Fatal(err)
		}
		if err := b.run(t, batch); err != nil || b.sent("token-child") != 0 {
			t.Errorf("a stopped push was sent later: %v", err)
		}
	})
}

// late sets a protection while the first part of a batch is being sent.
type late struct {
	*service
	set func()
}

func (l *late) Send(ctx context.Context, m []push.Message) []push.Result {
	out := l.service.Send(ctx, m)
	if l.set != nil {
		l.set()
		l.set = nil
	}
	return out
}

// The question is asked again right before each part leaves, not once when the job begins.
func TestAProtectionSetWhileTheJobRuns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		first, last := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R4")
		if first.ID > last.ID {
			first, last = last, first
		}
		notices, batch := map[string][]actor.Citizen{}, push.Batch{Notice: "pst_1"}
		for i := range 100 { // the whole first part
			id := fmt.Sprintf("ntc_%03d", i)
			notices[id] = nil
			batch.Add(first.ID, id)
		}
		notices["ntc_last"] = nil
		batch.Add(last.ID, "ntc_last")
		b.store(t, notices)
		b.register(t, first, "phone", "token-first")
		b.register(t, last, "phone", "token-last")
		b.Sender = &late{b.service, func() {
			f := protection.Flag{Citizen: last.ID, Municipality: "990019", Kind: protection.NonDisclosure, Since: civil.In(b.Now())}
			err := db.Runner().Do(context.Background(), func(ctx context.Context, tt tx.Tx) error { return b.Town.Protection.Rows.Put(ctx, tt, f) })
			if err != nil {
				t.Error(err)
			}
		}}
		if err := b.run(t, batch); err != nil {
			t.Fatal(err)
		}
		if b.sent("token-first") != 100 || b.sent("token-last") != 0 {
			t.Errorf("first %d, last %d", b.sent("token-first"), b.sent("token-last"))
		}
	})
}
