package queue

import (
	"context"
	"io"
	"time"

	"go.etcd.io/bbolt"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// exportPage is how many records Export reads at once.
const exportPage = 200

// manyExports is how many exports are remembered at most until they are marked.
const manyExports = 16

// Export writes all that waits and all dead letters to w, in wire's export format: first
// the records that wait, then the dead letters, each in their order. What it writes is not
// sealed: w is. It tells how many it wrote, and up to which position nothing is missing
// (for MarkExported, once the export is where it is safe). What is recorded while it runs
// may be in it or not.
func (q *Queue) Export(ctx context.Context, w io.Writer) (n int, through uint64, err error) {
	begun := q.now()
	through = begun.Last
	out, err := wire.NewExportWriter(w, wire.ExportHeader{
		Terminal: q.v.Terminal(), At: q.source.Now().UTC(), ServerEpoch: q.Confirmed().ServerEpoch,
	})
	if err != nil {
		return 0, 0, err
	}
	for _, what := range []Which{Waiting, Dead} {
		for after, done := uint64(0), false; !done; {
			page, err := q.exported(ctx, what, after)
			if err != nil {
				return n, 0, err
			}
			for _, f := range page {
				if err := out.Write(q.exportEntry(f)); err != nil {
					return n, 0, err
				}
				n, after = n+1, f.pos
			}
			done = len(page) < exportPage
		}
	}
	if err := out.Close(); err != nil {
		return n, 0, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.exports) >= manyExports {
		clear(q.exports)
	}
	q.exports[through] = begun.Returned
	return n, through, nil
}

// exported reads one page.
func (q *Queue) exported(ctx context.Context, what Which, after uint64) (page []found, err error) {
	err = q.view(ctx, func(tx *bbolt.Tx) error {
		page = nil
		add := func(f found) bool {
			page = append(page, f)
			return len(page) < exportPage
		}
		if what == Waiting {
			q.waitingFrom(tx, after+1, add)
		} else {
			q.settledFrom(tx, after+1, mark.dead, add)
		}
		return ctx.Err()
	})
	return page, err
}

func (q *Queue) exportEntry(f found) wire.ExportEntry {
	e := wire.ExportEntry{Record: f.Record}
	if f.mark.dead() {
		e.Status, e.Reason, e.DeadAt = f.mark.Status, f.mark.Code, time.UnixMilli(f.mark.At).UTC()
	}
	if f.mark.Damaged || f.err != nil {
		e.Record, e.Status, e.Reason = q.lost(f), "", wire.ReasonDamaged
	}
	if e.Validate() != nil {
		e.Reason = "" // a code that is none: the status tells enough
	}
	return e
}

// MarkExported notes that an export of this process holds all that was here up to a position.
// Stats says so until something newer is recorded, or waits again. Where something waited
// again since the export began, the export may lack it: fault.Conflict, export anew.
func (q *Queue) MarkExported(ctx context.Context, through uint64) error {
	return q.do(ctx, func(tx *bbolt.Tx, g *group) (error, error) {
		q.mu.Lock()
		returned, known := q.exports[through]
		q.mu.Unlock()
		if !known || returned != g.st.Returned {
			return fault.New(fault.Conflict, "records waited again since the export began: export anew"), nil
		}
		g.st.Exported, g.wrote = max(g.st.Exported, min(through, g.st.Last)), true
		return nil, nil
	})
}
