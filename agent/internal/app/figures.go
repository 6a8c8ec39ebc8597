package app

import (
	"context"
	"time"

	"madoguchi.example/agent/internal/outbox"
	"madoguchi.example/agent/internal/vault"
)

// figures tells how a running agent's queue, file, line and clock stand: the same for the
// desk, /metrics, `queue status` and the summary that the backend gets.
func (a *agent) figures() outbox.Figures {
	f := figuresOf(a.world, a.terminal, a.vault, a.queue)
	f.Lost += a.book.Unreadable()
	line := a.uplink.Line()
	f.Running, f.LineUp, f.LineReason, f.LineSince = true, line.Up, line.Reason, line.Since
	return f
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
	a.reconcile(ctx)
	a.desk.Changed()
}
