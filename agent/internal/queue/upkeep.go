package queue

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
)

// When Maintain compacts: nothing waits, and the file is larger than CompactAbove bytes, of
// which less than one part in CompactShare is used.
const (
	CompactAbove = 8 << 20
	CompactShare = 4
)

// Maintained tells what Maintain did.
type Maintained struct {
	Removed   int              // accepted records whose time was over
	Keys      int              // day keys that were destroyed, and with them all that was left of their days
	Compacted vault.Compaction // the file's size before and after; zero where it was left as it is
}

// Maintain does what is due: Trim, then the vault's old day keys, then compaction of a
// drained file, and lets the file's pages go from memory. What fails keeps nothing else from
// being done. It is for a quiet time: while the file is copied, nothing else is stored.
func (q *Queue) Maintain(ctx context.Context) (m Maintained, err error) {
	m.Removed, err = q.Trim(ctx)
	keys, failed := q.v.Shred(ctx)
	m.Keys, err = keys, errors.Join(err, failed)
	m.Compacted, failed = q.compact(ctx)
	return m, errors.Join(err, failed, q.v.Forget())
}

// compact compacts a drained file, and notes when.
func (q *Queue) compact(ctx context.Context) (c vault.Compaction, err error) {
	file, used := q.v.Usage()
	if q.now().Waiting.N > 0 || file <= CompactAbove || used >= file/CompactShare {
		return c, nil
	}
	if c, err = q.v.Compact(ctx); err != nil {
		return c, err
	}
	return c, q.do(ctx, func(_ *bbolt.Tx, g *group) (error, error) {
		g.st.Compacted, g.wrote = g.now.UTC(), true
		return nil, nil
	})
}

// Trim removes accepted records that were kept for Limits.KeepAccepted and tells how many.
// Records that wait and dead letters stay, however old. It also counts which of those that
// wait are stale.
func (q *Queue) Trim(ctx context.Context) (removed int, err error) {
	if err := q.age(ctx); err != nil {
		return 0, err
	}
	for from, done := uint64(0), false; !done; {
		n, next, err := q.trimFrom(ctx, from)
		if err != nil {
			return removed, err
		}
		removed += n
		from, done = next, next == 0
	}
	return removed, nil
}

// trimFrom removes from one stretch of marks; next is where to go on, 0 at the end.
func (q *Queue) trimFrom(ctx context.Context, from uint64) (removed int, next uint64, err error) {
	over := func(lived int64) func(mark) bool {
		return func(m mark) bool { return lived-m.Lived >= q.limits.KeepAccepted.Milliseconds() }
	}
	n, any := 0, false
	err = q.view(ctx, func(tx *bbolt.Tx) error {
		old, after, err := q.kept(tx, from, over(q.group().st.Lived))
		any, next = len(old) > 0, after
		return err
	})
	if err != nil || !any {
		return 0, next, err
	}
	err = q.do(ctx, func(tx *bbolt.Tx, g *group) (error, error) {
		old, _, err := q.kept(tx, from, over(g.st.Lived))
		if err != nil {
			return nil, err
		}
		for _, pos := range old {
			if err := q.remove(tx, g, pos); err != nil {
				return nil, err
			}
		}
		if n = len(old); g.st.Waiting.N+g.st.Kept.N == 0 {
			g.st.NewestAt = time.Time{}
		}
		return nil, nil
	})
	if err != nil {
		return 0, next, err
	}
	return n, next, nil
}

// age counts which records are over the age limit now.
func (q *Queue) age(ctx context.Context) error {
	for more := true; more; {
		err := q.do(ctx, func(tx *bbolt.Tx, g *group) (error, error) {
			more = q.ageStretch(tx, g)
			return nil, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) ageStretch(tx *bbolt.Tx, g *group) (more bool) {
	limit := g.st.Lived - q.limits.MaxAge.Milliseconds()
	c := records(tx).Cursor()
	k, sealed := c.Seek(key(g.st.Aged + 1))
	for n := 0; k != nil; n++ {
		if n == stretch {
			return true
		}
		pos := position(k)
		r, err := q.open(pos, sealed)
		if err == nil && r.lived > limit {
			return false
		}
		if m, err := q.look(tx, pos); err == nil && m.waits() {
			g.st.Stale++
		}
		g.st.Aged, g.wrote = pos, true
		k, sealed = c.Next()
	}
	return false
}
