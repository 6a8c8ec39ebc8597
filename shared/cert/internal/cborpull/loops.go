package cborpull

// Items goes through the items of an array:
//
//	for a := r.Array(); a.Next(); {
//		n += r.Int()
//	}
//
// The loop's body reads the item, or leaves it and it is checked and skipped.
type Items struct {
	Len   int // how many items the array says it has
	Index int // of the item that comes next
	r     *Reader
	began int // where that item starts; -1 before the first
}

// Array begins to read an array.
func (r *Reader) Array() Items {
	_, _, n := r.want(List)
	if n > uint64(len(r.data)-r.at) {
		r.Fault("cut short")
	}
	if !r.enter() {
		n = 0
	}
	return Items{Len: int(n), Index: -1, r: r, began: -1}
}

// Next moves to the next item and tells whether there is one.
func (a *Items) Next() bool {
	r := a.r
	if a.began == r.at {
		r.skip()
	}
	if r.err != nil {
		return false
	}
	a.Index++
	if a.Index >= a.Len {
		r.depth--
		return false
	}
	a.began = r.at
	return true
}

// Key is a map's key: a text, or an integer.
type Key struct {
	Text   string
	Int    int64
	IsText bool
}

// Pairs goes through the pairs of a map, as Items does.
type Pairs struct {
	Key   Key
	Len   int // how many pairs the map says it has
	r     *Reader
	done  int
	began int
	seen  [MaxPairs]Key
}

// Map begins to read a map.
func (r *Reader) Map() Pairs {
	_, _, n := r.want(Dict)
	if n > MaxPairs {
		r.Fault("a map of more than %d pairs", MaxPairs)
	}
	if !r.enter() {
		n = 0
	}
	return Pairs{Len: int(n), r: r, began: -1}
}

// Next moves to the next pair, whose value the loop's body may read, and tells whether
// there is one. A key that stands twice is a fault, however its number is spelt.
func (m *Pairs) Next() bool {
	r := m.r
	if m.began == r.at {
		r.skip()
	}
	if r.err != nil {
		return false
	}
	if m.done >= m.Len {
		r.depth--
		return false
	}
	m.Key = r.key()
	for _, seen := range m.seen[:m.done] {
		if seen == m.Key {
			r.Fault("a key that stands twice")
		}
	}
	m.seen[m.done] = m.Key
	m.done++
	m.began = r.at
	return r.err == nil
}

func (r *Reader) key() Key {
	switch r.Kind() {
	case Integer:
		return Key{Int: r.Int()}
	case Text:
		return Key{Text: r.Text(), IsText: true}
	case None:
		r.Fault("cut short")
	default:
		r.Fault("a key that is neither integer nor text")
	}
	return Key{}
}
