package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/store"
	auditrows "madoguchi.example/backend/internal/store/audit"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

const (
	withheld audit.Purpose = "withheld"
	later    audit.Purpose = "later"
	delay                  = 24 * time.Hour
)

var clerk = actor.Staff{ID: "stf_1", Municipality: "990019"}

// fixture is a log with two purposes more, and a clock that moves by hand.
type fixture struct {
	t   *testing.T
	db  *store.DB
	log *audit.Log
	now time.Time
}

func each(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, newFixture(t, db)) })
}

func newFixture(t *testing.T, db *store.DB) *fixture {
	f := &fixture{t: t, db: db, now: storetest.Now()}
	purposes := audit.Register()
	purposes[withheld] = audit.Rule{Visibility: auditlog.VisibleNever}
	purposes[later] = audit.Rule{Visibility: auditlog.VisibleLater, After: delay}
	f.log = audit.New(auditrows.New(db.Reads()), purposes, func() time.Time { return f.now }, storetest.Rand("audit"))
	return f
}

func (f *fixture) append(events ...audit.Event) error {
	return f.db.Runner().Do(f.t.Context(), func(ctx context.Context, x tx.Tx) error {
		for _, e := range events {
			if err := f.log.Append(ctx, x, clerk, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *fixture) mustAppend(events ...audit.Event) {
	f.t.Helper()
	if err := f.append(events...); err != nil {
		f.t.Fatal(err)
	}
}

// all walks the pages and gives every answer as it would be shown, cursors too.
func (f *fixture) all(citizen identity.CitizenID, limit int) (entries []auditlog.Entry, shown string) {
	f.t.Helper()
	var text bytes.Buffer
	for cursor := ""; ; {
		page, err := f.log.VisibleTo(f.t.Context(), citizen, cursor, limit)
		if err != nil {
			f.t.Fatal(err)
		}
		if err := json.NewEncoder(&text).Encode(page); err != nil {
			f.t.Fatal(err)
		}
		entries = append(entries, page.Entries...)
		if cursor = page.Next; cursor == "" {
			return entries, text.String()
		}
	}
}

func event(citizen identity.CitizenID, p audit.Purpose, object string) audit.Event {
	return audit.Event{Purpose: p, Action: "notice.read", CitizenID: citizen, Municipality: "990019", Object: object, Items: []string{"title", "body"}}
}

func TestAppendAndRead(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.mustAppend(event("ctz_a", audit.NoticeDelivery, "ntc_1"), event("ctz_b", audit.NoticeDelivery, "ntc_2"))
		got, _ := f.all("ctz_a", 0)
		if len(got) != 1 {
			t.Fatalf("%d entries, want 1", len(got))
		}
		want := auditlog.Entry{ID: got[0].ID, At: f.now, Actor: auditlog.Actor{Kind: auditlog.ActorStaff, ID: "stf_1"},
			Purpose: "notice_delivery", Action: "notice.read", CitizenID: "ctz_a", Municipality: "990019", Object: "ntc_1", Items: []string{"title", "body"}}
		if fmt.Sprint(got[0]) != fmt.Sprint(want) || !strings.HasPrefix(got[0].ID, "aud_") {
			t.Errorf("%v, want %v", got[0], want)
		}
	})
}

func TestEntryLivesAndDiesWithTheAct(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		errGiveUp := errors.New("the act failed")
		err := f.db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
			if err := f.log.Append(ctx, x, clerk, event("ctz_a", audit.Self, "")); err != nil {
				return err
			}
			page, err := f.log.VisibleIn(ctx, x, "ctz_a", "", 0)
			if err != nil || len(page.Entries) != 1 {
				t.Errorf("inside the transaction: %d entries, error %v", len(page.Entries), err)
			}
			return errGiveUp
		})
		if got, _ := f.all("ctz_a", 0); !errors.Is(err, errGiveUp) || len(got) != 0 {
			t.Errorf("error %v, %d entries", err, len(got))
		}
	})
}

func TestUnknownPurposeIsRefused(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if err := f.append(event("ctz_a", "curiosity", "")); fault.CodeOf(err) != fault.Internal {
			t.Errorf("error %v", err)
		}
	})
}

// A withheld entry leaves no trace: the pages are the same, byte for byte, with and
// without it, whatever their size.
func TestWithheldEntryLeavesNoTrace(t *testing.T) {
	for _, e := range storetest.Engines {
		t.Run(string(e), func(t *testing.T) {
			for limit := 1; limit <= 5; limit++ {
				plain, secret := newFixture(t, storetest.Open(t, e)), newFixture(t, storetest.Open(t, e))
				write(plain, false)
				write(secret, true)
				_, a := plain.all("ctz_a", limit)
				_, b := secret.all("ctz_a", limit)
				if a != b || !strings.Contains(a, "ntc_3") {
					t.Errorf("limit %d: without\n%s\nwith\n%s", limit, a, b)
				}
			}
			// The witness that the entries are there: another clock shows the late one.
			f := newFixture(t, storetest.Open(t, e))
			write(f, true)
			f.now = f.now.Add(delay)
			if got, _ := f.all("ctz_a", 0); len(got) != 8 {
				t.Errorf("%d entries after the delay, want 4 and 4", len(got))
			}
		})
	}
}

