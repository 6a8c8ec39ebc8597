package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

var (
	run       = actor.System{Name: "worker.awards"}
	protector = actor.Staff{ID: "stf_7", Municipality: "990019", Roles: []actor.Role{actor.Protector}}
)

func (b *bench) letter(t *testing.T, ref, once string, about ...string) mailbox.Letter {
	t.Helper()
	l := mailbox.Letter{
		To: b.Citizen(t, "990019", ref).ID, Municipality: "990019", Kind: notice.Action, Deadline: civil.Date{Year: 2026, Month: 12, Day: 1},
		Texts:   map[notice.Language]notice.Text{notice.Japanese: {Title: "手当のお知らせ", Body: "決まりました。"}},
		Subject: notice.Subject{Kind: notice.Benefit, ID: "awd_" + once}, Once: once,
	}
	for _, a := range about {
		l.About = append(l.About, b.Citizen(t, "990019", a).ID)
	}
	return l
}

func (b *bench) post(letters ...mailbox.Letter) (out []mailbox.Posted, err error) {
	err = b.DB.Runner().Do(context.Background(), func(ctx context.Context, t tx.Tx) (err error) {
		out, err = b.Post(ctx, t, run, audit.BenefitDecision, letters)
		return err
	})
	return out, err
}

func (b *bench) posted(t *testing.T, letters ...mailbox.Letter) []mailbox.Posted {
	t.Helper()
	out, err := b.post(letters...)
	if err != nil {
		t.Fatal(err)
	}
	b.Advance(time.Second)
	return out
}

// protect sets a flag as a protector does.
func (b *bench) protect(t *testing.T, ref string) {
	t.Helper()
	if err := b.Town.Protection.Set(t.Context(), protector, audit.Protection, ref, protection.NonDisclosure, civil.Date{}); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) inbox(t *testing.T, who actor.Citizen) (ids []string, version string) {
	t.Helper()
	p, err := b.List(t.Context(), who, audit.Self, mailbox.Place{}, 100, never)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range p.Notices {
		ids = append(ids, n.ID)
	}
	return ids, p.Version
}

