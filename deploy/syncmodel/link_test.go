package syncmodel_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"madoguchi.example/backend/intaketest"
	"madoguchi.example/shared/fault"
)

var (
	errRefused = fault.Wrap(fault.Unavailable, errors.New("connection refused"), "the backend cannot be reached")
	errLost    = fault.Wrap(fault.Unavailable, errors.New("connection reset"), "the backend cannot be reached")
)

// remembered is how many requests a link keeps, for one of them to come late.
const remembered = 16

// callLimit is the real client's timeout of one call.
const callLimit = 15 * time.Second

// hold is how long the line holds a question for answers: longer than a backend does, so that
// days do not consist of questions.
const hold = 2 * time.Hour

// link is one terminal's line to the backend, and all that can go wrong on it.
type link struct {
	to *intaketest.Terminal

	mu       sync.Mutex // guards what follows
	faults   faults
	past     [][]byte
	requests int
}

// faults are what goes wrong from now on. The counts go down by one with each request that
// they befall.
type faults struct {
	down         bool // nothing goes through
	loseRequests int  // requests that never arrive
	loseAnswers  int  // requests that are done and whose answer never arrives
	stall        int  // the same, and the terminal notices only when the call's time is over
	twice        int  // requests that arrive twice, one after the other
}

func (l *link) set(change func(*faults)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.faults)
}

// take gives what befalls the next request.
func (l *link) take(raw []byte) faults {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.faults
	if f.down {
		return f
	}
	for _, n := range []*int{&l.faults.loseRequests, &l.faults.loseAnswers, &l.faults.stall, &l.faults.twice} {
		*n = max(*n-1, 0)
	}
	l.requests++
	l.past = append(l.past, raw)
	l.past = l.past[max(len(l.past)-remembered, 0):]
	return f
}

// Dial implements agenttest.Line.
func (l *link) Dial() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.faults.down {
		return errRefused
	}
	return nil
}

// Batch implements agenttest.Line.
func (l *link) Batch(ctx context.Context, raw []byte) ([]byte, error) {
	f := l.take(raw)
	switch {
	case f.down:
		return nil, errRefused
	case f.loseRequests > 0:
		return nil, errLost
	case f.twice > 0:
		if _, err := l.to.Batch(ctx, raw); err != nil {
			return nil, err
		}
	}
	receipt, err := l.to.Batch(ctx, raw)
	switch {
	case f.stall > 0:
		late := time.NewTimer(callLimit)
		defer late.Stop()
		select {
		case <-ctx.Done():
		case <-late.C:
		}
		return nil, errLost
	case f.loseAnswers > 0:
		return nil, errLost
	}
	return receipt, err
}

// late lets a request of the past arrive again, by itself. Nobody waits for its answer.
func (l *link) late(ctx context.Context, which int) {
	l.mu.Lock()
	past := l.past
	l.mu.Unlock()
	if len(past) > 0 {
		_, _ = l.to.Batch(ctx, past[which%len(past)]) // whatever it is answered
	}
}

// Answers implements agenttest.Line.
func (l *link) Answers(ctx context.Context, after uint64, wait time.Duration) ([]byte, error) {
	if wait > 0 {
		held := time.NewTimer(hold)
		defer held.Stop()
		select {
		case <-ctx.Done():
			return nil, errLost
		case <-held.C:
		}
	}
	if l.Dial() != nil {
		return nil, errLost
	}
	return l.to.Answers(ctx, after, 0)
}
