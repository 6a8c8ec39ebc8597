package fence_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/fence"
	"madoguchi.example/backend/internal/store"
	auditrows "madoguchi.example/backend/internal/store/audit"
	awardrows "madoguchi.example/backend/internal/store/award"
	fencerows "madoguchi.example/backend/internal/store/fence"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

func TestConformance(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		storetest.Conformance(t, db,
			storetest.Table{Name: "fence", Keys: []string{"server_epoch"},
				Columns: []string{"server_epoch", "prior_epoch", "how", "copied_at", "raised_at", "lifted_at", "lifted_by", "pushes"},
				Values: func(n int) []any {
					return []any{fmt.Sprint("epo", n), "epo", "restored", int64(1), int64(2), int64(0), "", ""}
				}},
			storetest.Table{Name: "fence_word", Keys: []string{"server_epoch", "list_id"},
				Columns: []string{"server_epoch", "list_id", "word", "said_by", "at"},
				Values:  func(n int) []any { return []any{"epo", fmt.Sprint("lst", n), "sent", "somebody", int64(1)} }},
			storetest.Table{Name: "payment_export", Keys: []string{"list_id"},
				Columns: []string{"list_id", "how", "by_whom", "at"},
				Values:  func(n int) []any { return []any{fmt.Sprint("lst", n), "reconciled", "somebody", int64(1)} }},
		)
	})
}

// waiting are pushes and jobs of which the test knows only what was said.
type waiting struct {
	said    []string
	fail    error
	dropped func() // nil: does nothing
}

func (w *waiting) AskAgainAll(context.Context, actor.System, audit.Purpose) (int, error) {
	w.said = append(w.said, "kept")
	return 0, w.fail
}

func (w *waiting) DropAll(context.Context, actor.System, audit.Purpose) (int, error) {
	w.said = append(w.said, "dropped")
	if w.dropped != nil {
		w.dropped()
	}
	return 0, w.fail
}

func (w *waiting) Drop(_ context.Context, _ tx.Tx, kind string) (int64, error) {
	w.said = append(w.said, kind)
	return 0, w.fail
}

type bench struct {
	db     *store.DB
	rows   *fencerows.Rows
	fence  *fence.Fence
	pushes *waiting
}

func newBench(t *testing.T, db *store.DB) *bench {
	b := &bench{db: db, rows: fencerows.New(db.Reads()), pushes: &waiting{}}
	random := storetest.Rand(t.Name())
	b.fence = fence.New(fence.Deps{
		Runner: db.Runner(), Rows: b.rows, Record: audit.New(auditrows.New(db.Reads()), audit.Register(), storetest.Now, random),
		Pushes: b.pushes, Queue: b.pushes, IDs: handle.Source{Now: storetest.Now, Rand: random}, Now: storetest.Now,
	})
	return b
}

