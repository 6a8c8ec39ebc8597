package httpapi

import (
	"sync"
	"time"

	"madoguchi.example/shared/fault"
)

// The limits of the terminals' routes.
const (
	terminalBurst  = 60                     // requests of one terminal at once
	terminalRefill = 100 * time.Millisecond // one more request each
	enrolBurst     = 20                     // enrolments of everybody at once
	enrolRefill    = 500 * time.Millisecond
	maxBuckets     = 10_000 // callers that are remembered
)

// limiter is a token bucket per caller. A caller that is forgotten starts with a full
// bucket. It is safe for concurrent use.
type limiter struct {
	burst  int
	refill time.Duration
	now    func() time.Time

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

func newLimiter(burst int, refill time.Duration, now func() time.Time) *limiter {
	return &limiter{burst: burst, refill: refill, now: now, buckets: map[string]bucket{}}
}

// take lets one request of the caller through, or answers RateLimited.
func (l *limiter) take(caller string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b, known := l.buckets[caller]
	if !known {
		l.forget(now)
		b = bucket{left: float64(l.burst), at: now}
	}
	b.left = min(b.left+float64(now.Sub(b.at))/float64(l.refill), float64(l.burst))
	b.at = now
	if b.left < 1 {
		l.buckets[caller] = b
		return fault.New(fault.RateLimited, "too many requests: wait a moment")
	}
	b.left--
	l.buckets[caller] = b
	return nil
}

// forget makes room: first those whose bucket is full again, then, in a flood, all.
func (l *limiter) forget(now time.Time) {
	if len(l.buckets) < maxBuckets {
		return
	}
	full := time.Duration(l.burst) * l.refill
	for caller, b := range l.buckets {
		if now.Sub(b.at) >= full {
			delete(l.buckets, caller)
		}
	}
	if len(l.buckets) >= maxBuckets {
		clear(l.buckets)
	}
}
