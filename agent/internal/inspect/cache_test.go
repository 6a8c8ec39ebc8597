package inspect_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/trust"
)

// counted is a reader that tells how often the snapshot's own work was done, by what its
// verdicts say: a remembered one is the same but for the age of the trust list.
type counted struct {
	*inspect.Reader
	now  time.Time
	snap trust.Snapshot
}

func newCounted(t testing.TB, d desk) *counted {
	t.Helper()
	c := &counted{now: at}
	c.load(t, d)
	c.Reader = inspect.NewReader(inspect.ReaderConfig{
		Snapshot: func(context.Context) (trust.Snapshot, error) { return c.snap, nil },
		Clock:    func() clockfloor.Reading { return clockfloor.Read(c.now, at) },
	})
	return c
}

func (c *counted) load(t testing.TB, d desk) {
	t.Helper()
	fsys, err := d.bundle.FS()
	if err != nil {
		t.Fatal(err)
	}
	if c.snap, err = verify.LoadTrust(fsys); err != nil {
		t.Fatal(err)
	}
}

func (c *counted) verify(t testing.TB, input string) cert.Verdict {
	t.Helper()
	v, _, _, err := c.Verify(t.Context(), []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A repeated scan is answered from memory: its certificate is the very same value.
func remembered(a, b cert.Verdict) bool {
	return a.Certificate != nil && a.Certificate == b.Certificate
}

func TestARepeatedScanIsRemembered(t *testing.T) {
	d := newDesk(t)
	d.bundle.MaxAge = 30 * time.Second
	c := newCounted(t, d)
	first := c.verify(t, d.qrText)
	c.now = at.Add(2 * time.Second)
	second := c.verify(t, d.qrText)
	if !remembered(first, second) || second.TrustAge != "2s" || second.Outcome != cert.Valid {
		t.Errorf("%+v", second)
	}
	second.Findings = append(second.Findings, "of the caller")
	if third := c.verify(t, d.qrText); slices.Contains(third.Findings, "of the caller") {
		t.Error("a caller changed what is remembered")
	}
	c.now = at.Add(31 * time.Second)
	if v := c.verify(t, d.qrText); v.Outcome != cert.StaleTrust {
		t.Errorf("across the trust list's end: %s", v.Outcome)
	}
	c.now = at.Add(time.Second)
	if v := c.verify(t, d.qrText); v.Outcome != cert.Valid {
		t.Errorf("at an earlier time: %s", v.Outcome)
	}
}

func TestNothingIsRememberedTooLong(t *testing.T) {
	d := newDesk(t)
	c := newCounted(t, d)
	first := c.verify(t, d.qrText)
	c.now = at.Add(inspect.CacheTime)
	if remembered(first, c.verify(t, d.qrText)) {
		t.Error("after a minute")
	}
	first = c.verify(t, d.qrText)
	c.load(t, d)
	if remembered(first, c.verify(t, d.qrText)) {
		t.Error("across a new trust list of the same content")
	}
	d.bundle.Files = nil
	c.load(t, d)
	if v := c.verify(t, d.qrText); v.Outcome != cert.UntrustedIssuer {
		t.Errorf("across a trust list without the issuer: %s", v.Outcome)
	}
	c = newCounted(t, newDesk(t))
	c.now = at.Add(-3 * time.Second)
	if v := c.verify(t, d.qrText); v.Outcome != cert.Valid || !slices.Contains(v.Findings, inspect.ClockSlow) {
		t.Errorf("slow: %s %v", v.Outcome, v.Findings)
	}
	c.now = at
	if v := c.verify(t, d.qrText); v.Outcome != cert.Valid || len(v.Findings) != 0 {
		t.Errorf("across nbf: %s %v", v.Outcome, v.Findings)
	}
	c.now = at.Add(-time.Hour)
	if v := c.verify(t, d.qrText); !slices.Contains(v.Findings, inspect.ClockSetBack) {
		t.Errorf("a clock set back: %v", v.Findings)
	}
}

// What is remembered is bounded, and the newest stay.
func TestWhatIsRememberedIsBounded(t *testing.T) {
	d := newDesk(t)
	c := newCounted(t, d)
	var firsts []cert.Verdict
	for i := range inspect.CacheSize + 1 {
		c.now = at.Add(time.Duration(i) * time.Millisecond)
		firsts = append(firsts, c.verify(t, d.qrText+fmt.Sprintf("%*s", i, "")))
	}
	if !remembered(firsts[inspect.CacheSize], c.verify(t, d.qrText+fmt.Sprintf("%*s", inspect.CacheSize, ""))) {
		t.Error("the newest is forgotten")
	}
	if remembered(firsts[0], c.verify(t, d.qrText)) {
		t.Error("more is kept than there is room for")
	}
}

func TestPicturesAndPartsOfASplitCode(t *testing.T) {
	d := newDesk(t)
	c := newCounted(t, d)
	picture, err := os.ReadFile(filepath.Join(d.dir, "card.png"))
	if err != nil {
		t.Fatal(err)
	}
	first := c.verify(t, string(picture))
	if second := c.verify(t, string(picture)); !remembered(first, second) || !reflect.DeepEqual(first, second) {
		t.Errorf("%+v, then %+v", first, second)
	}
	half := len("shc:/") + len(d.qrText)/4*2
	parts := []string{"shc:/1/2/" + d.qrText[len("shc:/"):half], "shc:/2/2/" + d.qrText[half:]}
	for range 2 {
		if _, read, of, err := c.Verify(t.Context(), []byte(parts[1])); read != 1 || of != 2 || err != nil {
			t.Fatalf("%d of %d, %v", read, of, err)
		}
		if v := c.verify(t, parts[0]); v.Outcome != cert.Valid {
			t.Fatalf("%s %s", v.Outcome, v.Reason)
		}
	}
	if _, read, of, _ := c.Verify(t.Context(), []byte(parts[0])); read != 1 || of != 2 {
		t.Errorf("%d of %d", read, of)
	}
	third := len("shc:/") + len(d.qrText)/6*2
	three := []string{"shc:/1/3/" + d.qrText[len("shc:/"):third], "shc:/2/3/" + d.qrText[third:third+40], "shc:/3/3/" + d.qrText[third+40:]}
	if _, read, of, _ := c.Verify(t.Context(), []byte(three[1]+"\n"+three[0])); read != 2 || of != 3 {
		t.Errorf("two parts on two lines: %d of %d", read, of)
	}
	if v := c.verify(t, three[1]+"\n"+three[0]+"\n"+three[2]); v.Outcome != cert.Valid {
		t.Errorf("three parts on three lines: %s %s", v.Outcome, v.Reason)
	}
	if _, read, of, _ := c.Verify(t.Context(), []byte("shc:/2/3/5676")); read != 1 || of != 3 {
		t.Errorf("a part of another card: %d of %d", read, of)
	}
	if v := c.verify(t, d.qrText); v.Outcome != cert.Valid {
		t.Errorf("a whole card in between: %s", v.Outcome)
	}
}

// BenchmarkRepeatedScan sets an answer from memory beside a verification of the same text.
func BenchmarkRepeatedScan(b *testing.B) {
	d := newDesk(b)
	for name, step := range map[string]time.Duration{"verified": inspect.CacheTime, "remembered": 0} {
		b.Run(name, func(b *testing.B) {
			d.bundle.MaxAge = 0
			c := newCounted(b, d)
			b.ReportAllocs()
			for b.Loop() {
				c.now = c.now.Add(step)
				if v := c.verify(b, d.qrText); v.Outcome != cert.Valid {
					b.Fatal(v.Outcome)
				}
			}
		})
	}
}