func (b *bench) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if err := b.db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
		_, err := sqltx.Of(tt).Exec(ctx, query, args...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// one reads one number.
func (b *bench) one(t *testing.T, query string, args ...any) (n int64) {
	t.Helper()
	if err := b.db.Reads().Each(t.Context(), query, args, func(scan func(...any) error) error { return scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

func (b *bench) list(t *testing.T, id, state string, awards ...string) {
	t.Helper()
	b.exec(t, `INSERT INTO payment_list (list_id, run_id, municipality, state, line_count, total, made_by, made_at, moved_at, reached, page)
		VALUES ($1, 'run_1', '990019', $2, $3, $4, 'stf_1', 1, 1, '', 1)`, id, state, len(awards), 1000*len(awards))
	for _, a := range awards {
		b.exec(t, `INSERT INTO list_line (citizen_id, award_id, attempt, list_id, amount, children) VALUES ($1, $2, 0, $3, 1000, 1)`, "ctz_"+a, a, id)
	}
}

func (b *bench) adopt(t *testing.T) fence.Raised {
	t.Helper()
	r, err := b.fence.Adopt(t.Context(), actor.System{Name: "test"}, storetest.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A restoration is another life of the store: another epoch, cursors beyond all that were
// given, also for terminals that had none, and nobody signed in.
func TestARestorationBeginsAnotherLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		for _, id := range []string{"trm_a", "trm_b"} {
			b.exec(t, `INSERT INTO terminal (terminal_id, office_id, public_key, recipient, enrolled_at, disabled_at, last_contact_at) VALUES ($1, 'ofc', '', '', 1, 0, 1)`, id)
		}
		b.exec(t, `INSERT INTO terminal_answer_last (terminal_id, cursor) VALUES ('trm_a', 41)`)
		b.exec(t, `INSERT INTO citizen_session (citizen_id, session_id, municipality_code, refresh_hash, created_at, expires_at) VALUES ('c', 's', '990019', $1, 1, 2)`, []byte{1})
		now := sqltx.Micros(storetest.Now())
		for selector, used := range map[string]string{"open": "", "used": "trm_a"} {
			b.exec(t, `INSERT INTO enrolment_code (selector, secret_hash, office_id, created_at, expires_at, attempts, used_by) VALUES ($1, $2, 'ofc', 1, $3, 0, $4)`,
				selector, []byte{1}, now+1000, used)
		}
		before := db.ServerEpoch()
		r := b.adopt(t)
		if r.Prior != before || r.Epoch == before || r.Epoch == "" {
			t.Errorf("epoch %q before, %q after, %q was opened", r.Prior, r.Epoch, before)
		}
		for terminal, want := range map[string]int64{"trm_a": 41 + 1<<32, "trm_b": 1 << 32} {
			if got := b.one(t, `SELECT cursor FROM terminal_answer_last WHERE terminal_id = $1`, terminal); got != want {
				t.Errorf("the last cursor of %s is %d, want %d", terminal, got, want)
			}
		}
		if n := b.one(t, `SELECT count(*) FROM citizen_session`); n != 0 {
			t.Errorf("%d sessions work again", n)
		}
		if n := b.one(t, `SELECT count(*) FROM enrolment_code WHERE expires_at > $1`, now); n != 1 {
			t.Errorf("%d codes can be used, want the used one's row untouched", n)
		}
		if n := b.one(t, `SELECT count(*) FROM audit_entry WHERE action = 'store.adopted'`); n != 1 {
			t.Errorf("%d entries", n)
		}
	})
}

// A restoration that fails on the way leaves neither a new epoch nor a fence, and a program
// that has the store open finds out that it was restored under it.
func TestTheFenceStandsOrNothingHappened(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		late := errors.New("the last row was bad")
		err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
			_, err := b.fence.Begin(ctx, tt, actor.System{Name: "test"}, fence.Restored, time.Time{})
			return errors.Join(err, late)
		})
		s, stateErr := b.rows.State(t.Context())
		if !errors.Is(err, late) || stateErr != nil || s.Open != nil || s.Epoch != db.ServerEpoch() {
			t.Fatalf("%v, state %+v, %v", err, s, stateErr)
		}
		if err := b.fence.Check(t.Context()); err != nil {
			t.Errorf("held without a fence: %v", err)
		}
		b.adopt(t)
		b.fence.Forget()
		if err := b.fence.Check(t.Context()); fault.CodeOf(err) != fault.Restored {
			t.Errorf("not held: %v", err)
		}
		older := fence.New(fence.Deps{Rows: b.rows, Now: storetest.Now, Epoch: db.ServerEpoch()})
		if err := older.Current(t.Context()); fault.CodeOf(err) != fault.Restored {
			t.Errorf("a program of the life before does not notice: %v", err)
		}
	})
}

// away is a store that cannot be asked. It counts who tries.
type away struct {
	*fencerows.Rows
	asked int
}

func (a *away) State(ctx context.Context) (fence.State, error) {
	a.asked++
	return fence.State{}, errors.Join(errors.New("nobody answers"), ctx.Err())
}

// A store that cannot be asked is fenced for what is outward alone, and is asked once for
// everybody who waits; a caller that has given up does not count as its answer.
func TestAStoreThatCannotBeAskedIsFenced(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	b := newBench(t, db)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.fence.Check(gone); err != nil {
		t.Errorf("the caller has gone, not the store: %v", err)
	}
	silent := &away{Rows: b.rows}
	f := fence.New(fence.Deps{Rows: silent, Now: storetest.Now, Epoch: db.ServerEpoch()})
	for range 3 {
		if err := f.Check(t.Context()); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("%v", err)
		}
	}
	if err := f.Current(t.Context()); err != nil || f.HoldsJob(t.Context(), "child_indicate") || !f.HoldsJob(t.Context(), "push_send") {
		t.Errorf("what is inward is held: %v", err)
	}
	if silent.asked != 1 {
		t.Errorf("asked %d times in one second", silent.asked)
	}
}

