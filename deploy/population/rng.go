package population

// rng is SplitMix64: a small generator whose sequence is fixed by its definition, so that
// one seed gives the same people under every Go version. It is not for secrets.
type rng struct{ state uint64 }

func (r *rng) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below gives 0 ≤ n < limit; limit is small, so the bias of the remainder does not matter.
func (r *rng) below(limit int) int { return int(r.next() % uint64(limit)) }

// between gives low ≤ n ≤ high.
func (r *rng) between(low, high int) int { return low + r.below(high-low+1) }

// chance is true in percent of 100 calls.
func (r *rng) chance(percent int) bool { return r.below(100) < percent }

func pick[T any](r *rng, all []T) T { return all[r.below(len(all))] }