func TestPostReachesItsReader(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		reader := b.Citizen(t, "990019", "R1")
		_, before := b.inbox(t, reader)
		out := b.posted(t, b.letter(t, "R1", "a"), b.letter(t, "R4", "b"), b.letter(t, "R1", "c", "R2", "R3"))
		ids, version := b.inbox(t, reader)
		if len(out) != 3 || len(ids) != 2 || version == before || b.jobs(t) != 1 {
			t.Fatalf("%d posted, %d in the mailbox, %d jobs", len(out), len(ids), b.jobs(t))
		}
		got, err := b.Get(t.Context(), reader, audit.Self, out[2].Notice)
		want := notice.Subject{Kind: notice.Benefit, ID: "awd_c"}
		if err != nil || got.Subject != want || got.Sender != "みなと市 市民課" || len(got.Number) != 14 || got.Deadline.IsZero() || len(got.About) != 2 || out[2].Withheld {
			t.Errorf("got %+v, %v", got, err)
		}
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action = 'notice.post' AND purpose = 'benefit_decision' AND visible_from >= 0`); n != 3 {
			t.Errorf("%d entries", n)
		}
		if sent, _, err := b.Sent(t.Context(), clerk, audit.NoticeWriting, mailbox.Place{}, 10); err != nil || len(sent) != 0 {
			t.Errorf("the clerks' list shows %d letters, %v", len(sent), err)
		}
		if _, _, err := b.Follow(t.Context(), clerk, audit.NoticeWriting, out[0].Notice); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("a clerk followed a letter of another use case: %v", err)
		}
	})
}

// The same Once again, also at once and within one call, posts once and gets one answer.
func TestOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		b.protect(t, "R4")
		letters := []mailbox.Letter{b.letter(t, "R1", "a"), b.letter(t, "R4", "b"), b.letter(t, "R1", "a")}
		first := b.posted(t, letters...)
		letters[0].Texts = map[notice.Language]notice.Text{notice.Japanese: {Title: "別の題", Body: "別の文"}}
		again := b.posted(t, letters...)
		if !slices.Equal(first, again) || first[0] != first[2] || !first[1].Withheld || b.jobs(t) != 1 || b.Count(t, `SELECT count(*) FROM notice`) != 2 {
			t.Errorf("%v, then %v, %d jobs", first, again, b.jobs(t))
		}
		if n := b.Count(t, `SELECT count(*) FROM withheld`); n != 1 {
			t.Errorf("withheld %d times", n)
		}
		if _, err := b.post(b.letter(t, "R2", "a")); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("to another person: %v", err)
		}
		if _, err := b.post(b.letter(t, "R1", "x"), b.letter(t, "R2", "x")); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("to two persons in one call: %v", err)
		}
		answers := make(chan error, 8)
		race := b.letter(t, "R1", "race")
		for range cap(answers) {
			go func() {
				_, err := b.post(race)
				answers <- err
			}()
		}
		for range cap(answers) {
			if err := <-answers; err != nil && fault.CodeOf(err) != fault.Conflict {
				t.Error(err)
			}
		}
		if n := b.Count(t, `SELECT count(*) FROM notice WHERE client_id = 'once:race'`); n != 1 || b.jobs(t) != 2 {
			t.Errorf("posted %d times at once, %d jobs", n, b.jobs(t))
		}
	})
}

// A protection of the reader, or of somebody the letter tells of, that is stored in the
// transaction that posts keeps the letter out of the app and puts it on the protectors' list.
func TestAProtectionBeatsPost(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		reader, child := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R2")
		_, version := b.inbox(t, reader)
		var out []mailbox.Posted
		err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) (err error) {
			f := protection.Flag{Citizen: child.ID, Municipality: "990019", Kind: protection.NonDisclosure, Since: civil.In(b.Now())}
			if err := b.Town.Protection.Rows.Put(ctx, tt, f); err != nil {
				return err
			}
			out, err = b.Post(ctx, tt, run, audit.BenefitDecision, []mailbox.Letter{
				b.letter(t, "R1", "a", "R2"), b.letter(t, "R2", "b"), b.letter(t, "R4", "c"), b.letter(t, "R1", "d", "R3")})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !out[0].Withheld || !out[1].Withheld || out[2].Withheld || out[3].Withheld {
			t.Fatalf("%v", out)
		}
		if ids, _ := b.inbox(t, reader); !slices.Equal(ids, []string{out[3].Notice}) {
			t.Errorf("the mailbox holds %d", len(ids))
		}
		b.unseen(t, child, out[1].Notice, version)
		b.unseen(t, reader, out[0].Notice, "")
		tasks, err := b.Town.Protection.Waiting(t.Context(), protector, audit.Protection, 10)
		if err != nil || len(tasks) != 2 || tasks[0].Ref+tasks[1].Ref != "R1R2" && tasks[0].Ref+tasks[1].Ref != "R2R1" || tasks[0].Title != "手当のお知らせ" || tasks[0].What != protection.Notice {
			t.Errorf("the protectors' list: %+v, %v", tasks, err)
		}
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE visible_from >= 0 AND object IN ($1, $2)`, out[0].Notice, out[1].Notice); n != 0 {
			t.Errorf("the app shows %d entries about what was withheld", n)
		}
		if b.deliverAll(t); b.Count(t, `SELECT count(*) FROM push_send WHERE notice_id IN ($1, $2)`, out[0].Notice, out[1].Notice) != 0 {
			t.Error("a push was made for what was withheld")
		}
	})
}

// unseen proves that a notice is nowhere in a citizen's app. version, when given, is what
// their list had before.
func (b *bench) unseen(t *testing.T, who actor.Citizen, id, version string) {
	t.Helper()
	ids, now := b.inbox(t, who)
	if slices.Contains(ids, id) || version != "" && version != now {
		t.Errorf("the list tells of it: %v, version %s after %s", ids, now, version)
	}
	if _, err := b.Get(t.Context(), who, audit.Self, id); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("get: %v", err)
	}
	if err := b.Read(t.Context(), who, audit.Self, id); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("read: %v", err)
	}
	const h = "psh_00000000000000000000000000"
	err := b.DB.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
		return b.pushes.AddSends(ctx, tt, []push.Send{{Citizen: who.ID, Notice: id, Device: "probe", Handle: h, MadeAt: b.Now()}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.ByPush(t.Context(), who, audit.Self, h); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("by push: %v", err)
	}
	b.do(t, `DELETE FROM push_send WHERE citizen_id = $1 AND handle = $2`, who.ID, h)
}