// A program whose file was replaced under it finds out, and does nothing any more.
func TestAProgramWhoseFileWasReplaced(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	in := true
	f := fence.New(fence.Deps{Rows: fencerows.New(db.Reads()), Now: storetest.Now, Epoch: db.ServerEpoch(), InPlace: func() bool { return in }})
	if err := f.Check(t.Context()); err != nil {
		t.Error(err)
	}
	in = false
	f.Forget()
	if err := f.Current(t.Context()); fault.CodeOf(err) != fault.Restored || !f.HoldsJob(t.Context(), "child_indicate") {
		t.Errorf("it goes on: %v", err)
	}
}

// The fence lifts with the last word, and not before; what was sent is booked like an
// approved list, once, and what was not stays where it was.
func TestReconcile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		b.list(t, "lst_waiting", "waiting", "awd_1", "awd_2")
		b.list(t, "lst_approved", "approved", "awd_3")
		b.list(t, "lst_not", "waiting", "awd_4")
		b.list(t, "lst_gathering", "gathering", "awd_5")
		b.list(t, "lst_returned", "returned", "awd_6")
		b.exec(t, `INSERT INTO approval_request (request_id, kind, object, round, municipality, role, asked_by, asked_at, due, involved)
			VALUES ('apr_1', 'benefit_list', 'lst_waiting', 1, '990019', 'approver', 'stf_1', 1, '', '[]')`)
		r := b.adopt(t)
		s, err := b.fence.Status(t.Context())
		if err != nil || !s.Fenced || s.Epoch != r.Epoch || len(s.Lists) != 4 {
			t.Fatalf("%+v, %v", s, err)
		}
		say := func(d fence.Decision) (open []string, err error) {
			t.Helper()
			d.By, d.Pushes = "窓口 文香", fence.Dropped
			lists, err := b.fence.Reconcile(t.Context(), d)
			for _, l := range lists {
				open = append(open, l.ID)
			}
			return open, err
		}
		open, err := say(fence.Decision{Sent: []string{"lst_waiting", "lst_approved"}})
		if err != nil || !slices.Equal(open, []string{"lst_gathering", "lst_not"}) || len(b.pushes.said) != 0 {
			t.Fatalf("open %v, error %v, pushes %v", open, err, b.pushes.said)
		}
		if err := b.fence.Check(t.Context()); err == nil {
			t.Error("the fence lifted before the last word")
		}
		if n := b.one(t, `SELECT count(*) FROM payment_export`); n != 0 {
			t.Errorf("%d lists were booked before the fence lifted", n)
		}
		for _, bad := range []fence.Decision{{Sent: []string{"lst_gathering"}}, {Sent: []string{"lst_nobody"}}, {Sent: []string{"lst_returned"}},
			{Sent: []string{"lst_not"}, NotSent: []string{"lst_not"}}} {
			if _, err := say(bad); err == nil {
				t.Errorf("%+v was taken", bad)
			}
		}
		if open, err = say(fence.Decision{NotSent: []string{"lst_not", "lst_gathering"}}); err != nil || len(open) != 0 {
			t.Fatalf("open %v, error %v", open, err)
		}
		if err := b.fence.Check(t.Context()); err != nil {
			t.Errorf("the fence stands after the last word: %v", err)
		}
		if !slices.Equal(b.pushes.said, []string{"push_send", "dropped"}) {
			t.Errorf("pushes: %v", b.pushes.said)
		}
		for query, want := range map[string]int64{
			`SELECT count(*) FROM payment_export`:                                                                   2,
			`SELECT count(*) FROM payment_list WHERE list_id = 'lst_waiting' AND state = 'approved'`:                1,
			`SELECT count(*) FROM payment_list WHERE list_id = 'lst_not' AND state = 'waiting'`:                     1,
			`SELECT count(*) FROM award_settlement WHERE how = 'approved' AND list_id = 'lst_waiting'`:              2,
			`SELECT count(*) FROM ledger`:                                                                           3,
			`SELECT CAST(coalesce(sum(amount), 1) AS BIGINT) FROM ledger`:                                           0,
			`SELECT count(*) FROM approval_decision WHERE request_id = 'apr_1' AND verdict = 'withdrawn'`:           1,
			`SELECT count(*) FROM audit_entry WHERE action IN ('payment_list.sent', 'payment_list.not_sent')`:       4,
			`SELECT count(*) FROM audit_entry WHERE action = 'store.reconciled' AND items LIKE '%pushes: dropped%'`: 1,
		} {
			if got := b.one(t, query); got != want {
				t.Errorf("%s: %d, want %d", query, got, want)
			}
		}
		if _, err := say(fence.Decision{}); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("reconciled twice: %v", err)
		}
		b.adopt(t)
		if s, err := b.fence.Status(t.Context()); err != nil || len(s.Lists) != 2 || s.Lists[0].Word != "" {
			t.Errorf("the next restoration asks about %+v, %v: not about lists that left, and anew about the others", s.Lists, err)
		}
	})
}

