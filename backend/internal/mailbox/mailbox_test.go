package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/folk"
	mailboxrows "madoguchi.example/backend/internal/store/mailbox"
	pushrows "madoguchi.example/backend/internal/store/push"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

var (
	clerk   = actor.Staff{ID: "stf_1", Municipality: "990019", Roles: []actor.Role{actor.Clerk}}
	other   = actor.Staff{ID: "stf_2", Municipality: "990027", Roles: []actor.Role{actor.Clerk}}
	auditor = actor.Staff{ID: "stf_3", Municipality: "990019", Roles: []actor.Role{actor.Auditor}}
)

type bench struct {
	*folk.Town
	*mailbox.Office
	pushes *pushrows.Rows
}

func open(t *testing.T, db *store.DB) *bench {
	t.Helper()
	w := folk.Settle(t, db)
	jobs, err := job.Open(db, job.Config{Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	rows := pushrows.New(db.Reads())
	return &bench{w, mailbox.New(mailbox.Deps{Runner: db.Runner(), Rows: mailboxrows.New(db.Reads()), People: w.Registry,
		Pushes: rows, Protection: w.Protection, Queue: jobs, Record: w.Log, IDs: w.IDs, Now: w.Now}), rows}
}

func draft(refs ...string) mailbox.Draft {
	return mailbox.Draft{
		ClientID: "onc_00000000000000000000000000", Kind: notice.Action, Deadline: civil.Date{Year: 2026, Month: 12, Day: 1},
		Texts: map[notice.Language]notice.Text{
			notice.Japanese: {Title: "健康診断のお知らせ", Body: "12月1日までに\nお申し込みください。"},
			notice.English:  {Title: "Health check", Body: "Please apply by 1 December."},
		},
		Recipients: refs,
	}
}

func (b *bench) send(t *testing.T, d mailbox.Draft) mailbox.Notice {
	t.Helper()
	n, err := b.Send(t.Context(), clerk, audit.NoticeWriting, d)
	if err != nil {
		t.Fatal(err)
	}
	b.Advance(time.Second)
	return n
}

func never(string) bool { return false }

func (b *bench) jobs(t *testing.T) int {
	t.Helper()
	return b.Count(t, `SELECT count(*) FROM river_job WHERE kind = $1`, push.Batch{}.Kind())
}

func TestJourney(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		reader, silent := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R4")
		n := b.send(t, draft("R1", "R4", " R1 "))
		if n.Recipients != 2 || n.Sender != "みなと市 市民課" || len(n.Number) != 14 || b.jobs(t) != 1 {
			t.Fatalf("sent: %d recipients, %q, number of %d, %d jobs", n.Recipients, n.Sender, len(n.Number), b.jobs(t))
		}
		got, err := b.Get(t.Context(), reader, audit.Self, n.ID)
		if err != nil || got.Texts[notice.English].Title != "Health check" || got.Deadline.String() != "2026-12-01" || !got.ReadAt.IsZero() {
			t.Fatalf("got %+v, %v", got, err)
		}
		for range 2 {
			if err := b.Read(t.Context(), reader, audit.NoticeDelivery, n.ID); err != nil {
				t.Fatal(err)
			}
			b.Advance(time.Hour)
		}
		p, to, err := b.Follow(t.Context(), clerk, audit.NoticeWriting, n.ID)
		if err != nil || p.Read != 1 || p.Pushed != 0 || len(to) != 2 || to[0].Ref != "R1" || to[0].State != notice.Read || to[1].State != notice.InMailbox {
			t.Fatalf("follow: %+v %+v %v", p, to, err)
		}
		err = db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
			at := push.Send{Citizen: silent.ID, Notice: n.ID, Device: "d", Handle: "psh_00000000000000000000000000", MadeAt: b.Now()}
			return b.pushes.AddOutcomes(ctx, tt, []push.Ended{{Send: at, Outcome: push.Accepted, At: b.Now()}})
		})
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := b.Sent(t.Context(), clerk, audit.NoticeWriting, mailbox.Place{}, 10)
		if err != nil || len(list) != 1 || list[0].Read != 1 || list[0].Pushed != 1 {
			t.Errorf("the list: %+v %v", list, err)
		}
		if got, err = b.Get(t.Context(), reader, audit.Self, n.ID); err != nil || !got.ReadAt.Equal(to[0].ReadAt) || got.ReadAt.After(n.SentAt.Add(time.Minute)) {
			t.Errorf("the first reading does not stay: %v", err)
		}
		seen, _, err := b.Registry.AccessLog(t.Context(), silent, audit.Self, "", 10)
		if err != nil || len(seen) != 2 || seen[0].Action != "notice.follow" || seen[1].Action != "notice.send" {
			t.Errorf("the silent one sees %+v, %v", seen, err)
		}
	})
}

func TestStrangersFindNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		n := b.send(t, draft("R1"))
		stranger := b.Citizen(t, "990019", "R4")
		if _, err := b.Get(t.Context(), stranger, audit.Self, n.ID); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("get: %v", err)
		}
		if err := b.Read(t.Context(), stranger, audit.Self, n.ID); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("read: %v", err)
		}
		if _, _, err := b.Follow(t.Context(), other, audit.NoticeWriting, n.ID); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("follow: %v", err)
		}
		if sent, _, err := b.Sent(t.Context(), other, audit.NoticeWriting, mailbox.Place{}, 10); err != nil || len(sent) != 0 {
			t.Errorf("list of the other municipality: %d, %v", len(sent), err)
		}
	})
}

func TestPushHandles(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		n := b.send(t, draft("R1", "R4"))
		owner, stranger := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R4")
		const h = "psh_00000000000000000000000000"
		err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
			return b.pushes.AddSends(ctx, tt, []push.Send{{Citizen: owner.ID, Notice: n.ID, Device: "d", Handle: h, MadeAt: b.Now()}})
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.ByPush(t.Context(), owner, audit.Self, h); err != nil || got.ID != n.ID {
			t.Errorf("owner: %v", err)
		}
		_, foreign := b.ByPush(t.Context(), stranger, audit.Self, h)
		_, unknown := b.ByPush(t.Context(), stranger, audit.Self, "psh_11111111111111111111111111")
		if fault.CodeOf(foreign) != fault.NotFound || foreign.Error() != unknown.Error() {
			t.Errorf("another's handle and none differ: %v, %v", foreign, unknown)
		}
	})
}

func TestSendingTwiceSendsOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		first := b.send(t, draft("R1"))
		if again := b.send(t, draft("R1")); again.ID != first.ID || b.jobs(t) != 1 {
			t.Errorf("sent twice: %d jobs", b.jobs(t))
		}
		changed := draft("R1", "R4")
		if _, err := b.Send(t.Context(), clerk, audit.NoticeWriting, changed); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("another draft from the same form: %v", err)
		}
		elsewhere := draft("T2")
		if _, err := b.Send(t.Context(), other, audit.NoticeWriting, elsewhere); err != nil {
			t.Errorf("the same id in another municipality: %v", err)
		}
	})
}

// The same form sent by eight at once, on either engine: one notice, one job, one answer.
func TestSendingAtOnceSendsOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		type answer struct {
			id  string
			err error
		}
		answers := make(chan answer, 8)
		for range cap(answers) {
			go func() {
				n, err := b.Send(context.WithoutCancel(t.Context()), clerk, audit.NoticeWriting, draft("R1", "R4"))
				answers <- answer{n.ID, err}
			}()
		}
		ids := map[string]bool{}
		for range cap(answers) {
			a := <-answers
			if a.err != nil {
				t.Errorf("one of them was refused: %v", a.err)
			}
			ids[a.id] = true
		}
		if len(ids) != 1 || b.jobs(t) != 1 || b.Count(t, `SELECT count(*) FROM delivery`) != 2 {
			t.Errorf("%d notices, %d jobs", len(ids), b.jobs(t))
		}
	})
}

