// Package witness watches whether anything that a terminal confirmed is lost, altered or
// taken in twice. It is for tests alone.
//
// A witness records entries at a terminal's desk, each with a member number of its own, and
// writes down what the desk confirmed. It listens on the line for every form in which a
// terminal sent a record. Audit then reads what the backend stored, opens it with the
// payer's key, and names every difference between the three: by id, by content, byte for
// byte. Whoever breaks something meanwhile (a kill, the power, the disk, the line) needs no
// part in it.
package witness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/deploy/stage"
	"madoguchi.example/deploy/tour"
)

// hands are how many receptionists record at once.
const hands = 4

// Batches begins a request that brings records, for stage.Break.
const Batches = "POST /terminal/v1/batches"

// Witness records at one terminal. Record and Try are safe for concurrent use.
type Witness struct {
	Stage    *stage.Stage
	Terminal *stage.Terminal
	Tap      *Tap

	t      testing.TB
	ctx    context.Context
	ledger *ledger
	http   *http.Client // with a session at the desk that runs
	csrf   string       // and its token
}

// New leads the stage's line through a tap and opens a ledger.
func New(t testing.TB, ctx context.Context, s *stage.Stage, terminal *stage.Terminal) *Witness {
	t.Helper()
	return begin(t, ctx, s, terminal, newLedger())
}

// At gives a witness at another terminal of the stage, with the same ledger and a tap of
// its own on the stage's line.
func (w *Witness) At(terminal *stage.Terminal) *Witness {
	w.t.Helper()
	return begin(w.t, w.ctx, w.Stage, terminal, w.ledger)
}

func begin(t testing.TB, ctx context.Context, s *stage.Stage, terminal *stage.Terminal, l *ledger) *Witness {
	t.Helper()
	w := &Witness{Stage: s, Terminal: terminal, Tap: newTap(t, l), t: t, ctx: ctx, ledger: l}
	w.throughTap()
	return w
}

