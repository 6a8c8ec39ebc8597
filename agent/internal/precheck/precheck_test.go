package precheck_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/precheck"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/oqs"
)

const header = "time,patient,kana,birth_date,insurer_number,symbol,number,branch,visit_day\n"

const list = header +
	"09:30,P-2,サトウ イチロウ,H2.2.2,33120015,,7654321,,2026-11-23\n" +
	"09:00,P-1,ヤマダ ハナ,1980-04-01,06139997,１２,34-56,1,2026-11-23\n" +
	"10:00,,スズキ ジロウ,S15.1.5,39131156,,12345678,,2026-11-24\n"

var (
	evening = time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC) // 19:30 in Japan
	monday  = civil.Date{Year: 2026, Month: 11, Day: 23}
)

// folder is the clinic's own terminal.
type folder struct {
	batches   []string
	asked     [][]eligibility.Inquiry
	collected []string
	fail      error
}

func (f *folder) AskMany(_ context.Context, batch string, qs []eligibility.Inquiry) error {
	if f.fail == nil {
		f.batches, f.asked = append(f.batches, batch), append(f.asked, qs)
	}
	return f.fail
}

func (f *folder) Collect(_ context.Context, batch, reception string) error {
	if f.fail == nil {
		f.collected = append(f.collected, batch+" "+reception)
	}
	return f.fail
}

type bench struct {
	*precheck.Precheck
	vault  *vault.Vault
	folder *folder
	dir    string
	now    time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir(), now: evening, folder: &folder{}}
	if err := b.key().Create(rand.Reader); err != nil {
		t.Fatal(err)
	}
	b.open(t)
	t.Cleanup(func() { _ = b.vault.Close() })
	return b
}

func (b *bench) key() vault.KeyFile { return vault.KeyFile(filepath.Join(b.dir, "vault.key")) }

func (b *bench) open(t *testing.T) {
	t.Helper()
	clock := func() time.Time { return b.now }
	var err error
	if b.vault, err = vault.Open(t.Context(), b.dir, vault.Options{Key: b.key(), Now: clock, Rand: rand.Reader, Terminal: "trm_test"}); err != nil {
		t.Fatal(err)
	}
	source := handle.Source{Now: clock, Rand: rand.Reader}
	b.Precheck = precheck.New(precheck.Config{
		Shelf: func(name string) casebook.Shelf { return b.vault.Shelf(name) }, Online: b.folder, Now: clock,
		NewID: func() (string, error) { id, err := source.UUID(); return id.String(), err },
	})
}

func (b *bench) restart(t *testing.T) {
	t.Helper()
	if err := b.vault.Close(); err != nil {
		t.Fatal(err)
	}
	b.open(t)
}

func (b *bench) load(t *testing.T, csv string, want int) {
	t.Helper()
	if n, err := b.Load(t.Context(), []byte(csv)); err != nil || n != want {
		t.Fatalf("%d bookings: %v", n, err)
	}
}