// A protected recipient is in every count and list of a clerk what a silent one is.
func TestNothingHintsAtAProtection(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		shape := func(protected bool) string {
			b := open(t, storetest.Open(t, db.Engine()))
			if protected {
				b.protect(t, "R4")
			}
			_, before := b.inbox(t, b.Citizen(t, "990019", "R4"))
			a, err := b.Audience(t.Context(), clerk, audit.NoticeWriting, []string{"R1", "R4"})
			if err != nil {
				t.Fatal(err)
			}
			n := b.send(t, draft("R1", "R4"))
			if again := b.send(t, draft("R1", "R4")); again.ID != n.ID {
				t.Error("the form sent again is another notice")
			}
			b.deliverAll(t)
			if err := b.Read(t.Context(), b.Citizen(t, "990019", "R1"), audit.Self, n.ID); err != nil {
				t.Fatal(err)
			}
			p, to, err := b.Follow(t.Context(), clerk, audit.NoticeWriting, n.ID)
			if err != nil {
				t.Fatal(err)
			}
			sent, _, err := b.Sent(t.Context(), clerk, audit.NoticeWriting, mailbox.Place{}, 10)
			if err != nil {
				t.Fatal(err)
			}
			ids, _ := b.inbox(t, b.Citizen(t, "990019", "R4"))
			if (len(ids) == 0) != protected {
				t.Errorf("protected %v, %d in the mailbox", protected, len(ids))
			}
			if protected {
				b.unseen(t, b.Citizen(t, "990019", "R4"), n.ID, before)
				if n := b.Count(t, `SELECT count(*) FROM withheld`); n != 1 {
					t.Errorf("withheld %d times", n)
				}
				if seen, _, err := b.Registry.AccessLog(t.Context(), b.Citizen(t, "990019", "R4"), audit.Self, "", 10); err != nil || len(seen) != 4 {
					t.Errorf("the app shows %d entries, %v", len(seen), err) // the look at the audience, three own readings
				}
			}
			out := fmt.Sprintf("%d %d | %d %d %d |", a.Found, len(a.Unknown), p.Recipients, p.Pushed, p.Read)
			for _, r := range to {
				out += fmt.Sprintf(" %s %s %v", r.Ref, r.State, r.ReadAt.IsZero())
			}
			return out + fmt.Sprintf(" | %d %d %d", sent[0].Recipients, sent[0].Pushed, sent[0].Read)
		}
		if plain, protected := shape(false), shape(true); plain != protected {
			t.Errorf("without a protection:\n%s\nwith one:\n%s", plain, protected)
		}
	})
}

