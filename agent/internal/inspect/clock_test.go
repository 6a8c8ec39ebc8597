package inspect_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/trust"
)

// A card issued seconds ago is good at a counter whose clock is some minutes slow. A clock
// that is behind the trust list by more was set back: the verdict is of the list's time, and
// says so. A time that a person names is exact.
func TestAClockSomeMinutesSlowKeepsNobodyOut(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		behind time.Duration
		says   cert.Finding
	}{
		{0, ""}, {time.Second, inspect.ClockSlow}, {inspect.ClockLeeway, inspect.ClockSlow},
		{inspect.ClockLeeway + time.Second, inspect.ClockSetBack}, {24 * time.Hour, inspect.ClockSetBack},
	} {
		now := func() time.Time { return at.Add(-c.behind) }
		r := d.reader(now)
		v, _, _, err := r.Verify(t.Context(), []byte(d.qrText))
		if err != nil || v.Outcome != cert.Valid || (c.says == "") != (len(v.Findings) == 0) || (c.says != "" && !slices.Contains(v.Findings, c.says)) {
			t.Errorf("%s behind, desk: %s %v %v", c.behind, v.Outcome, v.Findings, err)
		}
		var out bytes.Buffer
		code := inspect.Command{Stdin: strings.NewReader(d.qrText), Stdout: &out, Stderr: &out, Now: now, Snapshot: d.own}.Run(t.Context(), []string{"--json", "-"})
		if code != inspect.ExitValid || !strings.Contains(out.String(), string(c.says)) {
			t.Errorf("%s behind, command: exit %d, %s", c.behind, code, out.String())
		}
	}
	if code, out, _ := d.run(d.qrText, "--at", at.Add(-time.Second).Format(time.RFC3339), "-"); code != inspect.ExitOther {
		t.Errorf("--at a second before: exit %d, %s", code, out)
	}
}

// The leeway forgives the clock alone: a forged or revoked card stays what it is.
func TestTheLeewayForgivesNothingElse(t *testing.T) {
	d := newDesk(t)
	d.bundle.Files = nil
	v, _, _, err := d.reader(func() time.Time { return at.Add(-time.Minute) }).Verify(t.Context(), []byte(d.qrText))
	if err != nil || v.Outcome != cert.UntrustedIssuer || slices.Contains(v.Findings, inspect.ClockSlow) {
		t.Errorf("%s %v %v", v.Outcome, v.Findings, err)
	}
}

// FuzzReader scans anything twice: a verdict with its findings, or the count of parts.
func FuzzReader(f *testing.F) {
	f.Add([]byte("shc:/1/2/5676"), []byte("shc:/2/2/5676"))
	f.Add([]byte("\x89PNG\r\n\x1a\n"), []byte("{}"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		r := inspect.NewReader(inspect.ReaderConfig{
			Snapshot: func(context.Context) (trust.Snapshot, error) { return trust.Snapshot{}, nil },
			Clock:    func() clockfloor.Reading { return clockfloor.Reading{At: at} },
		})
		for _, input := range [][]byte{first, second} {
			v, read, of, err := r.Verify(t.Context(), input)
			if err != nil || (of == 0 && v.Findings == nil) || (of > 0 && read >= of) || v.Outcome == cert.Valid {
				t.Fatalf("%+v, %d of %d: %v", v, read, of, err)
			}
		}
	})
}
