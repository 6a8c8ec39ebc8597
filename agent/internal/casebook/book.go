package casebook

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/civil"
)

// MaxCached is how many cases the book keeps decoded: the rows of a list and some more.
const MaxCached = 400

// Book reads and writes cases. It reads the shelf whole once, at the first use, and then
// single cases when they are asked for. It is safe for concurrent use; two writers of one
// case are ordered by the caller.
type Book struct {
	shelf Shelf

	mu         sync.Mutex
	loaded     bool
	rows       rows
	doubtful   map[uuid.UUID]bool // rows that the next use reads anew
	unreadable int
	cache      map[uuid.UUID]*Case // a case is replaced, never changed in place
	order      []uuid.UUID         // of the cache, in order of coming, from next on the oldest
	next       int
}

// New makes a Book on a shelf.
func New(shelf Shelf) *Book { return &Book{shelf: shelf} }

// Encode gives the bytes of c as they lie on the shelf, for a write that rides in the
// commit of another. After that commit the writer calls Written.
func Encode(c Case) ([]byte, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("cannot encode a case: %w", err)
	}
	return b, nil
}

// decode reads what lies under key; ok is false where that is no case of this key.
func decode(key string, raw []byte) (c Case, r Row, ok bool) {
	if json.Unmarshal(raw, &c) != nil || c.RecordID != key {
		return Case{}, Row{}, false
	}
	c.modern()
	r, ok = c.Row()
	return c, r, ok
}

// Written tells the book of cases that the commit of another has stored on the shelf. A case
// without a proper record ID is passed over.
func (b *Book) Written(cases ...Case) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.loaded {
		return // the first use reads them from the shelf
	}
	for _, c := range cases {
		if r, ok := c.Row(); ok {
			b.rows.put(r)
			b.remember(r.id, &c)
			delete(b.doubtful, r.id)
		}
	}
}

// remember keeps a case decoded; the one that came first of a full cache goes. The caller
// holds mu.
func (b *Book) remember(id uuid.UUID, c *Case) {
	if _, there := b.cache[id]; !there {
		if len(b.order) < MaxCached {
			b.order = append(b.order, id)
		} else {
			delete(b.cache, b.order[b.next])
			b.order[b.next] = id
			b.next = (b.next + 1) % MaxCached
		}
	}
	b.cache[id] = c
}

// load reads the shelf at the first use, and what a write has left in doubt. A case that
// cannot be read is left out and counted, so that one bad value never hides the list. The
// caller holds mu.
func (b *Book) load(ctx context.Context) error {
	if b.loaded {
		return b.settle(ctx)
	}
	var all rows
	unreadable := 0
	err := b.shelf.Each(ctx, func(key string, raw []byte) error {
		if _, r, ok := decode(key, raw); ok {
			all.put(r)
		} else {
			unreadable++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot read the cases: %w", err)
	}
	b.rows, b.unreadable, b.loaded = all, unreadable, true
	b.cache, b.order, b.next, b.doubtful = map[uuid.UUID]*Case{}, nil, 0, map[uuid.UUID]bool{}
	return nil
}

// settle reads anew what is in doubt.
func (b *Book) settle(ctx context.Context) error {
	for id := range b.doubtful {
		delete(b.cache, id) // its place in the order stays and makes room in its turn
		if _, _, err := b.read(ctx, id); err != nil {
			return err
		}
		delete(b.doubtful, id)
	}
	return nil
}

// read gives the case from the cache or the shelf, and keeps the index to what is there: a
// case that is not on the shelf any more is forgotten, one that cannot be read is counted.
// The caller holds mu.
func (b *Book) read(ctx context.Context, id uuid.UUID) (*Case, bool, error) {
	if c := b.cache[id]; c != nil {
		return c, true, nil
	}
	key := id.String()
	raw, there, err := b.shelf.Get(ctx, key)
	if err != nil && !errors.Is(err, vault.ErrDamaged) {
		return nil, false, fmt.Errorf("cannot read a case: %w", err)
	}
	c, r, ok := decode(key, raw)
	if err == nil && there && ok {
		b.rows.put(r)
		b.remember(id, &c)
		return &c, true, nil
	}
	if there || err != nil {
		b.unreadable++
	}
	b.rows.remove(id)
	return nil, false, nil
}

// Get gives one case; ok is false where there is none.
func (b *Book) Get(ctx context.Context, recordID string) (c Case, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(ctx); err != nil {
		return Case{}, false, err
	}
	id, ok := parseID(recordID)
	if !ok {
		return Case{}, false, nil
	}
	if _, ok := b.rows.get(id); !ok {
		return Case{}, false, nil
	}
	found, ok, err := b.read(ctx, id)
	if err != nil || !ok {
		return Case{}, false, err
	}
	return *found, true, nil
}

// Put stores the cases in one commit, or none of them.
func (b *Book) Put(ctx context.Context, cases ...Case) error {
	values := make(map[string][]byte, len(cases))
	ids := make([]string, 0, len(cases))
	for _, c := range cases {
		raw, err := Encode(c)
		if err != nil {
			return err
		}
		values[c.RecordID] = raw
		ids = append(ids, c.RecordID)
	}
	if err := b.shelf.PutAll(ctx, values); err != nil {
		b.Unsure(ids...)
		return err
	}
	b.Written(cases...)
	return nil
}

// Unsure tells the book that a write of these cases may or may not have reached the shelf:
// the next use reads them anew. Without IDs it reads all of the shelf anew.
func (b *Book) Unsure(recordIDs ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(recordIDs) == 0 {
		b.loaded = false
	}
	if !b.loaded {
		return
	}
	for _, recordID := range recordIDs {
		if id, ok := parseID(recordID); ok {
			b.doubtful[id] = true
		}
	}
}

// Unreadable is how many cases on the shelf could not be read so far; none before the first
// use.
func (b *Book) Unreadable() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unreadable
}

// Len is how many cases the book knows; none before the first use.
func (b *Book) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, page := range b.rows.pages {
		n += len(page)
	}
	return n
}

