package oqsfolder_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/text/encoding/japanese"

	"madoguchi.example/agent/internal/oqsfolder"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/oqs"
)

// world is a clinic with its folders, a clock that stands still and a terminal.
type world struct {
	t             *testing.T
	req, res, fac string
	x             *oqsfolder.Exchange
	taker         *taker
	log           *bytes.Buffer

	mu  sync.Mutex
	now time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// counter gives bytes that never repeat soon.
type counter struct{ n uint32 }

func (c *counter) Read(b []byte) (int, error) {
	c.n++
	for i := range b {
		b[i] = byte(c.n >> (8 * (len(b) - 1 - i)))
	}
	return len(b), nil
}

func newWorld(t *testing.T, change func(*oqsfolder.Config)) *world {
	t.Helper()
	root := t.TempDir()
	w := &world{t: t, now: time.Now(), log: &bytes.Buffer{}, taker: &taker{came: make(chan struct{}, 100)}}
	w.req, w.res, w.fac = filepath.Join(root, "req"), filepath.Join(root, "res"), filepath.Join(root, "face")
	for _, dir := range []string{w.req, w.res, w.fac} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c := oqsfolder.Config{
		ReqDir: w.req, ResDir: w.res, FaceDir: w.fac, Institution: "1311234568", Now: w.clock, Rand: &counter{},
		Log: slog.New(slog.NewJSONHandler(&synced{w: w.log}, nil)),
	}
	if change != nil {
		change(&c)
	}
	w.x = oqsfolder.New(c)
	return w
}

type synced struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *synced) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

func record(n int) string { return fmt.Sprintf("01890000-0000-7000-8000-%012d", n) }

var visit = civil.Date{Year: 2026, Month: time.November, Day: 20}

func inquiry(n int) eligibility.Inquiry {
	return eligibility.Inquiry{
		RecordID: record(n), InsurerNumber: "012344", Symbol: "建国", Number: "89", Branch: "01",
		BirthDate: civil.Date{Year: 1980, Month: time.April, Day: 1}, VisitDay: visit,
	}
}

func (w *world) ask(n int) {
	w.t.Helper()
	if err := w.x.Ask(context.Background(), inquiry(n)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) scan() bool { return w.x.Scan(context.Background(), w.taker) }

func (w *world) names(dir string) []string {
	w.t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// asked is a request as the terminal in these tests reads it.
type asked struct {
	file string
	xml  struct {
		XMLName xml.Name `xml:"XmlMsg"`
		Day     string   `xml:"MessageHeader>QualificationConfirmationDate"`
		ID      string   `xml:"MessageHeader>ArbitraryFileIdentifier"`
		People  []struct {
			Insurer string `xml:"InsurerNumber"`
			Symbol  string `xml:"InsuredCardSymbol"`
			ID      string `xml:"ArbitraryIdentifier"`
		} `xml:"MessageBody>QualificationConfirmSearchInfo"`
		Reception string `xml:"MessageBody>ReceptionNumber"`
	}
}

// collect reads and takes away the requests, as the terminal does.
func (w *world) collect() []asked {
	w.t.Helper()
	var all []asked
	for _, name := range w.names(w.req) {
		a := asked{file: name}
		b, err := os.ReadFile(filepath.Join(w.req, name))
		if err != nil {
			w.t.Fatal(err)
		}
		d := xml.NewDecoder(bytes.NewReader(b))
		d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return japanese.ShiftJIS.NewDecoder().Reader(in), nil }
		if err := d.Decode(&a.xml); err != nil {
			w.t.Fatalf("%s: %v", name, err)
		}
		if err := os.Remove(filepath.Join(w.req, name)); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// answer is the terminal's answer to a record.
func answer(id, segment, validity, name string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><XmlMsg><MessageHeader><QualificationConfirmationDate>20261120</QualificationConfirmationDate>` +
		`<ArbitraryFileIdentifier>` + id + `</ArbitraryFileIdentifier><SegmentOfResult>` + segment + `</SegmentOfResult><ErrorCode>` +
		map[string]string{"9": "E0042"}[segment] + `</ErrorCode></MessageHeader><MessageBody><ProcessingResultStatus>1</ProcessingResultStatus><QualificationValidity>` +
		validity + `</QualificationValidity><ResultList><ResultOfQualificationConfirmation><Name>` + name +
		`</Name></ResultOfQualificationConfirmation></ResultList></MessageBody></XmlMsg>`
}

// put writes an answer file at once; at orders it among others.
func (w *world) put(dir, name, content string, at time.Duration) string {
	w.t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	when := w.clock().Add(at)
	if err := os.Chtimes(path, when, when); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// ours is a file name as the answer to one of our requests has it.
func ours(n int) string { return fmt.Sprintf("OQSsiquc01res_20261120093000%08d.xml", n) }

// taker remembers what it was given.
type taker struct {
	mu   sync.Mutex
	got  []string
	fail map[string]error // by identifier
	came chan struct{}
}

func (k *taker) take(kind, id, word string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.fail[id]; err != nil {
		return err
	}
	k.got = append(k.got, kind+" "+id+" "+word)
	select {
	case k.came <- struct{}{}:
	default:
	}
	return nil
}

func (k *taker) TakeOnline(_ context.Context, r oqs.Result) error {
	a, _ := r.Answer(r.Identifier, visit)
	return k.take("online", r.Identifier[len(r.Identifier)-2:], string(r.Segment)+" "+string(a.Validity))
}

func (k *taker) TakeFace(_ context.Context, file string, r oqs.Result) error {
	return k.take("face", file, string(r.Segment))
}

func (k *taker) TakeReception(_ context.Context, r oqs.Reception) error {
	return k.take("reception", r.Identifier, r.ReceptionNumber)
}

func (k *taker) TakeBulk(_ context.Context, r oqs.Result) error {
	return k.take("bulk", r.Identifier, fmt.Sprint(string(r.Segment), len(r.Items)))
}

func (k *taker) all() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return strings.Join(k.got, "; ")
}

// want checks what was taken and the faults in sight.
func (w *world) want(taken string, troubles ...string) {
	w.t.Helper()
	if got := w.taker.all(); got != taken {
		w.t.Errorf("taken: %s\nwant:  %s", got, taken)
	}
	var got []string
	for _, t := range w.x.Health().Trouble {
		got = append(got, strings.TrimSpace(t.Fault+" "+t.Code))
	}
	if !slices.Equal(got, troubles) {
		w.t.Errorf("in sight: %v, want %v", got, troubles)
	}
}

var errOurs = fault.New(fault.Unavailable, "our disk is full")