// What the preview showed as nobody is left out, and the same form again gives the same
// notice even when the register has changed meanwhile.
func TestLeavingOut(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		d := draft("R1", "R99", "T2", "R4")
		d.LeaveOut = true
		first := b.send(t, d)
		if first.Recipients != 2 {
			t.Errorf("%d recipients", first.Recipients)
		}
		b.Import(t, map[string]string{"deaths.csv": "resident_ref,municipality_code,died_on,registered_on\nR4,990019,2026-11-01,2026-11-05\n"}, b.Registry.Importers()...)
		if again := b.send(t, d); again.ID != first.ID || b.jobs(t) != 1 {
			t.Errorf("the same form sent again: %d jobs", b.jobs(t))
		}
		nobody := draft("R99")
		nobody.LeaveOut, nobody.ClientID = true, "client-id-0000000000"
		if _, err := b.Send(t.Context(), clerk, audit.NoticeWriting, nobody); fault.CodeOf(err) != fault.InvalidArgument || fault.PlaceOf(err) != "recipients" {
			t.Errorf("to nobody: %v", err)
		}
	})
}

// Notices are for clerks and approvers of their own municipality, whatever route led here.
func TestWhoMayLookAtNotices(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite))
	n := b.send(t, draft("R1"))
	for name, c := range map[string]struct {
		who  actor.Staff
		want fault.Code
	}{
		"clerk":           {clerk, ""},
		"approver":        {actor.Staff{ID: "stf_4", Municipality: "990019", Roles: []actor.Role{actor.Approver}}, ""},
		"auditor":         {auditor, fault.Forbidden},
		"terminals alone": {actor.Staff{ID: "stf_5", Municipality: "990019", Roles: []actor.Role{actor.TerminalManager}}, fault.Forbidden},
		"of nowhere":      {actor.Staff{ID: "stf_6", Roles: []actor.Role{actor.Clerk}}, fault.Forbidden},
	} {
		if _, _, err := b.Sent(t.Context(), c.who, audit.NoticeWriting, mailbox.Place{}, 1); fault.CodeOf(err) != c.want {
			t.Errorf("%s, list: %v", name, err)
		}
		if _, _, err := b.Follow(t.Context(), c.who, audit.NoticeWriting, n.ID); fault.CodeOf(err) != c.want {
			t.Errorf("%s, notice: %v", name, err)
		}
	}
}

