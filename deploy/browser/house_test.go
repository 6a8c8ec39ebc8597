package browser_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/stage"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := stage.Clean(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// residents are enough for every part of the cast and some neighbours.
const residents = 120

// house is the whole installation, a clinic's terminal once install has been called, and
// one Chromium.
type house struct {
	*stage.Stage
	t        *testing.T
	terminal *stage.Terminal
	browser  context.Context
}

func openHouse(t *testing.T) *house {
	t.Helper()
	return openHouseOf(t, stage.Built)
}

// openHouseForPractice opens one whose clock can be put forward. A browser keeps its own.
func openHouseForPractice(t *testing.T) *house {
	t.Helper()
	return openHouseOf(t, stage.BuiltForPractice)
}

func openHouseOf(t *testing.T, built func() (stage.Programs, error)) *house {
	t.Helper()
	path := chromium(t) // first, so that nothing is built in vain
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := stage.New(ctx, stage.Options{Programs: programs, Dir: t.TempDir(), Seed: 3, Residents: residents,
		RefreshEvery: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Stage: s, t: t}
	t.Cleanup(h.close)
	if _, err := s.Import(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.StartBackend(ctx); err != nil {
		t.Fatal(err)
	}
	h.browser = startChromium(t, path)
	return h
}

// install puts a terminal into the clinic.
func (h *house) install() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	var err error
	if h.terminal, err = h.Enrol(ctx, population.OfficeMinatoClinic, stage.Equipment{}); err != nil {
		h.t.Fatal(err)
	}
	if err := h.terminal.Start(ctx); err != nil {
		h.t.Fatal(err)
	}
}

// close ends the programs; those that said something before a failure are quoted.
func (h *house) close() {
	if h.t.Failed() {
		files, _ := h.LogFiles()
		for _, f := range files {
			raw, _ := os.ReadFile(f)
			h.t.Logf("%s:\n%s", f, raw[max(0, len(raw)-4000):])
		}
	}
	if err := h.Close(); err != nil {
		h.t.Error(err)
	}
}

func (h *house) restoreLine() {
	h.t.Helper()
	if err := h.Line.Restore(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) restorePublic() {
	h.t.Helper()
	if err := h.Public.Restore(); err != nil {
		h.t.Fatal(err)
	}
}

// every is how often a state is asked for while it is waited for.
const every = 40 * time.Millisecond

// patience is how long one expectation may take; the machine may be busy.
const patience = 45 * time.Second

// until asks again and again until look says yes; the last word of look explains a state
// that never came.
func until(t *testing.T, look func(context.Context) (holds bool, seen string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		holds, seen := look(ctx)
		if holds {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain, last seen: %s", seen)
		}
	}
}
