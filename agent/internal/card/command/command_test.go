//go:build !windows

package command_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/cardtest"
	"madoguchi.example/agent/internal/card/command"
	"madoguchi.example/agent/internal/card/pcsc"
	"madoguchi.example/agent/internal/card/pcsc/pcsctest"
	"madoguchi.example/shared/trust"
)

const (
	reader = "Practice Reader 00 00"
	second = "Practice Reader 01 00"
)

var now = time.Date(2026, time.November, 22, 1, 0, 0, 0, time.UTC)

type issued struct {
	root, der []byte
	key       *rsa.PrivateKey
}

var issue = sync.OnceValue(func() issued {
	a, err := cardtest.NewAuthority(rand.Reader, now)
	if err != nil {
		panic(err)
	}
	key, der, err := a.Issue(rand.Reader, now.AddDate(-1, 0, 0), now.AddDate(4, 0, 0))
	if err != nil {
		panic(err)
	}
	return issued{a.Root, der, key}
})

func plastic() *cardtest.Card { return cardtest.Plastic(issue().der, issue().key) }

// world is a service, a trust folder and the command.
type world struct {
	*pcsctest.Server
	trust          string
	stdout, stderr bytes.Buffer
	snapshots      int
}

func open(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "card")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &world{Server: pcsctest.New(t, filepath.Join(dir, "s"), pcsctest.Debian12), trust: filepath.Join(dir, "trust")}
	if err := os.MkdirAll(filepath.Join(w.trust, "jpki"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.trust, "jpki", "root.der"), issue().root, 0o600); err != nil {
		t.Fatal(err)
	}
	w.Plug(reader)
	return w
}

func (w *world) run(ctx context.Context, stdin string, args ...string) int {
	w.stdout.Reset()
	w.stderr.Reset()
	return command.Run(ctx, command.Env{
		Args: args, Stdin: iotest.OneByteReader(strings.NewReader(stdin)), Stdout: &w.stdout, Stderr: &w.stderr,
		Getenv: func(name string) string {
			if name == pcsc.SocketVariable {
				return w.Path()
			}
			return ""
		},
		Now: func() time.Time { return now }, Rand: rand.Reader,
		Snapshot: func(context.Context, string) (trust.Snapshot, error) {
			w.snapshots++
			return trust.Snapshot{}, nil
		},
	})
}

func (w *world) line(t *testing.T) map[string]any {
	t.Helper()
	var line map[string]any
	if err := json.Unmarshal(w.stdout.Bytes(), &line); err != nil || bytes.Count(w.stdout.Bytes(), []byte("\n")) != 1 {
		t.Fatalf("%q: %v", w.stdout.String(), err)
	}
	return line
}

func TestThePersonAsJSON(t *testing.T) {
	w := open(t)
	w.Put(reader, plastic())
	for _, end := range []string{"", "\n", "\r\n", "\nand more"} {
		if code := w.run(t.Context(), cardtest.PIN+end, "--json", "--pin-stdin", "--trust", w.trust); code != command.ExitOK {
			t.Fatalf("exit %d: %s%s", code, w.stdout.String(), w.stderr.String())
		}
	}
	want := `{"reader":"Practice Reader 00 00","card":"my_number","pin_left":3,"person":{"name_kanji":"架空　花子",` +
		`"address":"架空県みなと市中央１丁目２番３号","birth_date":"1980-04-01","sex":"2","proven":true},"certificate":"good",` +
		`"expires_at":"2030-11-22T01:00:00Z","unproven":"","place":"","fault":"",` +
		`"readers":[{"name":"Practice Reader 00 00","state":"present"}]}` + "\n"
	if got := w.stdout.String(); got != want {
		t.Errorf(" got %swant %s", got, want)
	}
	if w.snapshots != 0 {
		t.Error("the terminal's own trust list was asked for beside --trust")
	}
}

