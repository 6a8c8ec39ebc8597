package cards

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/practice/card"
	"madoguchi.example/deploy/stage"
)

// heldVariable names how many records the agent holds when it is measured, instead of held.
const (
	heldVariable = "MADOGUCHI_HELD"
	held         = 10_000
)

func howMany(b *testing.B) int {
	b.Helper()
	text := os.Getenv(heldVariable)
	if text == "" {
		return held
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("%s is no number of records", heldVariable)
	}
	return n
}

// BenchmarkAgentAtTheCounter measures the built agent as it stands at a counter: it watches
// a reader of the real daemon in which a card lies, an open desk follows its stream, and
// 10,000 records (MADOGUCHI_HELD) wait because the line is cut. Start is from the program's start to a
// listening desk. Memory is what the process holds for itself (RssAnon).
func BenchmarkAgentAtTheCounter(b *testing.B) {
	alone(b)
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	n := howMany(b)
	d := startDaemon(b)
	in := d.insert(0, makeCard(b, card.Options{}), card.Faults{})
	s, terminal := counterWithReader(b, ctx, n)
	if err := terminal.Start(ctx); err != nil {
		b.Fatal(err)
	}
	empty := atTheDesk(b, ctx, terminal, in)
	s.Line.Cut()
	perSecond, err := terminal.Fill(ctx, n)
	if err != nil {
		b.Fatal(err)
	}
	filled := weight(b, terminal)
	if err := terminal.Process().Stop(10 * time.Second); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := terminal.Start(ctx); err != nil {
		b.Fatal(err)
	}
	start := time.Since(began)
	full := atTheDesk(b, ctx, terminal, in)
	for b.Loop() {
		_ = full
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(start.Milliseconds()), fmt.Sprintf("ms-start-%dk", n/1000))
	b.ReportMetric(empty, "MB-empty")
	b.ReportMetric(filled, "MB-after-filling")
	b.ReportMetric(full, fmt.Sprintf("MB-%dk", n/1000))
	b.ReportMetric(perSecond, "desk-records/s")
}

// counterWithReader makes an installation whose terminal watches the readers
// and takes as many records.
func counterWithReader(b *testing.B, ctx context.Context, records int) (*stage.Stage, *stage.Terminal) {
	b.Helper()
	programs, err := stage.Built()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = stage.Clean() })
	s, err := stage.New(ctx, stage.Options{Programs: programs, Dir: b.TempDir(), Seed: 7, Residents: 100})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if _, err := s.Import(ctx); err != nil {
		b.Fatal(err)
	}
	if err := s.StartBackend(ctx); err != nil {
		b.Fatal(err)
	}
	t, err := s.Enrol(ctx, population.OfficeMinatoClinic, stage.Equipment{})
	if err != nil {
		b.Fatal(err)
	}
	config, err := os.ReadFile(t.Config)
	if err == nil {
		config = bytes.Replace(config, []byte("[card]\nenabled = false"), []byte("[card]\nenabled = true"), 1)
		err = os.WriteFile(t.Config, fmt.Appendf(config, "\n[queue]\nmax_records = %d\n", records+1), 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	return s, t
}

// atTheDesk opens the desk, follows its stream, has it look at the card, and gives the
// agent's weight.
func atTheDesk(b *testing.B, ctx context.Context, t *stage.Terminal, in lying) float64 {
	b.Helper()
	client, _, err := t.Open(ctx)
	if err != nil {
		b.Fatal(err)
	}
	stream := ask(b, ctx, client, t.Desk()+"/events")
	b.Cleanup(func() { _ = stream.Close() })
	if _, err := io.ReadFull(stream, make([]byte, 1)); err != nil {
		b.Fatal(err)
	}
	var page []byte
	until(b, "the desk shows the card", func() bool {
		body := ask(b, ctx, client, t.Desk()+"/?tab=card")
		page, err = io.ReadAll(body)
		_ = body.Close()
		return err == nil && bytes.Contains(page, []byte("card-state my_number"))
	})
	if in.Commands() == 0 {
		b.Error("nobody asked the card what it is")
	}
	return weight(b, t)
}

func ask(b *testing.B, ctx context.Context, client *http.Client, address string) io.ReadCloser {
	b.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		b.Fatalf("the desk answered %d", resp.StatusCode)
	}
	return resp.Body
}

func weight(b *testing.B, t *stage.Terminal) float64 {
	b.Helper()
	mb, err := stage.Resident(t.Process().Pid())
	if err != nil {
		b.Skip(err)
	}
	return mb
}