// do runs a statement that prepares a test.
func (b *bench) do(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := b.DB.Writer().ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// taking is a push service that takes everything.
type taking struct{ got []push.Message }

func (s *taking) Send(_ context.Context, m []push.Message) []push.Result {
	s.got = append(s.got, m...)
	return make([]push.Result, len(m))
}

// deliverAll runs the push jobs that are in the queue.
func (b *bench) deliverAll(t *testing.T) *taking {
	t.Helper()
	s := &taking{}
	d := push.New(push.Deps{Runner: b.DB.Runner(), Rows: b.pushes, Record: b.Log, Protection: b.Town.Protection, Sender: s,
		IDs: b.IDs, Now: b.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	for _, batch := range b.batches(t) {
		if err := d.Deliver(t.Context(), actor.System{Name: "worker.push"}, audit.NoticeDelivery, batch); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestPostRefuses(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite))
	change := func(f func(l *mailbox.Letter)) []mailbox.Letter {
		bad := b.letter(t, "R4", "bad")
		f(&bad)
		return []mailbox.Letter{b.letter(t, "R1", "good"), bad}
	}
	for name, c := range map[string]struct {
		letters []mailbox.Letter
		code    fault.Code
	}{
		"too many":       {make([]mailbox.Letter, mailbox.MaxLetters+1), fault.TooLarge},
		"no name":        {change(func(l *mailbox.Letter) { l.Once = "" }), fault.Internal},
		"nobody":         {change(func(l *mailbox.Letter) { l.To = "" }), fault.Internal},
		"kind":           {change(func(l *mailbox.Letter) { l.Kind = "advert" }), fault.InvalidArgument},
		"no last day":    {change(func(l *mailbox.Letter) { l.Deadline = civil.Date{} }), fault.InvalidArgument},
		"no Japanese":    {change(func(l *mailbox.Letter) { l.Texts = nil }), fault.InvalidArgument},
		"too many about": {change(func(l *mailbox.Letter) { l.About = make([]identity.CitizenID, mailbox.MaxAbout+1) }), fault.TooLarge},
		"no such office": {change(func(l *mailbox.Letter) { l.Municipality = "990035" }), fault.NotFound},
		"too long": {change(func(l *mailbox.Letter) {
			l.Texts = map[notice.Language]notice.Text{notice.Japanese: {Title: "t", Body: strings.Repeat("文", notice.MaxBody+1)}}
		}), fault.TooLarge},
	} {
		if _, err := b.post(c.letters...); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := b.DB.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
		_, err := b.Post(ctx, tt, other, audit.ChildSupport, []mailbox.Letter{b.letter(t, "R1", "a")})
		return err
	})
	if fault.CodeOf(err) != fault.Forbidden {
		t.Errorf("an officer of another municipality posted: %v", err)
	}
	if n := b.Count(t, `SELECT count(*) FROM notice`); n != 0 || b.jobs(t) != 0 {
		t.Errorf("%d notices, %d jobs", n, b.jobs(t))
	}
}

func TestPostRollsBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		b.protect(t, "R4")
		before := b.Count(t, `SELECT count(*) FROM audit_entry`)
		broken, whole := errors.New("broken"), b.Deps
		for name, breaks := range map[string]func() error{
			"the caller": func() error { return broken },
			"the record": func() error { b.Deps.Record = failing{}; return nil },
			"the queue":  func() error { b.Deps.Queue = failing{}; return nil },
		} {
			b.Deps = whole
			last := breaks()
			err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
				_, err := b.Post(ctx, tt, run, audit.BenefitDecision, []mailbox.Letter{b.letter(t, "R1", "a"), b.letter(t, "R4", "b")})
				return errors.Join(err, last)
			})
			if err == nil {
				t.Fatalf("%s: posted", name)
			}
			for _, table := range []string{"notice", "delivery", "withheld"} {
				if n := b.Count(t, `SELECT count(*) FROM `+table); n != 0 {
					t.Errorf("%s fails: %d rows of %s", name, n, table)
				}
			}
			if n := b.Count(t, `SELECT count(*) FROM audit_entry`); n != before || b.jobs(t) != 0 {
				t.Errorf("%s fails: %d entries more, %d jobs", name, n-before, b.jobs(t))
			}
		}
	})
}

// The largest posting fits into one job and one transaction. Its time is for the log: a
// machine under load may need longer for it than a callback is given.
func TestLargestPosting(t *testing.T) {
	for _, engine := range storetest.Engines {
		t.Run(string(engine), func(t *testing.T) {
			b := open(t, storetest.Open(t, engine, func(c *store.Config) { c.CallbackLimit = time.Minute }))
			letters := make([]mailbox.Letter, mailbox.MaxLetters)
			for i := range letters {
				letters[i] = b.letter(t, "R1", fmt.Sprintf("large-%d", i), "R2", "R3")
			}
			begun := time.Now()
			if out := b.posted(t, letters...); len(out) != len(letters) || b.jobs(t) != 1 {
				t.Fatalf("%d posted, %d jobs", len(out), b.jobs(t))
			}
			t.Logf("%d letters in %v", len(letters), time.Since(begun))
			if batches := b.batches(t); len(batches[0].Recipients) != len(letters) || len(batches[0].Notices) != len(letters) {
				t.Errorf("the job has %d recipients", len(batches[0].Recipients))
			}
		})
	}
}

func TestSweepOfPostings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		b.protect(t, "R4")
		lost := b.posted(t, b.letter(t, "R1", "a"), b.letter(t, "R4", "b"), b.letter(t, "R2", "c"))
		b.posted(t, b.letter(t, "R1", "d"))
		b.do(t, `INSERT INTO push_done (notice_id, at) SELECT posting, 0 FROM notice WHERE client_id = $1`, "once:d")
		for _, after := range []time.Duration{0, 20 * time.Minute, time.Minute} {
			b.Advance(after)
			if err := b.Sweep(t.Context(), actor.System{Name: "sweep"}, audit.NoticeDelivery); err != nil {
				t.Fatal(err)
			}
		}
		batches := b.batches(t)
		if len(batches) != 3 {
			t.Fatalf("%d jobs", len(batches))
		}
		again := batches[2]
		slices.Sort(again.Notices)
		if want := []string{lost[0].Notice, lost[2].Notice}; !slices.Equal(again.Notices, want) || again.Notice != batches[0].Notice {
			t.Errorf("asked again for %v of %s", again.Notices, again.Notice)
		}
	})
}
