package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"madoguchi.example/shared/fault"
)

// errDrain is the cause of every handler's context when the server stops.
var errDrain = errors.New("the server is stopping")

// within runs fn in a goroutine of its own and waits no longer than d, even for a
// function that does not look at its context. It also stops waiting when the server
// drains, after a moment for fn's own answer.
//
// A function left behind keeps running on values that nobody else changes: inputs are
// copies. Its answer is dropped and it is counted.
func within[T any](s *Server, ctx context.Context, d time.Duration, fn func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	type answer struct {
		value T
		err   error
		crash *crash
	}
	done := make(chan answer, 1)
	go func() {
		defer cancel()
		var a answer
		defer func() {
			if r := recover(); r != nil {
				a.crash = newCrash(r)
				a.err = fault.New(fault.Internal, "the handler panicked")
				s.logCrash(ctx, a.crash)
			}
			done <- a
		}()
		a.value, a.err = fn(ctx)
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
	}
	if a, ok := lastMoment(s, done); ok {
		return a.value, a.err
	}
	s.abandoned.Add(1)
	s.log.LogAttrs(ctx, slog.LevelWarn, "handler left behind", slog.String("trace", TraceOf(ctx)))
	var none T
	if errors.Is(context.Cause(ctx), errDrain) {
		return none, fault.New(fault.Unavailable, "the server is stopping")
	}
	return none, fault.New(fault.Unknown, "the answer took too long")
}

// lastMoment waits a little for a handler that has just been told to stop.
func lastMoment[T any](s *Server, done <-chan T) (T, bool) {
	t := time.NewTimer(s.config.LastMoment)
	defer t.Stop()
	select {
	case a := <-done:
		return a, true
	case <-t.C:
		var none T
		return none, false
	}
}
