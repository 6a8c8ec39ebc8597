package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/outbox"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/wire"
)

// figures tells how a running agent's queue, file, line and clock stand: the same for the
// desk, /metrics, `queue status` and the summary that the backend gets.
func (a *agent) figures() outbox.Figures {
	f := figuresOf(a.world, a.terminal, a.vault, a.queue)
	f.Lost += a.book.Unreadable()
	line, clock := a.uplink.Line(), a.uplink.Clock()
	f.Running, f.LineUp, f.LineReason, f.LineSince = true, line.Up, line.Reason, line.Since
	f.ClockOffsetMS, f.ClockTrusted = clock.OffsetMS, clock.Trusted
	return f
}

// health is the signed summary that rides in each batch.
func (a *agent) health(clock wire.Clock) (string, error) {
	f := a.figures()
	jws, err := a.terminal.SignHealth(wire.Health{
		Terminal: f.Terminal, At: a.world.Now().UTC(), Version: f.Version, KeyClass: f.KeyClass,
		Pending: f.Pending, OldestAt: f.OldestAt, Stale: f.Stale, Unanswered: f.Unanswered, DeadLetters: f.DeadLetters, LastAck: f.LastAck,
		FileBytes: f.FileBytes, UsedBytes: f.UsedBytes, PutAside: f.PutAside, Lost: f.Lost, Compacted: a.queue.Stats().Compacted, Clock: clock, Faults: faultWords(a.rounds.Latest()),
	})
	if err != nil {
		return "", fmt.Errorf("cannot sign the health summary: %w", err)
	}
	return jws, nil
}

// faultWords are the doctor's findings as the backend gets them: part and fault, no values.
func faultWords(found []doctor.Finding) []string {
	var words []string
	for _, f := range found {
		if !f.OK() && len(words) < wire.MaxFaults {
			words = append(words, string(f.Part)+"."+f.Fault)
		}
	}
	return words
}

// Waits of the background check of the file's pages.
const (
	firstCheck = time.Minute // after the start: a day at the desk begins first
	checkEvery = 24 * time.Hour
)

// lookAfter checks the file in the background, and reads anew what was remembered of a file
// that was replaced.
func (a *agent) lookAfter(ctx context.Context) {
	check := time.NewTimer(firstCheck)
	defer check.Stop()
	tick := time.NewTicker(chaseEvery)
	defer tick.Stop()
	seen := a.vault.Generation()
	for {
		select {
		case <-ctx.Done():
			return
		case <-check.C:
			a.complain(ctx, "the terminal's file could not be checked", a.vault.Check(ctx))
			check.Reset(checkEvery)
		case <-tick.C:
		}
		if now := a.vault.Generation(); now != seen {
			seen = now
			a.replaced(ctx, a.vault.Report())
		}
	}
}

// replaced tells of a file that was salvaged while the agent ran.
func (a *agent) replaced(ctx context.Context, r vault.Report) {
	a.log.Error("the terminal's file was damaged and put aside", "file", r.PutAside, "reason", r.Reason, "values", r.Salvaged.Values, "lost", r.Salvaged.Lost)
	a.book.Unsure()
	a.floor.Keep()
	a.complain(ctx, "what was remembered could not be stored anew", errors.Join(a.operators.Keep(ctx), a.door.Keep(ctx), a.beside.bookings.Keep(ctx)))
	a.reconcile(ctx)
	a.desk.Changed()
}

// spread is the time within which a backlog begins after an outage: the configuration's, or
// what the office says.
func (a *agent) spread() time.Duration {
	if own := a.config.Sync.Spread; own > 0 {
		return own
	}
	return time.Duration(a.terminal.Profile().SpreadMS) * time.Millisecond
}

// renewProfile has the profile asked for at once: the backend signs with a key that it does
// not name yet.
func (a *agent) renewProfile() {
	select {
	case a.renew <- struct{}{}:
	default:
	}
}