func TestDrafts(t *testing.T) {
	change := func(f func(d *mailbox.Draft)) mailbox.Draft { d := draft("R1"); f(&d); return d }
	text := func(title, body string) func(d *mailbox.Draft) {
		return func(d *mailbox.Draft) {
			d.Texts = map[notice.Language]notice.Text{notice.Japanese: {Title: title, Body: body}}
		}
	}
	cases := []struct {
		name  string
		d     mailbox.Draft
		code  fault.Code
		place string
	}{
		{"longest words", change(text(strings.Repeat("題", notice.MaxTitle), strings.Repeat("文", notice.MaxBody))), "", ""},
		{"title too long", change(text(strings.Repeat("題", notice.MaxTitle+1), "b")), fault.TooLarge, "texts.ja.title"},
		{"body too long", change(text("t", strings.Repeat("文", notice.MaxBody+1))), fault.TooLarge, "texts.ja.body"},
		{"My Number in the body", change(text("t", "番号は 1234 5678 9018 です")), fault.MyNumberRefused, "texts.ja.body"},
		{"line break in the title", change(text("a\nb", "b")), fault.InvalidArgument, "texts.ja.title"},
		{"NUL", change(text("t", "a\x00")), fault.InvalidArgument, "texts.ja.body"},
		{"not UTF-8", change(text("t", "\xff")), fault.InvalidArgument, "texts.ja.body"},
		{"no Japanese", change(func(d *mailbox.Draft) { delete(d.Texts, notice.Japanese) }), fault.InvalidArgument, "texts.ja.title"},
		{"another language", change(func(d *mailbox.Draft) { d.Texts["fr"] = notice.Text{Title: "t", Body: "b"} }), fault.InvalidArgument, "texts"},
		{"deadline passed", change(func(d *mailbox.Draft) { d.Deadline.Year = 2025 }), fault.InvalidArgument, "deadline"},
		{"action without a deadline", change(func(d *mailbox.Draft) { d.Deadline = civil.Date{} }), fault.InvalidArgument, "deadline"},
		{"kind", change(func(d *mailbox.Draft) { d.Kind = "advert" }), fault.InvalidArgument, "kind"},
		{"id", change(func(d *mailbox.Draft) { d.ClientID = "short" }), fault.InvalidArgument, "client_id"},
		{"nobody", draft(), fault.InvalidArgument, "recipients"},
		{"too many", draft(make([]string, mailbox.MaxRecipients+1)...), fault.TooLarge, "recipients"},
		{"unknown", draft("R1", "R99"), fault.InvalidArgument, "recipients line 2"},
		{"of another municipality", draft("R1", "T2"), fault.InvalidArgument, "recipients line 2"},
		{"dead", draft("R5"), fault.InvalidArgument, "recipients line 1"},
		{"moved out", draft("R6"), fault.InvalidArgument, "recipients line 1"},
		{"empty line", draft("R1", " "), fault.InvalidArgument, "recipients line 2"},
		{"NUL in a line", draft("R1\x00"), fault.InvalidArgument, "recipients line 1"},
		{"My Number as a recipient", draft("123456789018"), fault.MyNumberRefused, "recipients line 1"},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		for i, c := range cases {
			if c.place != "client_id" {
				c.d.ClientID = fmt.Sprintf("client-id-%016d", i)
			}
			_, err := b.Send(t.Context(), clerk, audit.NoticeWriting, c.d)
			if fault.CodeOf(err) != c.code || fault.PlaceOf(err) != c.place {
				t.Errorf("%s: %s at %q", c.name, fault.CodeOf(err), fault.PlaceOf(err))
			}
		}
		if n := b.Count(t, `SELECT count(*) FROM notice`); n != 1 || b.jobs(t) != 1 {
			t.Errorf("%d notices, %d jobs", n, b.jobs(t))
		}
		if _, err := b.Send(t.Context(), auditor, audit.NoticeWriting, draft("R1")); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("an auditor sent a notice: %v", err)
		}
	})
}

func TestAudience(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		a, err := b.Preview(t.Context(), clerk, audit.NoticeWriting, draft("R1", "R99", "T2", "R5", "R4", "R1"))
		if err != nil || a.Found != 2 || fmt.Sprint(a.Unknown) != "[2 3 4]" || a.Phone != "03-0000-0001" {
			t.Errorf("%+v, %v", a, err)
		}
		if n := b.Count(t, `SELECT count(DISTINCT citizen_id) FROM audit_entry WHERE action = $1 AND citizen_id <> ''`, "notice.audience"); n != 2 {
			t.Errorf("the look at 2 residents is recorded for %d", n)
		}
		if _, err := b.Audience(t.Context(), auditor, audit.NoticeWriting, []string{"R1"}); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("an auditor asked: %v", err)
		}
	})
}

// failing breaks one part of a send.
type failing struct{}

func (failing) Append(context.Context, tx.Tx, actor.Actor, audit.Event) error {
	return errors.New("broken")
}
func (failing) AppendAll(context.Context, tx.Tx, actor.Actor, []audit.Event) error {
	return errors.New("broken")
}
func (failing) Enqueue(context.Context, tx.Tx, job.Args) error { return errors.New("broken") }

func TestOneTransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		whole := b.Deps
		for name, breaks := range map[string]func(d *mailbox.Deps){
			"record": func(d *mailbox.Deps) { d.Record = failing{} },
			"queue":  func(d *mailbox.Deps) { d.Queue = failing{} },
		} {
			b.Deps = whole
			breaks(&b.Deps)
			before := b.Count(t, `SELECT count(*) FROM audit_entry`)
			if _, err := b.Send(t.Context(), clerk, audit.NoticeWriting, draft("R1", "R4")); err == nil {
				t.Fatalf("%s: sent", name)
			}
			for _, q := range []string{`SELECT count(*) FROM notice`, `SELECT count(*) FROM delivery`} {
				if n := b.Count(t, q); n != 0 {
					t.Errorf("%s fails: %d rows, %s", name, n, q)
				}
			}
			if after := b.Count(t, `SELECT count(*) FROM audit_entry`); after != before || b.jobs(t) != 0 {
				t.Errorf("%s fails: %d entries more, %d jobs", name, after-before, b.jobs(t))
			}
		}
	})
}