// write makes four visible entries, and between them others when asked to. Ids come from a
// stream of their own, so that the visible ones get the same in both cases.
func write(f *fixture, secrets bool) {
	other := *f
	other.log = audit.New(auditrows.New(f.db.Reads()), f.log.Purposes(), func() time.Time { return f.now }, storetest.Rand("others"))
	for i := range 4 {
		if secrets {
			other.mustAppend(event("ctz_a", withheld, "cas_1"), event("ctz_a", later, "cas_2"))
		}
		f.mustAppend(event("ctz_a", audit.Self, fmt.Sprintf("ntc_%d", i)))
		f.now = f.now.Add(time.Minute * time.Duration(i%2)) // some at the same time
	}
}

func TestCitizenOfWithheldEntriesAloneLooksUnknown(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.mustAppend(event("ctz_a", withheld, "cas_1"))
		_, seen := f.all("ctz_a", 3)
		_, nobody := f.all("ctz_nobody", 3)
		if seen != nobody {
			t.Errorf("%s, want %s", seen, nobody)
		}
	})
}

func TestPagesAreNewestFirstAndComplete(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const n = 23
		for i := range n {
			f.mustAppend(event("ctz_a", audit.Self, fmt.Sprint(i)))
			f.now = f.now.Add(time.Duration(i%3) * time.Second)
		}
		for _, limit := range []int{1, 2, 7, n, n + 1, 0, 1000} {
			got, _ := f.all("ctz_a", limit)
			newestFirst := slices.IsSortedFunc(got, func(a, b auditlog.Entry) int { return b.At.Compare(a.At) })
			seen := map[string]bool{}
			for _, e := range got {
				seen[e.ID] = true
			}
			if len(got) != n || len(seen) != n || !newestFirst {
				t.Errorf("limit %d: %d entries, %d different, newest first %v", limit, len(got), len(seen), newestFirst)
			}
		}
	})
}

func TestLimitsOfAnEntry(t *testing.T) {
	f := newFixture(t, storetest.Open(t, store.SQLite))
	long := strings.Repeat("x", audit.MaxField+1)
	for name, spoil := range map[string]func(*audit.Event){
		"no action":   func(e *audit.Event) { e.Action = "" },
		"long action": func(e *audit.Event) { e.Action = long },
		"long object": func(e *audit.Event) { e.Object = long },
		"long item":   func(e *audit.Event) { e.Items = []string{long} },
		"many items":  func(e *audit.Event) { e.Items = make([]string, audit.MaxItems+1) },
	} {
		e := event("ctz_a", audit.Self, "")
		spoil(&e)
		if err := f.append(e); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestListOfNobody(t *testing.T) {
	f := newFixture(t, storetest.Open(t, store.SQLite))
	f.mustAppend(event("", audit.Import, ""))
	if _, err := f.log.VisibleTo(t.Context(), "", "", 0); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("error %v", err)
	}
}

func TestRegisterNamesEveryPurposeInThreeLanguages(t *testing.T) {
	register := audit.Register()
	for _, p := range register.Keys() {
		rule := register[p]
		for _, language := range []string{"ja", "ja-easy", "en"} {
			if rule.Names[language] == "" {
				t.Errorf("%s has no name in %s", p, language)
			}
		}
		if rule.Visibility == "" || len(rule.Names) != 3 {
			t.Errorf("%s: %v", p, rule)
		}
	}
}

func FuzzCursor(f *testing.F) {
	db := storetest.Open(f, store.SQLite)
	now := storetest.Now()
	log := audit.New(auditrows.New(db.Reads()), audit.Register(), func() time.Time { return now }, storetest.Rand("fuzz"))
	err := db.Runner().Do(f.Context(), func(ctx context.Context, x tx.Tx) error {
		for range 3 {
			if err := log.Append(ctx, x, clerk, event("ctz_a", audit.Self, "")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	page, err := log.VisibleTo(f.Context(), "ctz_a", "", 1)
	if err != nil || page.Next == "" {
		f.Fatalf("%v, error %v", page, err)
	}
	f.Add("")
	f.Add(page.Next)
	f.Add(page.Next + "=")
	f.Add("MTIz")
	f.Fuzz(func(t *testing.T, cursor string) {
		_, err := log.VisibleTo(t.Context(), "ctz_a", cursor, 1)
		if err != nil && fault.CodeOf(err) != fault.InvalidArgument {
			t.Error(err)
		}
		if err != nil && len(cursor) > 20 && strings.Contains(err.Error(), cursor) {
			t.Error("the error repeats the cursor")
		}
	})
}
