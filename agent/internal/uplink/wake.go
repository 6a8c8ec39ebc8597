package uplink

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"time"

	"madoguchi.example/shared/wire"
)

// errResting: too many calls failed in a row, and none is made for a moment.
var errResting = errors.New("calls to the backend rest for a moment")

// backoff is full jitter: anything from nothing to the base doubled with each failure, up
// to the cap.
func (u *Uplink) backoff(failures int) time.Duration {
	ceiling := u.Cap
	if failures < 32 {
		ceiling = min(u.Cap, u.Base<<failures)
	}
	if ceiling <= 0 {
		ceiling = u.Cap
	}
	return u.share(ceiling)
}

// share gives a fair share of d: anything above nothing and up to d.
func (u *Uplink) share(d time.Duration) time.Duration {
	var b [8]byte
	if _, err := io.ReadFull(u.Rand, b[:]); err != nil || d <= 0 {
		return d
	}
	share, _ := bits.Mul64(binary.BigEndian.Uint64(b[:]), uint64(d))
	return time.Duration(share) + 1
}

// RetryAfter is in the chain of an error whose sender asked to be left alone for a while.
type RetryAfter interface{ RetryAfter() time.Duration }

// MaxRetryAfter bounds what a backend can ask for.
const MaxRetryAfter = wire.MaxSlot

func retryAfter(err error) time.Duration {
	var r interface {
		error
		RetryAfter
	}
	if errors.As(err, &r) {
		return min(max(r.RetryAfter(), 0), MaxRetryAfter)
	}
	return 0
}

// behind tells of a fault of our clock whether it is behind the backend's.
func behind(err error) bool {
	var b interface {
		error
		ClockBehind() bool
	}
	return errors.As(err, &b) && b.ClockBehind()
}

// wake is a signal that is remembered once.
type wake chan struct{}

func (w wake) kick() {
	select {
	case w <- struct{}{}:
	default:
	}
}

// wait returns after d (never, if d is 0), when ctx ends, or when it is kicked, but then
// not before atLeast has passed, so that kicks cannot make a storm of failing calls.
func (w wake) wait(ctx context.Context, d, atLeast time.Duration) {
	var timer <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	var floor <-chan time.Time
	if atLeast > 0 {
		t := time.NewTimer(atLeast)
		defer t.Stop()
		floor = t.C
	}
	select {
	case <-ctx.Done():
		return
	case <-timer:
		return
	case <-w:
	}
	if floor == nil {
		return
	}
	select {
	case <-ctx.Done():
	case <-timer:
	case <-floor:
	}
}
