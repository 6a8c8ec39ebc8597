package httpapi

import (
	"sync"
	"time"

	"madoguchi.example/shared/fault"
)

// The limits of the terminals' routes. What nobody proved is limited twice: by the address
// it comes from, and for everybody together.
const (
	terminalBurst  = 60                     // requests of one terminal at once
	terminalRefill = 100 * time.Millisecond // one more request each
	enrolBurst     = 20                     // enrolments from one address at once
	enrolRefill    = 500 * time.Millisecond
	enrolAllBurst  = 400 // enrolments of everybody at once
	enrolAllRefill = 20 * time.Millisecond
	nonceBurst     = 20 // nonces for one address at once
	nonceRefill    = 250 * time.Millisecond
	nonceAllBurst  = 2_000 // nonces for everybody at once
	nonceAllRefill = 2 * time.Millisecond

	// maxCallers is how many proven callers' buckets are kept: more terminals than a cell has.
	maxCallers = 250_000
	// maxAddresses bounds what anybody on the net can make us keep.
	maxAddresses = 20_000
)

// limiter is a token bucket per caller. A bucket that nobody touched for as long as it takes
// to fill is full, and forgetting it changes nothing: so callers live in two generations,
// and each time that such a while has passed the older one is dropped whole. While most
// callers are kept, those who have no bucket share one: nobody is forgotten for their sake,
// and however many they are, they get no more than one caller. It is safe for concurrent use.
type limiter struct {
	burst  int
	refill time.Duration
	most   int
	now    func() time.Time

	mu         sync.Mutex
	turned     time.Time // when the generations last changed
	young, old map[string]bucket
	strangers  bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// newLimiter makes a limiter that keeps at most that many callers.
func newLimiter(burst int, refill time.Duration, most int, now func() time.Time) *limiter {
	return &limiter{burst: burst, refill: refill, most: most, now: now, young: map[string]bucket{}}
}

// take lets one request of the caller through, or answers RateLimited.
func (l *limiter) take(caller string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.turn(now)
	b, known := l.young[caller]
	if !known {
		b, known = l.old[caller]
	}
	var ok bool
	if !known && len(l.young)+len(l.old) >= l.most {
		l.strangers, ok = l.spend(l.strangers, now)
		return limited(ok)
	}
	delete(l.old, caller)
	l.young[caller], ok = l.spend(b, now)
	return limited(ok)
}

// spend fills the bucket for the time that has passed and takes one request out of it. The
// zero bucket is full.
func (l *limiter) spend(b bucket, now time.Time) (bucket, bool) {
	if b.at.IsZero() {
		b.left = float64(l.burst)
	} else {
		b.left = min(b.left+float64(max(now.Sub(b.at), 0))/float64(l.refill), float64(l.burst))
	}
	b.at = now
	if b.left < 1 {
		return b, false
	}
	b.left--
	return b, true
}

// turn drops the older generation once all of its buckets are full again.
func (l *limiter) turn(now time.Time) {
	if full := time.Duration(l.burst) * l.refill; now.Sub(l.turned) >= full {
		if now.Sub(l.turned) >= 2*full {
			l.young = map[string]bucket{} // these are full as well
		}
		l.old, l.young, l.turned = l.young, map[string]bucket{}, now
	}
}

func limited(ok bool) error {
	if ok {
		return nil
	}
	return fault.New(fault.RateLimited, "too many requests: wait a moment")
}