// Top gives the first limit of the cases whose rows rank places at 0 or above, the lowest
// rank first and newest first within it, and how many there are beside these. It reads no
// other case. rank may not call the book.
func (b *Book) Top(ctx context.Context, limit int, rank func(*Row) int) (cases []Case, more int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(ctx); err != nil {
		return nil, 0, err
	}
	t := top{limit: max(limit, 1)}
	b.rows.each(func(r *Row) {
		if n := rank(r); n >= 0 {
			t.add(placed{r.id, n})
		}
	})
	found := t.sorted()
	cases = make([]Case, 0, len(found)) // of its size at once: a case is large, and a list may be long
	for _, p := range found {
		c, ok, err := b.read(ctx, p.id)
		if err != nil {
			return nil, 0, err
		}
		if ok {
			cases = append(cases, *c)
		}
	}
	return cases, t.seen - len(found), nil
}

// placed is a case with its rank.
type placed struct {
	id   uuid.UUID
	rank int
}

// top keeps the first limit of what is added, without sorting all of it.
type top struct {
	limit int
	seen  int
	found []placed // at most twice the limit; the first limit are sorted once last is set
	last  *placed  // the worst of a full set: what does not come before it is passed over
}

func (t *top) add(p placed) {
	t.seen++
	if t.last != nil && before(p, *t.last) >= 0 {
		return
	}
	if t.found = append(t.found, p); len(t.found) >= 2*t.limit {
		t.found = t.sorted()
		worst := t.found[len(t.found)-1]
		t.last = &worst
	}
}

func (t *top) sorted() []placed {
	slices.SortFunc(t.found, before)
	return t.found[:min(len(t.found), t.limit)]
}

func before(x, y placed) int {
	return cmp.Or(cmp.Compare(x.rank, y.rank), bytes.Compare(y.id[:], x.id[:]))
}

// IDs gives the record IDs of the cases whose rows keep accepts, oldest ID first. It reads no
// case. keep may not call the book.
func (b *Book) IDs(ctx context.Context, keep func(*Row) bool) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	var ids []string
	b.rows.each(func(r *Row) {
		if keep(r) {
			ids = append(ids, r.RecordID())
		}
	})
	return ids, nil
}

// Trim removes closed cases whose visit day is before day, and says how many. One that was
// recorded or answered later, for a visit long past, stays as long as any other of that day;
// cases that wait for an answer or for a person stay, however old.
func (b *Book) Trim(ctx context.Context, day civil.Date) (int, error) {
	old, err := b.IDs(ctx, func(r *Row) bool { return r.Closed() && r.before(day) })
	if err != nil {
		return 0, err
	}
	for i, id := range old {
		if err := b.shelf.Delete(ctx, id); err != nil {
			b.Unsure(id)
			return i, err
		}
		b.forget(id)
	}
	return len(old), nil
}

func (b *Book) forget(recordID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id, ok := parseID(recordID); ok {
		b.rows.remove(id)
		delete(b.cache, id)
	}
}