// throughTap leads the terminals' line through the tap to the backend that runs now.
func (w *Witness) throughTap() {
	w.t.Helper()
	address, err := w.Stage.Backend.Listening(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Tap.lead(address)
	w.Stage.Line.Lead(w.Tap.Address())
}

// Start starts the terminal and signs in at its desk.
func (w *Witness) Start() {
	w.t.Helper()
	if err := w.TryStart(); err != nil {
		w.t.Fatal(err)
	}
}

// TryStart is Start where a terminal that does not start, or lets nobody in, is no fault.
func (w *Witness) TryStart() (err error) {
	if err = w.Terminal.Start(w.ctx); err == nil {
		w.http, w.csrf, err = w.Terminal.Open(w.ctx)
	}
	return err
}

// Kill ends the terminal at once.
func (w *Witness) Kill() { w.Terminal.Process().Kill() }

// RestartBackend starts the backend again, once the one before has ended.
func (w *Witness) RestartBackend() {
	w.t.Helper()
	if err := w.Stage.StartBackend(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	w.throughTap()
}

// Restore restores the terminals' line.
func (w *Witness) Restore() {
	w.t.Helper()
	if err := w.Stage.Line.Restore(); err != nil {
		w.t.Fatal(err)
	}
}

// Answer is what the desk said to one entry.
type Answer struct {
	Number string // that was typed
	ID     string // of the record, when it was confirmed
	Status int    // 0: nothing was said, the program is gone
	Text   string
}

// Confirmed tells whether the receptionist was told that the entry is kept.
func (a Answer) Confirmed() bool { return a.Status == http.StatusCreated && a.ID != "" }

// Refused tells whether the receptionist was told that it is not.
func (a Answer) Refused() bool { return a.Status >= 400 }

// Try records one entry with a number of its own and gives what the desk said.
func (w *Witness) Try() Answer {
	number := w.ledger.number()
	card := w.Stage.Cast.Insured
	form := url.Values{"insurer_number": {card.InsurerNumber}, "symbol": {card.Symbol}, "number": {number}, "branch": {card.Branch},
		"birth_date": {card.BirthDate}, "visit_day": {w.Stage.AsOf}, "evidence": {"certificate"}, "copayment": {"30"}, "override": {"1"}}
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.Terminal.Desk()+"/checks", strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Error(err)
		return Answer{}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("HX-Request", "true")
	req.Header.Set("X-CSRF-Token", w.csrf)
	resp, err := w.http.Do(req)
	if err != nil {
		return Answer{} // killed before or after it was stored: nobody was told
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{}
	}
	a := Answer{Number: number, ID: resp.Header.Get("X-Record-Id"), Status: resp.StatusCode, Text: string(text)}
	if a.Confirmed() {
		w.ledger.confirm(a.ID, number)
	}
	return a
}

// Bar gives the desk's bar as whoever signed in before sees it; "" where none is to be had.
func (w *Witness) Bar() string {
	req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.Terminal.Desk()+"/parts/bar", nil)
	if err != nil {
		w.t.Error(err)
		return ""
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

// Record records one entry that may not be refused, and tells whether it was confirmed.
func (w *Witness) Record() bool {
	a := w.Try()
	if a.Status != 0 && !a.Confirmed() {
		w.t.Errorf("the desk answered %d: %.500s", a.Status, a.Text)
	}
	return a.Confirmed()
}

// RecordUntil records from four hands until the agent is gone, or enough was confirmed and
// then was called.
func (w *Witness) RecordUntil(enough int, then func()) {
	goal := w.Confirmed() + enough
	var once sync.Once
	var all sync.WaitGroup
	for range hands {
		all.Go(func() {
			for w.ctx.Err() == nil {
				if !w.Record() {
					return
				}
				if w.Confirmed() >= goal {
					once.Do(then)
					if w.Confirmed() >= goal+enough {
						return // whoever was to be killed is not the agent
					}
				}
			}
		})
	}
	all.Wait()
}

// TryUntil records from four hands, each so many entries at most, until done or until the
// agent is gone. Refusals are no fault.
func (w *Witness) TryUntil(entries int, done <-chan struct{}) {
	var all sync.WaitGroup
	for range hands {
		all.Go(func() {
			for range entries {
				select {
				case <-done:
					return
				default:
				}
				if w.ctx.Err() != nil || w.Try().Status == 0 {
					return
				}
			}
		})
	}
	all.Wait()
}

// Confirmed tells how many entries the desks confirmed.
func (w *Witness) Confirmed() int { return w.ledger.size() }

// Seen tells whether a record has come over the line.
func (w *Witness) Seen(id string) bool {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	return len(w.ledger.sent[id]) > 0
}

// AllSent waits until nothing waits at the terminal.
func (w *Witness) AllSent() {
	w.t.Helper()
	desk := tour.NewDesk(w.Terminal)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		pending, line, _, err := desk.Bar(w.ctx)
		if err == nil && strings.Contains(pending, " 0件") {
			return
		}
		select {
		case <-tick.C:
		case <-w.ctx.Done():
			w.t.Fatalf("records still wait: %s, %s, %v", pending, line, err)
		}
	}
}

// ledger is what the receptionists saw: which entries were tried, which were confirmed; and
// what went over the line.
type ledger struct {
	mu        sync.Mutex
	next      int
	tried     map[string]bool     // by the number that was typed
	confirmed map[string]string   // record id → typed number
	sent      map[string][][]byte // record id → each different body that was sent
}

func newLedger() *ledger {
	return &ledger{next: 7_000_000, tried: map[string]bool{}, confirmed: map[string]string{}, sent: map[string][][]byte{}}
}

func (l *ledger) note(id string, body []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	same := func(b []byte) bool { return bytes.Equal(b, body) }
	if !slices.ContainsFunc(l.sent[id], same) {
		l.sent[id] = append(l.sent[id], body)
	}
}

func (l *ledger) number() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	n := fmt.Sprint(l.next)
	l.tried[n] = true
	return n
}

func (l *ledger) confirm(id, number string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.confirmed[id] = number
}

func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.confirmed)
}
