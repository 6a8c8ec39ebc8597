package check_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// deaf is a backend that takes the connection and never says a word.
type deaf struct{}

func (deaf) Send(ctx context.Context, _ wire.Batch) (wire.Receipt, error) {
	<-ctx.Done()
	return wire.Receipt{}, fault.Wrap(fault.Unavailable, ctx.Err(), "no answer")
}

func (deaf) Answers(ctx context.Context, _ uint64, _ time.Duration) (wire.Answers, error) {
	<-ctx.Done()
	return wire.Answers{}, fault.Wrap(fault.Unavailable, ctx.Err(), "no answer")
}

// TestRecordingWaitsForNobody runs desk, queue and uplink in a bubble whose clock moves
// only when everything waits: any wait inside Record would show on it.
func TestRecordingWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		ctx, cancel := context.WithCancel(t.Context())
		u := uplink.New(uplink.Config{Queue: b.queue, Backend: deaf{}, Handler: b.Desk, Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)})
		b.Desk.Kick, b.Desk.Line = u.Kick, u.Line
		done := make(chan error, 1)
		go func() { done <- u.Run(ctx) }()
		synctest.Wait()
		start := time.Now()
		c, _, err := b.Record(ctx, entry())
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("recording waited %s", waited)
		}
		if v, err := b.Case(ctx, c.RecordID); err != nil || v.Display != check.DisplayOffline {
			t.Errorf("with a deaf backend the row shows %q: %v", v.Display, err)
		}
		cancel()
		<-done
	})
}
