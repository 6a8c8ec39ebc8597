package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"madoguchi.example/deploy/e2e"
	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/stage"
	"madoguchi.example/deploy/tour"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := stage.Clean(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func counts(t *testing.T) e2e.Counts {
	t.Helper()
	c, err := e2e.ReadCounts(os.Getenv("MADOGUCHI_SOAK") != "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func programs(t testing.TB) stage.Programs {
	t.Helper()
	p, err := stage.Built()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// forPractice are programs whose clock the stage moves.
func forPractice(t testing.TB) stage.Programs {
	t.Helper()
	p, err := stage.BuiltForPractice()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func limit(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// open makes a stage whose backend serves and whose clinic's terminal, which asks the payer
// behind the backend, is enrolled.
func open(t testing.TB, ctx context.Context, o stage.Options) (*stage.Stage, *stage.Terminal) {
	t.Helper()
	s, _ := openHouse(t, ctx, o)
	terminal, err := s.Enrol(ctx, population.OfficeMinatoClinic, stage.Equipment{})
	if err != nil {
		t.Fatal(err)
	}
	return s, terminal
}

// openHouse makes a stage whose backend serves, of the programs as they are delivered unless
// o names others, and gives what the import said. What the programs wrote is shown when the
// test fails.
func openHouse(t testing.TB, ctx context.Context, o stage.Options) (*stage.Stage, string) {
	t.Helper()
	if o.Dir, o.Seed = t.TempDir(), 7; o.Programs.Dir == "" {
		o.Programs = programs(t)
	}
	s, err := stage.New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			showLogs(t, s)
		}
	})
	imported, err := s.Import(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.StartBackend(ctx); err != nil {
		t.Fatal(err)
	}
	return s, string(imported)
}

func showLogs(t testing.TB, s *stage.Stage) {
	files, _ := s.LogFiles()
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		t.Logf("the end of %s:\n%s", f, raw[max(0, len(raw)-4000):])
	}
}

func TestJourneys(t *testing.T) {
	for _, store := range stores() {
		t.Run(store.name, func(t *testing.T) {
			ctx := limit(t, 5*time.Minute)
			s, imported := openHouse(t, ctx, stage.Options{Programs: forPractice(t), DSN: store.dsn(t), Residents: 1000, RefreshEvery: 2 * time.Second})
			terminals, err := tour.Furnish(ctx, s, "", "")
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			g := tour.Guide{Stage: s, Terminals: terminals, Imported: imported, Rand: rand.Reader, Out: &out}
			result, err := g.Walk(ctx)
			t.Logf("%s", out.String())
			if err != nil || result.Passed == 0 {
				t.Error(err)
			}
			logsHoldNobody(t, s)
		})
	}
}

// logsHoldNobody looks for the people and numbers of the journeys in every log.
func logsHoldNobody(t *testing.T, s *stage.Stage) {
	t.Helper()
	secrets := map[string]string{}
	c := s.Cast
	for who, p := range map[string]population.Part{"parent": c.Parent, "child": c.Child, "single": c.Single, "elder": c.Elder,
		"ambiguous": c.Ambiguous, "nobody": c.Nobody, "unvaccinated": c.Unvaccinated, "changed": c.Changed.Part,
		"last minute": c.LastMinute, "protected": c.Protected, "protected child": c.ProtectedChild, "offered": c.Offered,
		"offered child": c.OfferedChild, "twins": c.Twins, "letter": c.Letter, "moved": c.Moved} {
		family, given, _ := strings.Cut(p.Name, " ")
		secrets[who+" family name"], secrets[who+" given name"] = family, given
		secrets[who+" kana"], secrets[who+" latin"] = p.NameKana, p.NameLatin
		secrets[who+" birth date"], secrets[who+" address"] = p.BirthDate, p.Address
	}
	for who, p := range map[string]population.Part{"parent": c.Parent, "moved": c.Moved} {
		secrets[who+" passport"] = p.MRZ[1][:9]
	}
	for who, card := range map[string]population.Card{"insured": c.Insured, "aged": c.Aged, "changed": c.Changed} {
		secrets[who+" number"] = card.Number
	}
	secrets["the published My Number"] = "1234567" + "89018"
	files, err := s.LogFiles()
	if err != nil || len(files) < 3 {
		t.Fatalf("%d logs: %v", len(files), err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for what, secret := range secrets {
			if len([]rune(secret)) > 1 && bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%s holds the %s", f, what)
			}
		}
	}
}

func TestCounts(t *testing.T) {
	for _, soak := range []bool{false, true} {
		if _, err := e2e.ReadCounts(soak); err != nil {
			t.Error(err)
		}
	}
}