// run asks and answers for everybody: valid, but for those whom change changes.
func (b *bench) run(t *testing.T, change func(kana string, i *oqs.Item)) oqs.Result {
	t.Helper()
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	batch := b.folder.batches[len(b.folder.batches)-1]
	if err := b.TakeReception(t.Context(), oqs.Reception{Identifier: batch, Segment: oqs.Done, ReceptionNumber: "R1"}); err != nil {
		t.Fatal(err)
	}
	if err := b.Chase(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := oqs.Result{Identifier: batch, Segment: oqs.Done, ReceptionNumber: "R1"}
	bookings, err := b.Bookings(t.Context(), monday)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range b.folder.asked[len(b.folder.asked)-1] {
		r.ForDay = q.VisitDay
		i := oqs.Item{Identifier: q.RecordID, Status: oqs.StatusOK, Validity: eligibility.Valid, Coverage: &oqs.Coverage{
			Insurer: insurance.InsurerNumber(q.InsurerNumber), Number: q.Number, BirthDate: q.BirthDate,
		}}
		for _, s := range bookings {
			if s.ID == q.RecordID {
				change(s.Kana, &i)
			}
		}
		r.Items = append(r.Items, i)
	}
	if err := b.TakeBulk(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func plain(string, *oqs.Item) {}

var (
	hana   = check.Booked{VisitDay: monday, BirthDate: civil.Date{Year: 1980, Month: 4, Day: 1}, Kana: "ﾔﾏﾀﾞﾊﾅ"}
	ichiro = check.Booked{VisitDay: monday, BirthDate: civil.Date{Year: 1990, Month: 2, Day: 2}, Insurer: "33120015", Number: "7654321"}
)

func (b *bench) known(t *testing.T, who check.Booked) *casebook.Known {
	t.Helper()
	k, err := b.Known(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTheEveningsCheck(t *testing.T) {
	b := newBench(t)
	b.load(t, list, 3)
	b.restart(t)
	b.run(t, func(kana string, i *oqs.Item) {
		if kana == "サトウ イチロウ" {
			i.Validity = eligibility.Invalid
		}
	})
	if len(b.folder.asked) != 1 || len(b.folder.asked[0]) != 2 || len(b.folder.collected) != 1 {
		t.Fatalf("asked %d, collected %v", len(b.folder.asked), b.folder.collected)
	}
	b.restart(t)
	day, err := b.Bookings(t.Context(), monday)
	if err != nil || len(day) != 2 || day[0].Patient != "P-1" || day[0].Known == nil || day[0].Known.Validity != eligibility.Valid {
		t.Fatalf("%d bookings: %v", len(day), err)
	}
	k := b.known(t, hana)
	if k == nil || k.Validity != eligibility.Valid || !k.AsOf.Equal(evening) || k.ForDay != monday {
		t.Fatalf("known %v", k)
	}
	if k := b.known(t, ichiro); k == nil || k.Validity != eligibility.Invalid {
		t.Errorf("found by numbers: %v", k)
	}
	for name, who := range map[string]check.Booked{
		"another day":        {VisitDay: monday.AddDays(1), BirthDate: hana.BirthDate, Kana: hana.Kana},
		"another birth date": {VisitDay: monday, BirthDate: hana.BirthDate.AddDays(1), Kana: hana.Kana},
		"another name":       {VisitDay: monday, BirthDate: hana.BirthDate, Kana: "ヤマダ ソラ"},
		"nobody":             {VisitDay: monday},
	} {
		if b.known(t, who) != nil {
			t.Errorf("%s is known", name)
		}
	}
}

// What is known goes at the end of the day after the visit, from the screen and the disk.
func TestWhatIsKnownExpires(t *testing.T) {
	b := newBench(t)
	b.load(t, list, 3)
	b.run(t, plain)
	b.now = monday.AddDays(2).Midnight().Add(-time.Second)
	if _, err := b.Trim(t.Context()); err != nil || b.known(t, hana) == nil {
		t.Fatalf("gone on the day after the visit: %v", err)
	}
	b.now = b.now.Add(time.Second)
	if b.known(t, hana) != nil {
		t.Error("still known two days after the visit")
	}
	if n, err := b.Trim(t.Context()); err != nil || n != 2 {
		t.Errorf("%d removed: %v", n, err)
	}
	b.now = b.now.AddDate(0, 0, 2)
	if n, err := b.Trim(t.Context()); err != nil || n != 1 {
		t.Errorf("%d removed: %v", n, err)
	}
	for _, name := range []string{precheck.ShelfBookings, precheck.ShelfBatches, precheck.ShelfKnown} {
		left := 0
		if err := b.vault.Shelf(name).Each(t.Context(), func(string, []byte) error { left++; return nil }); err != nil || left != 0 {
			t.Errorf("%s: %d left: %v", name, left, err)
		}
	}
}

func TestACancelledVisit(t *testing.T) {
	b := newBench(t)
	b.load(t, list, 3)
	b.run(t, plain)
	day, _ := b.Bookings(t.Context(), monday)
	if err := b.Cancel(t.Context(), day[0].ID); err != nil {
		t.Fatal(err)
	}
	if b.known(t, hana) != nil {
		t.Error("something is known of who does not come")
	}
	again := b.run(t, plain)
	if len(again.Items) != 1 {
		t.Errorf("asked for %d", len(again.Items))
	}
	again.Items = append(again.Items, oqs.Item{Identifier: day[0].ID, Status: oqs.StatusOK, Validity: eligibility.Valid})
	if err := b.TakeBulk(t.Context(), again); err != nil || b.known(t, hana) != nil {
		t.Errorf("an answer for who does not come was kept: %v", err)
	}
	if err := b.Cancel(t.Context(), "x"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
}

// A newer list stands in place of the older: who is gone from it is forgotten, who is still
// there keeps what is known.
func TestANewerListReplacesTheOlder(t *testing.T) {
	b := newBench(t)
	b.load(t, list, 3)
	b.run(t, plain)
	lines := strings.SplitAfter(list, "\n")
	b.load(t, header+strings.Replace(lines[2], "09:00", "11:15", 1), 1)
	b.restart(t)
	if b.known(t, hana) == nil || b.known(t, ichiro) != nil {
		t.Error("what is known does not follow the list")
	}
	day, _ := b.Bookings(t.Context(), monday)
	if len(day) != 1 || day[0].Time != "11:15" {
		t.Errorf("%d bookings", len(day))
	}
	if _, err := b.Load(t.Context(), []byte(header+"x\n")); err == nil {
		t.Error("a list with a fault was taken")
	}
	if b.known(t, hana) == nil {
		t.Error("a list with a fault changed something")
	}
	b.run(t, func(_ string, i *oqs.Item) { i.Validity = eligibility.NewerCoverage }) // a rerun replaces
	if k := b.known(t, hana); k == nil || k.Validity != eligibility.NewerCoverage {
		t.Errorf("%v", k)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	b := newBench(t)
	b.load(t, list, 3)
	first := b.run(t, plain)
	batch := b.folder.batches[0]
	failed := first
	failed.Items = slices.Clone(first.Items)
	for i := range failed.Items {
		failed.Items[i] = oqs.Item{Identifier: failed.Items[i].Identifier, Status: oqs.StatusError, Code: "E1"}
	}
	other := first
	other.ForDay = monday.AddDays(1)
	for name, r := range map[string]oqs.Result{
		"errors": failed, "in progress": {Identifier: batch, Segment: oqs.InProgress}, "abnormal": {Identifier: batch, Segment: oqs.Abnormal},
		"strangers": {Identifier: batch, Segment: oqs.Done, ForDay: monday, Items: []oqs.Item{{Identifier: "x", Validity: eligibility.Invalid}}}, "another day": other,
	} {
		if err := b.TakeBulk(t.Context(), r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if k := b.known(t, hana); k == nil || k.Validity != eligibility.Valid {
			t.Errorf("%s: known %v", name, k)
		}
	}
	if err := b.TakeBulk(t.Context(), oqs.Result{Identifier: "x"}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("another program's batch: %v", err)
	}
	if err := b.TakeReception(t.Context(), oqs.Reception{Identifier: "x"}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("another program's batch: %v", err)
	}
}

func TestAnswersThatAreNotReadyAreAskedForAgain(t *testing.T) {
	b := newBench(t)
	b.load(t, list, 3)
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	chase := func(want int) {
		t.Helper()
		if err := b.Chase(t.Context()); err != nil || len(b.folder.collected) != want {
			t.Errorf("collected %d times, want %d: %v", len(b.folder.collected), want, err)
		}
	}
	chase(0) // the terminal has not taken it yet
	batch := b.folder.batches[0]
	if err := b.TakeReception(t.Context(), oqs.Reception{Identifier: batch, Segment: oqs.Done, ReceptionNumber: "R1"}); err != nil {
		t.Fatal(err)
	}
	chase(1)
	chase(1)
	b.restart(t)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{59 * time.Second, 1}, {time.Second, 2}, {4 * time.Minute, 2}, {time.Minute, 3}, {15 * time.Minute, 4}, {time.Hour, 5}} {
		b.now = b.now.Add(step.after)
		if err := b.TakeBulk(t.Context(), oqs.Result{Identifier: batch, Segment: oqs.InProgress}); err != nil {
			t.Fatal(err)
		}
		chase(step.want)
	}
	if err := b.TakeReception(t.Context(), oqs.Reception{Identifier: batch, Segment: oqs.Abnormal, ErrorCode: "E2"}); err != nil {
		t.Fatal(err)
	}
}

// A terminal that is away in the evening is asked again until the day comes, also after a
// restart; a silent one is asked again under the same name.
func TestATerminalThatIsAway(t *testing.T) {
	b := newBench(t)
	b.load(t, list, 3)
	b.folder.fail = errors.New("no folder")
	if err := b.Run(t.Context()); err == nil {
		t.Error("no error is told")
	}
	b.restart(t)
	b.folder.fail = nil
	if err := b.Chase(t.Context()); err != nil || len(b.folder.batches) != 0 {
		t.Errorf("asked again at once: %v", err)
	}
	for _, wait := range []time.Duration{time.Minute, 5 * time.Minute} {
		b.now = b.now.Add(wait)
		if err := b.Chase(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.folder.batches) != 2 || b.folder.batches[0] != b.folder.batches[1] || len(b.folder.asked[1]) != 2 {
		t.Errorf("asked %d times", len(b.folder.batches))
	}
	b.now = monday.Midnight()
	if err := b.Chase(t.Context()); err != nil || len(b.folder.batches) != 2 {
		t.Errorf("asked on the day itself: %v", err)
	}
	b.Online = nil
	if err := errors.Join(b.Run(t.Context()), b.Chase(t.Context())); err != nil {
		t.Errorf("without a terminal: %v", err)
	}
}

// The answers to a batch that a later one stands in place of come too late.
func TestALaterBatchStandsInPlaceOfTheEarlier(t *testing.T) {
	b := newBench(t)
	b.load(t, list, 3)
	first := b.run(t, func(_ string, i *oqs.Item) { i.Validity = eligibility.Invalid })
	b.run(t, plain)
	if err := b.TakeBulk(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if k := b.known(t, hana); k == nil || k.Validity != eligibility.Valid {
		t.Errorf("%v", k)
	}
}

func TestFaultsOfAList(t *testing.T) {
	good := "09:00,P-1,ヤマダ ハナ,1980-04-01,06139997,12,3456,01,2026-11-23\n"
	row := func(column int, value string) string {
		parts := strings.Split(strings.TrimSpace(good), ",")
		parts[column] = value
		return strings.Join(parts, ",") + "\n"
	}
	for name, c := range map[string]struct {
		csv  string
		want []string
	}{
		"good, with a mark in front": {"\ufeff" + header + good, nil},
		"no header":                  {good, []string{"line 1/invalid_argument"}},
		"empty":                      {"", []string{"line 1/invalid_argument"}},
		"another order":              {"patient,time\n", []string{"line 1/invalid_argument"}},
		"Shift_JIS":                  {header + "\x83\x84", []string{"bookings/invalid_argument"}},
		"too large":                  {strings.Repeat("x", precheck.MaxBytes+1), []string{"bookings/too_large"}},
		"too many":                   {header + many(precheck.MaxRows+1), []string{fmt.Sprintf("line %d/too_large", precheck.MaxRows+2)}},
		"a column missing":           {header + "09:00,P-1\n" + good, []string{"line 2/invalid_argument"}},
		"a quote too many":           {header + good + "09:00,\"P-1,x\n", []string{"line 3/invalid_argument"}},
		"time":                       {header + row(0, "24:00"), []string{"line 2 column time/invalid_argument"}},
		"long reference":             {header + row(1, strings.Repeat("9", 51)), []string{"line 2 column patient/invalid_argument"}},
		"a name of 40 characters":    {header + row(2, strings.Repeat("ヴ", 40)), nil},
		"no kana":                    {header + row(2, "　"), []string{"line 2 column kana/invalid_argument"}},
		"a day that is none":         {header + row(3, "1980-02-30"), []string{"line 2 column birth_date/invalid_argument"}},
		"born in the future":         {header + row(3, "2026-12-01"), []string{"line 2 column birth_date/invalid_argument"}},
		"insurer":                    {header + row(4, "1"), []string{"line 2 column insurer_number/invalid_argument"}},
		"symbol":                     {header + row(5, strings.Repeat("あ", 21)), []string{"line 2 column symbol/invalid_argument"}},
		"number":                     {header + row(6, "abc-あ"), []string{"line 2 column number/invalid_argument"}},
		"branch":                     {header + row(7, "123"), []string{"line 2 column branch/invalid_argument"}},
		"visit yesterday":            {header + row(8, "2026-11-21"), []string{"line 2 column visit_day/invalid_argument"}},
		"visit next month":           {header + row(8, "2026-12-22"), []string{"line 2 column visit_day/invalid_argument"}},
		"twice":                      {header + good + good, []string{"line 3/invalid_argument"}},
		"a My Number":                {header + row(6, "1234 5678 9018"), []string{"line 2 column number/my_number_refused"}},
		"a My Number as reference":   {header + row(1, "123456789018"), []string{"line 2 column patient/my_number_refused"}},
		"every fault at once":        {header + row(0, "x") + good + row(4, "seeded"), []string{"line 2 column time/invalid_argument", "line 4 column insurer_number/invalid_argument"}},
	} {
		bookings, err := precheck.Parse([]byte(c.csv), civil.In(evening))
		if got := faults(err); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if err != nil && (len(bookings) > 0 || strings.Contains(err.Error(), "seeded")) {
			t.Errorf("%s: %d bookings, %v", name, len(bookings), err)
		}
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "09:00,,ヤマダ,1980-04-01,06139997,,%d,,2026-11-23\n", i+1)
	}
	return b.String()
}

func faults(err error) []string {
	if err == nil {
		return nil
	}
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	var list []string
	for _, e := range all {
		list = append(list, fault.PlaceOf(e)+"/"+string(fault.CodeOf(e)))
	}
	return list
}

// FuzzParse reads anything as a list: it is refused by place, or every booking can be asked.
func FuzzParse(f *testing.F) {
	f.Add([]byte(list))
	f.Add([]byte(header + "09:00,\"P\n1\",x,,,,,,\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		bookings, err := precheck.Parse(data, civil.In(evening))
		if err != nil {
			if len(faults(err)) > 200 {
				t.Fatalf("%d faults are told", len(faults(err)))
			}
			return
		}
		for _, b := range bookings {
			b.Inquiry.RecordID = "019a0000-0000-7000-8000-000000000001"
			if err := b.Inquiry.Validate(); err != nil {
				t.Fatalf("a booking cannot be asked: %v", err)
			}
		}
	})
}

// A shelf that was replaced by what could be salvaged of it gets the bookings back.
func TestBookingsSurviveTheirShelf(t *testing.T) {
	b := newBench(t)
	b.load(t, list, 3)
	keys := []string{}
	shelf := b.vault.Shelf(precheck.ShelfBookings)
	err := shelf.Each(t.Context(), func(key string, _ []byte) error { keys = append(keys, key); return nil })
	for _, key := range keys {
		err = errors.Join(err, shelf.Delete(t.Context(), key))
	}
	if err = errors.Join(err, b.Keep(t.Context())); err != nil {
		t.Fatal(err)
	}
	b.restart(t)
	if got, err := b.Bookings(t.Context(), monday); err != nil || len(got) != 2 {
		t.Errorf("%d, %v", len(got), err)
	}
}
