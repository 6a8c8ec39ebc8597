// Package oqs stands in for a clinic's 資格確認端末 as its neighbours see it: a folder that
// takes requests and one in which answers appear, and one for the card reader's results.
//
// It is written from public descriptions of the interface and shares no code with the
// programs that it is practised on. It promises to be stricter than the real one where
// that is known: a request with a wrong name, characters, element, date, padding or
// institution gets an abnormal end with a code and the element's name; answers are for
// QualificationConfirmationDate, past days too. What it answers comes from synthetic
// people. It does badly on request: see Behaviour.
package oqs

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"madoguchi.example/deploy/practice/coverage"
)

// Folders of a terminal, below its own. Requests that were read go to Trash.
const (
	Req   = "req"
	Res   = "res"
	Face  = "face"
	Trash = "trash"
)

// Config is what a Terminal works with. Dir, Register, Institution and Now are needed.
type Config struct {
	Dir         string
	Register    *coverage.Register
	Institution string        // 医療機関コード, 10 digits
	Encoding    Encoding      // of answers; empty is UTF-8
	Every       time.Duration // how often Run looks; 0 is 100 ms
	Now         func() time.Time
	Log         *slog.Logger // nil: silent
}

// Terminal is safe for concurrent use.
type Terminal struct {
	Config

	mu         sync.Mutex
	behaviour  Behaviour
	used       int
	seen       map[string]time.Time // requests that were left to lie, by name
	later      []output
	receptions map[string]*reception
	serial     int
	state      State
}

// State is what happened so far.
type State struct {
	Requests int `json:"requests"` // taken
	Answers  int `json:"answers"`  // written whole, abnormal ends among them
	Refused  int `json:"refused"`  // with an abnormal end
	Ignored  int `json:"ignored"`  // files that are no requests at all
	Faces    int `json:"faces"`
	Waiting  int `json:"waiting"` // answers, or halves, that are still to be written
	// LastError is the last abnormal end's code and element.
	LastError string `json:"last_error,omitempty"`
	// Identifiers are those of the last 100 requests, in the order in which they came.
	Identifiers []string `json:"identifiers,omitempty"`
}

// output is a write at its time: a whole file, or one of two halves.
type output struct {
	at   time.Time
	dir  string
	name string
	raw  []byte
	half half
}

type half int

const (
	whole half = iota
	head
	tail
)

// reception is one bulk request that was taken.
type reception struct {
	number     string
	identifier string
	day        string
	searches   []*node
	left       int // how often it is still in progress
}

// bulkInProgress is how often a bulk answer is in progress where no behaviour says so.
const bulkInProgress = 1

var institutionForm = regexp.MustCompile(`^[0-9]{10}$`)

// New makes the folders that are not there yet.
func New(c Config) (*Terminal, error) {
	c.Encoding = cmp.Or(c.Encoding, UTF8)
	c.Every = cmp.Or(c.Every, 100*time.Millisecond)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Dir == "" || c.Register == nil || c.Now == nil || !institutionForm.MatchString(c.Institution) || !c.Encoding.known() {
		return nil, errors.New("cannot start the practice 資格確認端末: folder, people, clock, encoding and an institution code of 10 digits are needed")
	}
	for _, name := range []string{Req, Res, Face, Trash} {
		if err := os.MkdirAll(filepath.Join(c.Dir, name), 0o700); err != nil {
			return nil, fmt.Errorf("cannot make the folders: %w", err)
		}
	}
	return &Terminal{Config: c, seen: map[string]time.Time{}, receptions: map[string]*reception{}}, nil
}

// Start runs a terminal of its own until stop is called, which waits for its end.
func Start(c Config) (t *Terminal, stop func(), err error) {
	if t, err = New(c); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := t.Run(ctx); err != nil {
			t.Log.Error("the practice 資格確認端末 ended", "error", err.Error())
		}
	}()
	return t, func() { cancel(); <-ended }, nil
}

// Run looks for requests and writes what is due until ctx ends.
func (t *Terminal) Run(ctx context.Context) error {
	tick := time.NewTicker(t.Every)
	defer tick.Stop()
	for {
		if err := t.Sweep(); err != nil {
			t.Log.Error("cannot exchange files", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep takes the requests that lie there and writes the answers that are due.
func (t *Terminal) Sweep() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	entries, err := os.ReadDir(filepath.Join(t.Dir, Req))
	if err != nil {
		return fmt.Errorf("cannot look for requests: %w", err)
	}
	var faults []error
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), "OQS") {
			continue // another program's, or not complete yet
		}
		faults = append(faults, t.take(e.Name()))
	}
	return errors.Join(append(faults, t.flush())...)
}

// State tells what happened so far.
func (t *Terminal) State() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.state
	s.Waiting, s.Identifiers = len(t.later), slices.Clone(s.Identifiers)
	return s
}

func (t *Terminal) now() time.Time { return t.Now().In(japan) }

// take reads one request, puts it away and plans its answer.
func (t *Terminal) take(name string) error {
	path := filepath.Join(t.Dir, Req, name)
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // its writer took it back
	}
	if err != nil {
		return err
	}
	if left, ok := t.seen[name]; ok && left.Equal(info.ModTime()) {
		return nil
	}
	raw, err := readUpTo(path, maxRequestBytes)
	if err != nil {
		return err
	}
	b := t.next()
	if b.Leave {
		t.seen[name] = info.ModTime()
	} else if err := os.Rename(path, t.free(name)); err != nil {
		return err
	}
	if !strings.Contains(name, "req_") {
		t.state.Ignored++
		return nil
	}
	t.state.Requests++
	t.answer(name, raw, b)
	return nil
}