func (b *bench) award(t *testing.T, id, run string) {
	t.Helper()
	b.exec(t, `INSERT INTO award (citizen_id, award_id, run_id, municipality, household_ref, benefit, month, kind, amount, children, deadline, pay_on, notice_id, withheld, decided_at, decision)
		VALUES ($1, $2, $3, '990019', 'h', 'b', '2026-11', 'noticed', 1000, 1, '2026-11-01', '2026-12-01', 'ntc', $4, 1, '{}')`, "ctz_"+id, id, run, false)
}

// What a list paid that the copy does not know is booked by its awards, each once, and a list
// that was gathering them is given up.
func TestAwardsThatTheCopyDoesNotKnowAsPaid(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		for id, run := range map[string]string{"awd_1": "run_1", "awd_2": "run_1", "awd_3": "run_2", "awd_w": "run_1", "awd_r": "run_1"} {
			b.award(t, id, run)
		}
		b.list(t, "lst_gathering", "gathering", "awd_1")
		b.list(t, "lst_waiting", "waiting", "awd_w")
		b.exec(t, `INSERT INTO award_settlement (citizen_id, award_id, how, at, settled_by, received_on, channel, reason, list_id) VALUES ('ctz_awd_r', 'awd_r', 'refused', 1, 's', '', '', '', '')`)
		b.adopt(t)
		say := func(paid ...string) ([]fence.List, error) {
			return b.fence.Reconcile(t.Context(), fence.Decision{By: "a", Paid: paid, Pushes: fence.Kept})
		}
		for bad, code := range map[string]fault.Code{"awd_none": fault.NotFound, "awd_w": fault.Conflict, "awd_r": fault.Conflict} {
			if _, err := say("awd_2", bad); fault.CodeOf(err) != code {
				t.Errorf("%s: %v", bad, err)
			}
		}
		if n := b.one(t, `SELECT count(*) FROM ledger`); n != 0 {
			t.Errorf("%d entries after refusals", n)
		}
		for range 2 { // the same words again change nothing
			open, err := say("awd_1", "awd_2", "awd_3")
			if err != nil || len(open) != 1 || open[0].ID != "lst_waiting" {
				t.Fatalf("open %v, error %v", open, err)
			}
		}
		for query, want := range map[string]int64{
			`SELECT count(*) FROM payment_export`:                                                      2,
			`SELECT CAST(coalesce(sum(amount), 0) AS BIGINT) FROM ledger WHERE account = 'payable'`:    3000,
			`SELECT CAST(coalesce(sum(amount), 1) AS BIGINT) FROM ledger`:                              0,
			`SELECT count(*) FROM award_settlement WHERE how = 'approved'`:                             3,
			`SELECT count(*) FROM payment_list WHERE list_id = 'lst_gathering' AND state = 'returned'`: 1,
		} {
			if got := b.one(t, query); got != want {
				t.Errorf("%s: %d, want %d", query, got, want)
			}
		}
	})
}

