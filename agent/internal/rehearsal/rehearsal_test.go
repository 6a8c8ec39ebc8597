package rehearsal_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/rehearsal"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
)

func open(t *testing.T, class profile.Class) *rehearsal.Room {
	t.Helper()
	r, err := rehearsal.New(rehearsal.Config{
		Class: class, Office: "練習の診療所", Now: now, Rand: rand.Reader, Log: slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// now is a bubble's clock, moved into our time; outside of one it is in the far future, and
// nothing here minds.
func now() time.Time { return time.Now().AddDate(26, 10, 20) }

func entry(s rehearsal.Sheet) check.Entry {
	return check.Entry{
		Insurer: s.Insurer, Symbol: s.Symbol, Number: s.Number, Branch: s.Branch, BirthDate: s.Born.String(),
		Label: s.Kana, Evidence: eligibility.EvidenceCertificate, Copayment: 30, Operator: "練習", OperatorID: "op_0",
	}
}

// Every invented patient can be typed without a doubt, and is answered as a real one.
func TestEveryPatientIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, profile.Clinic)
		want := []check.Display{"valid", "valid", "newer_coverage", "valid", "none_found"}
		for i, s := range rehearsal.Sheets() {
			c, doubts, err := r.Desk().Record(t.Context(), entry(s))
			if err != nil || len(doubts) > 0 {
				t.Fatalf("%s: %v, doubts %v", s.Kana, err, doubts)
			}
			time.Sleep(2 * rehearsal.DefaultAnswerAfter) // the bubble's clock
			synctest.Wait()
			v, err := r.Desk().Case(t.Context(), c.RecordID)
			if err != nil || v.Display != want[i] {
				t.Errorf("%s: %s, %v; want %s", s.Kana, v.Display, err, want[i])
			}
		}
	})
}

// Without the line a check is recorded and nothing is said of the coverage; with it back the
// answer comes.
func TestTheLineIsCutAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, profile.Clinic)
		if err := r.Cut(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		c, _, err := r.Desk().Record(t.Context(), entry(rehearsal.Sheets()[0]))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if v, _ := r.Desk().Case(t.Context(), c.RecordID); v.Display != check.DisplayOffline {
			t.Fatalf("without the line: %s", v.Display)
		}
		if err := r.Cut(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if v, _ := r.Desk().Case(t.Context(), c.RecordID); v.Display != check.Display(eligibility.Valid) {
			t.Fatalf("with the line back: %s", v.Display)
		}
	})
}

// Certificates can be practised at every class; insurance only where it may be asked for.
func TestTheClassesMayDoWhatRealOnesMay(t *testing.T) {
	for _, class := range []profile.Class{profile.Clinic, profile.Counter, profile.Shelter} {
		r := open(t, class)
		_, _, err := r.Desk().Record(t.Context(), entry(rehearsal.Sheets()[0]))
		if refused := fault.CodeOf(err) == fault.Forbidden; refused == class.MayCheckInsurance() {
			t.Errorf("%s: %v", class, err)
		}
		for text, want := range map[string]cert.Outcome{r.Specimen().Genuine: cert.Valid, r.Specimen().Altered: cert.BadSignature} {
			v, _, _, err := r.Reader().Verify(context.Background(), []byte(text))
			if err != nil || v.Outcome != want {
				t.Errorf("%s: %s, %v; want %s", class, v.Outcome, err, want)
			}
		}
	}
}

// The package reaches neither files nor the network nor cards, and of the queue and the vault
// it knows the types alone.
func TestPracticeReachesNothing(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{join .Imports \"\\n\"}}", ".").Output()
	if err != nil {
		t.Skipf("the go command cannot list imports: %v", err)
	}
	for _, path := range strings.Fields(string(out)) {
		switch path {
		case "os", "net", "net/http", "os/exec", "syscall", "go.etcd.io/bbolt", "madoguchi.example/agent/internal/terminal",
			"madoguchi.example/agent/internal/oqsfolder", "madoguchi.example/agent/internal/linkfetch":
			t.Errorf("practice imports %s", path)
		}
	}
}