// free gives a path in the trash that nothing lies at.
func (t *Terminal) free(name string) string {
	path := filepath.Join(t.Dir, Trash, name)
	for n := 1; ; n++ {
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			return path
		}
		path = filepath.Join(t.Dir, Trash, fmt.Sprintf("%s.%d", name, n))
	}
}

func readUpTo(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// answer plans what is written for one request.
func (t *Terminal) answer(name string, raw []byte, b Behaviour) {
	var r request
	var refused *refusal
	if m := requestName.FindStringSubmatch(name); m == nil {
		refused = &refusal{BadName, ""}
	} else {
		r, refused = parse(kind(m[1]), raw, t.Institution)
	}
	t.remember(r.identifier)
	if b.Silent {
		return
	}
	h := heading{day: r.day, identifier: r.identifier, segment: abnormal}
	switch {
	case b.LineCut:
		h.refused = &refusal{LineCut, ""}
	case refused != nil:
		h.refused = refused
	case b.Abnormal != "":
		h.refused = &refusal{b.Abnormal, ""}
	default:
		t.good(name, r, b)
		return
	}
	t.state.Refused++
	t.state.LastError = strings.TrimSpace(h.refused.Error())
	t.plan(Res, answerName(name), t.ended(h, b.Encoding), b, b.delay())
}

func (t *Terminal) remember(identifier string) {
	if identifier == "" {
		return
	}
	all := append(t.state.Identifiers, identifier)
	t.state.Identifiers = all[max(0, len(all)-100):]
}

// good plans the answer to a request that is in order.
func (t *Terminal) good(name string, r request, b Behaviour) {
	out := answerName(name)
	switch r.kind {
	case single:
		wait := b.delay()
		for range b.InProgress {
			t.plan(Res, out, t.ended(heading{day: r.day, identifier: r.identifier, segment: inProgress}, b.Encoding), b, wait)
			wait += max(b.delay(), time.Second)
		}
		t.plan(Res, out, t.single(r, b), b, wait)
	case bulkAsk:
		t.plan(Res, out, t.reception(r, t.accept(r, b), b), b, b.delay())
	case bulkTake:
		asked := t.receptions[r.reception]
		switch {
		case asked == nil:
			f := &refusal{NoReception, "ReceptionNumber"}
			t.state.Refused, t.state.LastError = t.state.Refused+1, f.Error()
			t.plan(Res, out, t.ended(heading{identifier: r.identifier, segment: abnormal, refused: f, reception: r.reception}, b.Encoding), b, b.delay())
		case asked.left > 0:
			asked.left--
			h := heading{day: asked.day, identifier: identifierOf(r, asked), segment: inProgress, reception: asked.number}
			t.plan(Res, out, t.ended(h, b.Encoding), b, b.delay())
		default:
			t.plan(Res, out, t.bulk(asked, r, b), b, b.delay())
		}
	}
}

// accept keeps a bulk request and gives its reception number.
func (t *Terminal) accept(r request, b Behaviour) string {
	t.serial++
	number := fmt.Sprintf("%s%06d", t.now().Format("20060102"), t.serial)
	t.receptions[number] = &reception{
		number: number, identifier: r.identifier, day: r.day, searches: r.searches, left: max(b.InProgress, bulkInProgress),
	}
	return number
}

// answerName is the request's name with res for req.
func answerName(request string) string {
	name := strings.Replace(request, "req_", "res_", 1)
	return strings.TrimSuffix(name, filepath.Ext(name)) + ".xml"
}

// plan writes the document when its time has come, in the ways of the behaviour.
func (t *Terminal) plan(dir, name string, doc *node, b Behaviour, wait time.Duration) {
	if len(b.Omit) > 0 {
		names := map[string]bool{}
		for _, n := range b.Omit {
			names[n] = true
		}
		doc.without(names)
	}
	if b.Reorder {
		doc.reversed()
	}
	raw := doc.write(b.Encoding)
	if b.ZIP {
		raw, name = packed(name, raw), strings.TrimSuffix(name, ".xml")+".zip"
	}
	at := t.Now().Add(wait)
	if b.HalfMS > 0 {
		middle := len(raw) / 2
		t.later = append(t.later, output{at: at, dir: dir, name: name, raw: raw[:middle], half: head},
			output{at: at.Add(b.half()), dir: dir, name: name, raw: raw[middle:], half: tail})
		return
	}
	t.later = append(t.later, output{at: at, dir: dir, name: name, raw: raw})
}

func packed(name string, raw []byte) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if f, err := w.Create(name); err == nil {
		_, _ = f.Write(raw) // a Buffer takes everything
	}
	_ = w.Close()
	return b.Bytes()
}

// flush writes what is due, in the order of its times.
func (t *Terminal) flush() error {
	now := t.Now()
	slices.SortStableFunc(t.later, func(a, b output) int { return a.at.Compare(b.at) })
	var faults []error
	n := 0
	for ; n < len(t.later) && !t.later[n].at.After(now); n++ {
		if err := t.write(t.later[n]); err != nil {
			faults = append(faults, err)
			continue
		}
		if t.later[n].half != head {
			t.state.Answers++
		}
	}
	t.later = slices.Delete(t.later, 0, n)
	return errors.Join(faults...)
}

// write puts a whole answer beside its place and moves it there; halves it writes in place.
func (t *Terminal) write(o output) error {
	path := filepath.Join(t.Dir, o.dir, o.name)
	if o.half == tail {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			return nil // somebody took the first half away
		}
		if err != nil {
			return err
		}
		_, err = f.Write(o.raw)
		return errors.Join(err, f.Close())
	}
	temporary := filepath.Join(t.Dir, o.dir, ".writing")
	if err := os.WriteFile(temporary, o.raw, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