// A list that waits in the copy was returned in the life that is lost, and another paid some
// of it: named not sent, it is given up for those that were paid, and is no list any more that
// somebody could approve. The same words again change nothing.
func TestAListThatWaitsWasPaidInPart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		b.award(t, "awd_1", "run_1")
		b.award(t, "awd_2", "run_1")
		b.list(t, "lst_old", "waiting", "awd_1", "awd_2")
		b.list(t, "lst_other", "waiting", "awd_3")
		b.exec(t, `INSERT INTO approval_request (request_id, kind, object, round, municipality, role, asked_by, asked_at, due, involved)
			VALUES ('apr_1', 'benefit_list', 'lst_old', 1, '990019', 'approver', 'stf_1', 1, '', '[]')`)
		b.adopt(t)
		d := fence.Decision{By: "a", Paid: []string{"awd_1"}, Pushes: fence.Kept}
		if _, err := b.fence.Reconcile(t.Context(), d); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("paid off a list of which nothing was said: %v", err)
		}
		d.NotSent = []string{"lst_old"}
		for range 2 {
			if open, err := b.fence.Reconcile(t.Context(), d); err != nil || len(open) != 1 || open[0].ID != "lst_other" {
				t.Fatalf("open %v, error %v", open, err)
			}
		}
		for query, want := range map[string]int64{
			`SELECT count(*) FROM payment_list WHERE list_id = 'lst_old' AND state = 'returned'`:                       1,
			`SELECT count(*) FROM payment_list WHERE list_id = 'lst_other' AND state = 'waiting'`:                      1,
			`SELECT count(*) FROM approval_decision WHERE request_id = 'apr_1' AND verdict = 'withdrawn'`:              1,
			`SELECT count(*) FROM award_settlement WHERE award_id = 'awd_1' AND how = 'approved'`:                      1,
			`SELECT count(*) FROM award_settlement WHERE award_id = 'awd_2'`:                                           0,
			`SELECT CAST(coalesce(sum(amount), 0) AS BIGINT) FROM ledger WHERE account = 'payable'`:                    1000,
			`SELECT count(*) FROM payment_export e JOIN list_line l ON l.list_id = e.list_id WHERE award_id = 'awd_1'`: 1,
		} {
			if got := b.one(t, query); got != want {
				t.Errorf("%s: %d, want %d", query, got, want)
			}
		}
	})
}