// Every kind of trouble has its word, its place and its exit code, and a sentence in words.
func TestTroubleHasItsExitCode(t *testing.T) {
	for _, c := range []struct {
		name  string
		put   func(w *world)
		stdin string
		args  []string
		fault card.Word
		exit  int
	}{
		{"nothing there", func(*world) {}, "", nil, "", command.ExitOK},
		{"nothing to read", func(*world) {}, cardtest.PIN, []string{"--pin-stdin"}, card.NoCard, command.ExitCard},
		{"no service", func(w *world) { w.Stop() }, "", nil, card.NoPCSCD, command.ExitPCSCD},
		{"no reader", func(w *world) { w.Unplug(reader) }, "", nil, card.NoReader, command.ExitReader},
		{"no such reader", func(*world) {}, "", []string{"--reader", "Another"}, card.ReaderUnknown, command.ExitReader},
		{"two cards", func(w *world) { w.Put(reader, plastic()); w.Plug(second); w.Put(second, plastic()) }, "", nil, card.TwoCards, command.ExitReader},
		{"one of two", func(w *world) { w.Put(reader, plastic()); w.Plug(second); w.Put(second, plastic()) }, cardtest.PIN, []string{"--pin-stdin", "--reader", second}, "", command.ExitOK},
		{"a phone lies there", func(w *world) { w.Put(reader, cardtest.Phone(issue().der, issue().key)) }, "", nil, "", command.ExitOK},
		{"a phone is read", func(w *world) { w.Put(reader, cardtest.Phone(issue().der, issue().key)) }, cardtest.PIN, []string{"--pin-stdin"}, card.PhoneCard, command.ExitCard},
		{"wrong", func(w *world) { w.Put(reader, plastic()) }, "0000\n", []string{"--pin-stdin"}, card.PINWrong, command.ExitPIN},
		{"no PIN at all", func(w *world) { w.Put(reader, plastic()) }, "", []string{"--pin-stdin"}, card.PINForm, command.ExitPIN},
		{"a line without end", func(w *world) { w.Put(reader, plastic()) }, strings.Repeat("1", 1000), []string{"--pin-stdin"}, card.PINForm, command.ExitPIN},
		{"another socket", func(*world) {}, "", []string{"--socket", "/nowhere/at/all"}, card.NoPCSCD, command.ExitPCSCD},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := open(t)
			c.put(w)
			if code := w.run(t.Context(), c.stdin, append(c.args, "--json")...); code != c.exit {
				t.Errorf("exit %d, want %d: %s", code, c.exit, w.stdout.String())
			}
			line := w.line(t)
			if line["fault"] != string(c.fault) || line["place"] != c.fault.Place() {
				t.Errorf("%v at %v, want %s", line["fault"], line["place"], c.fault)
			}
			if c.name != "wrong" {
				if code := w.run(t.Context(), c.stdin, c.args...); code != c.exit {
					t.Errorf("in words: exit %d", code)
				}
				if text := w.stdout.String(); !strings.HasSuffix(text, "\n") || strings.Contains(text, string(c.fault)+"\n") && c.fault != "" {
					t.Errorf("in words: %q", text)
				}
			}
			if c.stdin != "" && strings.Contains(w.stdout.String()+w.stderr.String(), strings.TrimSpace(c.stdin)) {
				t.Error("the PIN is told")
			}
		})
	}
}

func TestEveryWordIsSaid(t *testing.T) {
	for _, w := range card.Words() {
		if text := command.Said(w); text == "" || !strings.HasSuffix(text, "。") {
			t.Errorf("%s is not said: %q", w, text)
		}
	}
}

func TestWrongUse(t *testing.T) {
	w := open(t)
	for _, args := range [][]string{{"--pin", "1234"}, {"1234"}, {"--watch", "--pin-stdin"}, {"--reader"}} {
		if code := w.run(t.Context(), "", args...); code != command.ExitUsage || w.stdout.Len() > 0 || !strings.Contains(w.stderr.String(), "usage:") {
			t.Errorf("%v: exit %d, %q", args, code, w.stderr.String())
		}
	}
	if code := w.run(t.Context(), "", "--help"); code != command.ExitOK || !strings.Contains(w.stdout.String(), "--pin-stdin") {
		t.Errorf("help: exit %d", code)
	}
}

func TestWithoutATrustListNothingIsProven(t *testing.T) {
	w := open(t)
	w.Put(reader, plastic())
	if code := w.run(t.Context(), cardtest.PIN, "--json", "--pin-stdin"); code != command.ExitOK {
		t.Fatalf("exit %d: %s", code, w.stdout.String())
	}
	if line := w.line(t); line["certificate"] != "untrusted" || line["unproven"] != "certificate_untrusted" || w.snapshots != 1 {
		t.Errorf("%v", line)
	}
	if code := w.run(t.Context(), cardtest.PIN, "--json", "--pin-stdin", "--trust", "/nowhere/at/all"); code != command.ExitOK || w.stderr.Len() == 0 {
		t.Errorf("without the folder: exit %d, %q", code, w.stderr.String())
	}
}

// lines gives what was written line by line.
type lines struct{ got chan []byte }

func (l lines) Write(b []byte) (int, error) { l.got <- bytes.Clone(b); return len(b), nil }

func TestWatchTellsEachChange(t *testing.T) {
	w := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	out := lines{make(chan []byte, 16)}
	ended := make(chan int, 1)
	go func() {
		ended <- command.Run(ctx, command.Env{
			Args: []string{"--watch", "--json", "--socket", w.Path()}, Stdin: strings.NewReader(""), Stdout: out, Stderr: out,
			Getenv: func(string) string { return "" }, Now: func() time.Time { return now }, Rand: rand.Reader,
		})
	}()
	until := func(kind string) {
		t.Helper()
		for {
			select {
			case text := <-out.got:
				var line map[string]any
				if err := json.Unmarshal(text, &line); err != nil {
					t.Fatalf("%q: %v", text, err)
				}
				if line["card"] == kind && line["fault"] == "" {
					return
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("waited for %s", kind)
			}
		}
	}
	until("none")
	w.Put(reader, plastic())
	until("my_number")
	w.Pull(reader)
	until("none")
	cancel()
	if code := <-ended; code != command.ExitOK {
		t.Errorf("exit %d", code)
	}
}