func TestPagesAndVersions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		who := b.Citizen(t, "990019", "R1")
		var want []string
		for i := range 5 {
			d := draft("R1")
			d.ClientID = fmt.Sprintf("client-id-%016d", i)
			want = append([]string{b.send(t, d).ID}, want...)
		}
		var got []string
		var place mailbox.Place
		var version string
		for range 4 {
			p, err := b.List(t.Context(), who, audit.Self, place, 2, never)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range p.Notices {
				got = append(got, n.ID)
			}
			if place, version = p.Next, p.Version; place.ID == "" {
				break
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("pages gave %d of %d", len(got), len(want))
		}
		same := func() bool {
			p, err := b.List(t.Context(), who, audit.Self, mailbox.Place{}, 2, func(v string) bool { return v == version })
			if err != nil {
				t.Fatal(err)
			}
			return p.Same
		}
		if !same() {
			t.Error("nothing changed, but the version did")
		}
		if err := b.Read(t.Context(), who, audit.Self, want[4]); err != nil {
			t.Fatal(err)
		}
		if same() {
			t.Error("a notice was read, but the version stood still")
		}
		sent, next, err := b.Sent(t.Context(), clerk, audit.NoticeWriting, mailbox.Place{}, 3)
		if err != nil || len(sent) != 3 || next.ID == "" || sent[0].ID != want[0] {
			t.Errorf("the console's list: %d, %v", len(sent), err)
		}
	})
}

func TestSweepAsksAgainOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		lost := draft("R1", "R4")
		b.send(t, lost)
		done := draft("R1")
		done.ClientID = "client-id-0000000000"
		finished := b.send(t, done)
		err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error { return b.pushes.Done(ctx, tt, finished.ID, b.Now()) })
		if err != nil {
			t.Fatal(err)
		}
		sweep := func() int {
			t.Helper()
			if err := b.Sweep(t.Context(), actor.System{Name: "sweep"}, audit.NoticeDelivery); err != nil {
				t.Fatal(err)
			}
			return b.jobs(t)
		}
		if n := sweep(); n != 2 {
			t.Errorf("too early: %d jobs", n)
		}
		b.Advance(20 * time.Minute)
		if n := sweep(); n != 3 {
			t.Errorf("after 20 minutes: %d jobs", n)
		}
		if n := sweep(); n != 3 {
			t.Errorf("the second sweep: %d jobs", n)
		}
	})
}

// After a restoration every push that is owed is asked for, or given up, whatever its age;
// both once.
func TestOwedPushesAreAskedForOrGivenUp(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		who := actor.System{Name: "restore reconcile"}
		write := func(id string) {
			d := draft("R1", "R4")
			d.ClientID = id
			b.send(t, d)
		}
		write("client-id-0000000001")
		write("client-id-0000000002")
		b.Advance(72 * time.Hour)
		for again, want := range []int{2, 0} {
			if n, err := b.AskAgainAll(t.Context(), who, audit.Restoration); err != nil || n != want || b.jobs(t) != 4 {
				t.Errorf("time %d: %d asked for, %d jobs, error %v", again+1, n, b.jobs(t), err)
			}
		}
		write("client-id-0000000003")
		for again, want := range []int{1, 0} {
			if n, err := b.DropAll(t.Context(), who, audit.Restoration); err != nil || n != want || b.jobs(t) != 5 {
				t.Errorf("time %d: %d given up, %d jobs, error %v", again+1, n, b.jobs(t), err)
			}
		}
		if n, err := b.AskAgainAll(t.Context(), who, audit.Restoration); err != nil || n != 0 {
			t.Errorf("%d that were given up are asked for again, %v", n, err)
		}
	})
}