// What was paid by awards that the copy never knew is taken, so that no run decides it
// again; what an award of the copy has is told by that award.
func TestWhatWasPaidByAwardsThatTheCopyNeverKnew(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		b.exec(t, `INSERT INTO resident_ref (municipality, ref, citizen_id) VALUES ('990019', 'R1', 'ctz_1'), ('990019', 'R2', 'ctz_2')`)
		b.exec(t, `INSERT INTO entitlement (citizen_id, benefit, month, kind, award_id, payee_id, amount, at) VALUES ('ctz_2', 'allowance', '2026-11', 'grant', 'awd_known', 'ctz_9', 1000, 1)`)
		b.list(t, "lst_open", "waiting", "awd_open")
		b.adopt(t)
		month := benefit.Month{Year: 2026, Month: 11}
		say := func(resident string) error {
			_, err := b.fence.Reconcile(t.Context(), fence.Decision{By: "a", Pushes: fence.Kept, Entitled: []fence.Entitlement{{Municipality: "990019", Resident: resident, Benefit: "allowance", Month: month}}})
			return err
		}
		for range 2 {
			if err := say("R1"); err != nil {
				t.Fatal(err)
			}
		}
		if n := b.one(t, `SELECT count(*) FROM entitlement WHERE citizen_id = 'ctz_1' AND benefit = 'allowance' AND month = '2026-11' AND kind = 'grant' AND award_id LIKE 'awd_%'`); n != 1 {
			t.Errorf("%d entitlements are taken", n)
		}
		if err := say("R2"); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "awd_known") {
			t.Errorf("an entitlement of an award of the copy: %v", err)
		}
		if err := say("R3"); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("nobody's: %v", err)
		}
		if n := b.one(t, `SELECT count(*) FROM audit_entry WHERE action = 'entitlement.taken'`); n != 1 {
			t.Errorf("%d entries in the access record", n)
		}
		owners := awardrows.New(db.Reads()).Owners
		err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
			held, err := owners(ctx, tt, "allowance", month, []identity.CitizenID{"ctz_1"})
			if held["ctz_1"] == "" {
				t.Error("a run takes it for free")
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Pushes that are kept are asked for once each, also where the store brought its queue along
// or a call before this one ended half way: what waits in the queue goes first.
func TestKeptPushesAreAskedForOnce(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	b := newBench(t, db)
	b.adopt(t)
	b.exec(t, `INSERT INTO push_swept (notice_id, at) VALUES ('ntc_half', 1)`)
	if _, err := b.fence.Reconcile(t.Context(), fence.Decision{By: "a", Pushes: fence.Kept}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(b.pushes.said, []string{"push_send", "kept"}) || b.one(t, `SELECT count(*) FROM push_swept`) != 0 {
		t.Errorf("pushes: %v, and what was asked for in a call that ended half way is forgotten", b.pushes.said)
	}
}

// What is to be looked at is counted: pushes that are owed, revocations of the copy, and how
// far the terminals are.
func TestStatusCounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		now := sqltx.Micros(storetest.Now())
		for id, row := range map[string][2]int64{"trm_silent": {1, -1}, "trm_behind": {now, 3}, "trm_done": {now, 0}} {
			b.exec(t, `INSERT INTO terminal (terminal_id, office_id, public_key, recipient, enrolled_at, disabled_at, last_contact_at) VALUES ($1, 'ofc', '', '', 1, 0, $2)`, id, row[0])
			if row[1] >= 0 {
				b.exec(t, `INSERT INTO terminal_health (terminal_id, received_at, pending, summary) VALUES ($1, $2, $3, '{}')`, id, row[0], row[1])
			}
		}
		b.exec(t, `INSERT INTO certificate_revocation (citizen_id, certificate_id, revoked_at, ground, words, by_whom) VALUES ('c', 'crt', $1, 'request', '', 's')`, now-5)
		for n, posting := range []string{"", "", "pst_1", "pst_1"} {
			b.exec(t, `INSERT INTO notice (notice_id, municipality, client_id, fingerprint, number, kind, sender, phone, deadline, texts, written_by, recipients, sent_at, posting)
				VALUES ($1, '990019', $1, $2, '', '', '', '', '', '{}', '', 1, 1, $3)`, fmt.Sprint("ntc_", n), []byte{1}, posting)
		}
		b.exec(t, `INSERT INTO push_done (notice_id, at) VALUES ('ntc_0', 1)`)
		b.exec(t, `INSERT INTO push_swept (notice_id, at) VALUES ('ntc_0', 1), ('ntc_1', 1)`) // the second one's job is not in the copy
		b.adopt(t)
		s, err := b.fence.Status(t.Context())
		if err != nil || s.Pushes != 2 || s.Revoked != 1 || sqltx.Micros(s.RevokedAt) != now-5 || s.Terminals != (fence.Terminals{All: 3, Heard: 2, CaughtUp: 1}) {
			t.Errorf("%+v, %v", s, err)
		}
		b.pushes.dropped = func() {
			b.exec(t, `INSERT INTO push_swept (notice_id, at) VALUES ('ntc_1', 1), ('pst_1', 1)`) // as dropping leaves them
		}
		if _, err := b.fence.Reconcile(t.Context(), fence.Decision{By: "a", Pushes: fence.Dropped}); err != nil {
			t.Fatal(err)
		}
		b.adopt(t)
		if s, err := b.fence.Status(t.Context()); err != nil || s.Pushes != 0 {
			t.Errorf("dropped pushes are owed again: %+v, %v", s, err)
		}
	})
}

// A list named sent on which somebody refused in the copy is not booked: nothing lifts.
func TestMoneyThatWasRefusedIsForAPerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		b.list(t, "lst_1", "waiting", "awd_1", "awd_2")
		b.exec(t, `INSERT INTO award_settlement (citizen_id, award_id, how, at, settled_by, received_on, channel, reason, list_id)
			VALUES ('ctz_awd_2', 'awd_2', 'refused', 1, 'ctz_awd_2', '', '', '', '')`)
		b.adopt(t)
		if _, err := b.fence.Reconcile(t.Context(), fence.Decision{By: "a", Sent: []string{"lst_1"}, Pushes: fence.Kept}); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("error %v", err)
		}
		b.fence.Forget()
		if err := b.fence.Check(t.Context()); err == nil {
			t.Error("the fence lifted")
		}
		if n := b.one(t, `SELECT count(*) FROM ledger`); n != 0 {
			t.Errorf("%d entries were booked", n)
		}
	})
}
