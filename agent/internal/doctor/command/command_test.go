package command_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/pcsc"
	"madoguchi.example/agent/internal/config"
	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/doctor/command"
	"madoguchi.example/agent/internal/oqsfolder"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// line is a way to the backend that ends at once.
type line struct{}

func (line) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("cut") }

// noReaders is a service of card readers that has none.
type noReaders struct{}

func (noReaders) Watch(_ context.Context, report func([]card.Reader)) error {
	report(nil)
	return nil
}

func (noReaders) Connect(context.Context, string) (card.Transport, error) {
	return nil, errors.New("no card")
}

// run calls the command on a terminal with these settings.
func run(t *testing.T, set func(*config.Config), args ...string) (code int, out, errs string) {
	t.Helper()
	c := config.Default()
	c.StateDir = t.TempDir()
	c.Scanner.Serial = ""
	set(&c)
	var stdout, stderr bytes.Buffer
	code = command.Run(t.Context(), command.Env{
		Args: args, Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" },
		Now: func() time.Time { return now }, Rand: rand.Reader,
		Load:      func(string) (config.Config, error) { return c, c.Validate() },
		Transport: func(config.Backend) (http.RoundTripper, error) { return line{}, nil },
		Readers:   func(pcsc.Options) card.Readers { return noReaders{} },
	})
	return code, stdout.String(), stderr.String()
}

type finding struct {
	Part, Fault, Hint string
	OK                bool
	Code              int
	Said, Mend        map[string]string
}

func parts(t *testing.T, out string) map[string]finding {
	t.Helper()
	var all []finding
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	by := map[string]finding{}
	for _, f := range all {
		by[f.Part] = f
	}
	return by
}

func TestWithoutAnAgent(t *testing.T) {
	code, out, errs := run(t, func(c *config.Config) {
		c.OQS.RequestDir, c.OQS.ResultDir = filepath.Join(c.StateDir, "req"), filepath.Join(c.StateDir, "res")
		c.Scanner.Evdev = filepath.Join(c.StateDir, "scanner-event-kbd")
	}, "--json")
	by := parts(t, out)
	for part, want := range map[string]finding{
		"configuration": {OK: true}, "enrolment": {Code: 11, Fault: "not_enrolled"}, "store": {OK: true}, "clock": {OK: true},
		"backend": {Code: 15, Fault: "failed"}, "trust": {Code: 16, Fault: "none"}, "pcscd": {OK: true}, "reader": {Code: 18, Fault: "no_reader"},
		"scanner": {Code: 19, Fault: "no_device"}, "folder": {Code: 20, Fault: oqsfolder.FaultNoFolder},
	} {
		f, there := by[part]
		if !there || f.OK != want.OK || f.Code != want.Code || f.Fault != want.Fault || (len(f.Mend) == 3) == f.OK {
			t.Errorf("%s: %+v", part, f)
		}
	}
	if code != 11 || errs != "" {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestFoldersThatWork(t *testing.T) {
	_, out, _ := run(t, func(c *config.Config) {
		c.OQS.RequestDir, c.OQS.ResultDir = filepath.Join(c.StateDir, "req"), filepath.Join(c.StateDir, "res")
		for _, dir := range []string{c.OQS.RequestDir, c.OQS.ResultDir} {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}, "--json")
	if f := parts(t, out)["folder"]; !f.OK {
		t.Errorf("%+v", f)
	}
}

func TestAFaultyConfiguration(t *testing.T) {
	code, out, _ := run(t, func(c *config.Config) { c.Scanner.Layout = "dvorak" }, "--lang", "en")
	if code != 10 || !strings.Contains(out, "10   Configuration:") || !strings.Contains(out, "scanner.layout") || !strings.Contains(out, "→ Correct these keys") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// TestARunningAgentIsAsked lets an agent answer over its socket.
func TestARunningAgentIsAsked(t *testing.T) {
	findings := []doctor.Finding{
		{Part: doctor.Disk}, {Part: doctor.Operators, Hint: "without_pin", Args: []string{"2"}},
		{Part: doctor.Clock, Fault: "set_back", Args: []string{"61"}, Since: now},
	}
	serve := func(c *config.Config) {
		c.Desk.Control = filepath.Join(c.StateDir, "c")
		s, err := control.Listen(c.Desk.Control, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_ = s.Serve(t.Context(), map[string]control.Act{command.Act: func(context.Context, control.Peer, json.RawMessage) (any, error) {
				return findings, nil
			}})
		}()
	}
	code, out, errs := run(t, serve)
	want := "ok   Disk: The disk has room.\n" +
		"note Operators: 2 operators have not chosen a PIN.\n     → Let each sign in once to choose one, and remove those who are not needed.\n" +
		"14   Clock: The clock is 61 minutes behind the last time that was certain.\n     → Set date and time. If it falls back at each power-off, the clock's battery must be replaced.\n"
	if code != 14 || out != want || errs != "" {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	code, out, _ = run(t, serve, "--json")
	if f := parts(t, out)["clock"]; code != 14 || !strings.Contains(f.Said["ja"], "61分") {
		t.Errorf("exit %d: %+v", code, f)
	}
	findings = findings[:2]
	if code, out, _ = run(t, serve, "--lang", "ja"); code != 0 || !strings.Contains(out, "ok   ディスク：") && !strings.Contains(out, "ok   ディスク: ") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{{"--nonsense"}, {"more"}, {"--lang", "fr"}} {
		if code, out, errs := run(t, func(*config.Config) {}, args...); code != 2 || out != "" || !strings.Contains(errs, "usage: madoguchi-agent doctor") {
			t.Errorf("%v: exit %d %s %s", args, code, out, errs)
		}
	}
	if code, out, _ := run(t, func(*config.Config) {}, "--help"); code != 0 || !strings.Contains(out, command.Usage) {
		t.Errorf("exit %d %s", code, out)
	}
}
