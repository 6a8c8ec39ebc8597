package oqsfolder

import "iter"

// bounded is a map that forgets its oldest entries.
type bounded[V any] struct {
	limit int
	next  uint64
	order []turn
	of    map[string]entry[V]
}

type turn struct {
	key string
	nth uint64
}

type entry[V any] struct {
	value V
	nth   uint64
}

func newBounded[V any](limit int) bounded[V] {
	return bounded[V]{limit: limit, of: map[string]entry[V]{}}
}

// put adds or renews an entry as the newest.
func (b *bounded[V]) put(key string, v V) {
	b.next++
	b.of[key] = entry[V]{v, b.next}
	b.order = append(b.order, turn{key, b.next})
	for len(b.of) > b.limit || len(b.order) > 2*b.limit {
		oldest := b.order[0]
		b.order = b.order[1:]
		if b.of[oldest.key].nth == oldest.nth {
			delete(b.of, oldest.key)
		}
	}
}

func (b *bounded[V]) get(key string) (V, bool) {
	e, ok := b.of[key]
	return e.value, ok
}

// all goes through the entries in no order; those that it meets may be dropped.
func (b *bounded[V]) all() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for key, e := range b.of {
			if !yield(key, e.value) {
				return
			}
		}
	}
}

func (b *bounded[V]) drop(key string) { delete(b.of, key) }

func (b *bounded[V]) len() int { return len(b.of) }
