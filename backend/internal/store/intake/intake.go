// Package intake keeps terminals' records and their answers in the store: the SQL of
// backend/internal/intake.
//
// Records are inserted in bulk and never changed but in their state. The rows that
// serialise a terminal (its mark, its last cursor) are taken first, one per terminal.
package intake

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/wire"
)

// Rows implements intake.Rows on both engines.
type Rows struct{ reads *sqltx.Pool }

var _ intake.Rows = (*Rows)(nil)

// New makes the rows over the read side of the store.
func New(reads *sqltx.Pool) *Rows { return &Rows{reads: reads} }

// Hold implements intake.Rows. The upsert takes the row, and gives it as it is then.
func (r *Rows) Hold(ctx context.Context, t tx.Tx, terminal, epoch string) (intake.Progress, error) {
	p := intake.Progress{Epoch: epoch}
	err := sqltx.Of(t).Each(ctx, `
		INSERT INTO intake_mark (terminal_id, epoch, high, head) VALUES ($1, $2, 0, '')
		ON CONFLICT (terminal_id, epoch) DO UPDATE SET high = intake_mark.high
		RETURNING high, head`, []any{terminal, epoch}, scanProgress(&p))
	return p, err
}

func scanProgress(p *intake.Progress) func(func(...any) error) error {
	return func(scan func(...any) error) error {
		var high int64
		var head string
		if err := scan(&high, &head); err != nil {
			return err
		}
		p.Known, p.High = high > 0, uint64(high)
		return parseHead(p, head)
	}
}

func parseHead(p *intake.Progress, head string) error {
	if head == "" {
		return nil
	}
	if err := p.Head.UnmarshalText([]byte(head)); err != nil {
		return fmt.Errorf("cannot read the head of a chain: %w", err)
	}
	return nil
}

// Raise implements intake.Rows.
func (r *Rows) Raise(ctx context.Context, t tx.Tx, terminal string, p intake.Progress) error {
	head := ""
	if !p.Head.IsZero() {
		head = p.Head.String()
	}
	_, err := sqltx.Of(t).Exec(ctx, `UPDATE intake_mark SET high = $1, head = $2 WHERE terminal_id = $3 AND epoch = $4`,
		p.High, head, terminal, p.Epoch)
	return err
}

// Progress implements intake.Rows.
func (r *Rows) Progress(ctx context.Context, terminal string, epochs []string) (map[string]intake.Progress, error) {
	found := make(map[string]intake.Progress, len(epochs))
	if len(epochs) == 0 {
		return found, nil
	}
	args := []any{terminal}
	for _, e := range epochs {
		args = append(args, e)
	}
	err := r.reads.Each(ctx, `
		SELECT epoch, high, head FROM intake_mark WHERE terminal_id = $1 AND epoch IN `+bulk.List(2, len(epochs)),
		args, func(scan func(...any) error) error {
			p := intake.Progress{Known: true}
			var high int64
			var head string
			if err := scan(&p.Epoch, &high, &head); err != nil {
				return err
			}
			p.High = uint64(high)
			err := parseHead(&p, head)
			found[p.Epoch] = p
			return err
		})
	return found, err
}

// Others implements intake.Rows.
func (r *Rows) Others(ctx context.Context, t tx.Tx, terminal, epoch string, idOf map[uint64]string) (map[uint64]bool, error) {
	found := map[uint64]bool{}
	args := []any{terminal, epoch}
	for seq := range idOf {
		args = append(args, seq)
	}
	err := sqltx.Of(t).Each(ctx, `
		SELECT seq, record_id FROM intake_record WHERE terminal_id = $1 AND epoch = $2 AND seq IN `+bulk.List(3, len(idOf)),
		args, func(scan func(...any) error) error {
			var seq int64
			var id string
			err := scan(&seq, &id)
			if id != idOf[uint64(seq)] {
				found[uint64(seq)] = true
			}
			return err
		})
	return found, err
}

// What all records of one insert share stands in five placeholders, the rest of each in eight.
const (
	sharedPlaces = 5
	recordPlaces = 8
	// insertChunk is how many records one statement takes. SQLite looks each placeholder up in
	// a list (see bulk.MaxPlaces), and each statement costs PostgreSQL a round trip: between
	// the two this is where neither hurts.
	insertChunk = 25
)

// insertTexts are the statements for 1 to insertChunk records.
var insertTexts = func() (all [insertChunk + 1]string) {
	for n := 1; n <= insertChunk; n++ {
		all[n] = insertText(n)
	}
	return all
}()

func insertText(rows int) string {
	var b strings.Builder
	b.WriteString(`
		INSERT INTO intake_record (terminal_id, batch_id, epoch, received_at, due_at, code,
		                           record_id, seq, kind, at, body, digest, state, about)
		VALUES `)
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("($1, $2, $3, $4, $5, ''")
		for j := range recordPlaces {
			b.WriteString(", $" + strconv.Itoa(sharedPlaces+i*recordPlaces+j+1))
		}
		b.WriteString(")")
	}
	b.WriteString(`
		ON CONFLICT (terminal_id, record_id) DO NOTHING`)
	return b.String()
}

// Insert implements intake.Rows. Rows go in by id, so that two batches with the same
// records never wait for each other crosswise.
func (r *Rows) Insert(ctx context.Context, t tx.Tx, records []intake.Stored) (map[string]bool, error) {
	inserted := make(map[string]bool, len(records))
	byID := slices.SortedFunc(slices.Values(records), func(a, b intake.Stored) int { return strings.Compare(a.ID, b.ID) })
	for len(byID) > 0 {
		n := 1
		for n < min(insertChunk, len(byID)) && alike(&byID[0], &byID[n]) {
			n++
		}
		if err := insert(ctx, sqltx.Of(t), byID[:n], inserted); err != nil {
			return nil, err
		}
		byID = byID[n:]
	}
	return inserted, nil
}

// alike tells whether two records share what one insert writes once.
func alike(a, b *intake.Stored) bool {
	return a.Terminal == b.Terminal && a.Batch == b.Batch && a.Epoch == b.Epoch && a.ReceivedAt.Equal(b.ReceivedAt) && a.DueAt.Equal(b.DueAt)
}

func insert(ctx context.Context, t *sqltx.Tx, some []intake.Stored, inserted map[string]bool) error {
	args := make([]any, 0, sharedPlaces+len(some)*recordPlaces)
	first := &some[0]
	args = append(args, first.Terminal, first.Batch, first.Epoch, sqltx.Micros(first.ReceivedAt), sqltx.Micros(first.DueAt))
	for i := range some {
		x := &some[i]
		args = append(args, x.ID, x.Sequence, string(x.Kind), sqltx.Micros(x.At), []byte(x.Body), x.Digest[:], string(x.State), x.About)
	}
	n, err := t.Exec(ctx, insertTexts[len(some)], args...)
	if err != nil {
		return err
	}
	if n == int64(len(some)) { // as nearly always
		for i := range some {
			inserted[some[i].ID] = true
		}
		return nil
	}
	return find(ctx, t, some, inserted)
}

// find tells which of these records came with their batch: the others were there before.
func find(ctx context.Context, t *sqltx.Tx, some []intake.Stored, inserted map[string]bool) error {
	args := []any{some[0].Terminal, some[0].Batch}
	for i := range some {
		args = append(args, some[i].ID)
	}
	return t.Each(ctx, `
		SELECT record_id FROM intake_record WHERE terminal_id = $1 AND batch_id = $2 AND record_id IN `+bulk.List(3, len(some)),
		args, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			inserted[id] = true
			return err
		})
}

// Forked implements intake.Rows, by the primary key.
func (r *Rows) Forked(ctx context.Context, terminal string, epochs []string, since time.Time) (forked bool, err error) {
	if len(epochs) == 0 {
		return false, nil
	}
	args := []any{terminal, string(intake.Fork), sqltx.Micros(since)}
	for _, e := range epochs {
		args = append(args, e)
	}
	err = r.reads.Each(ctx, `
		SELECT 1 FROM intake_event
		 WHERE terminal_id = $1 AND kind = $2 AND at >= $3 AND epoch IN `+bulk.List(4, len(epochs))+` LIMIT 1`,
		args, func(scan func(...any) error) error {
			one := 0
			err := scan(&one)
			forked = one == 1
			return err
		})
	return forked, err
}

// Digests implements intake.Rows.
func (r *Rows) Digests(ctx context.Context, t tx.Tx, terminal string, ids []string) (map[string][32]byte, error) {
	found := make(map[string][32]byte, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	args := []any{terminal}
	for _, id := range ids {
		args = append(args, id)
	}
	err := sqltx.Of(t).Each(ctx, `
		SELECT record_id, digest FROM intake_record WHERE terminal_id = $1 AND record_id IN `+bulk.List(2, len(ids)),
		args, func(scan func(...any) error) error {
			var id string
			var digest []byte
			if err := scan(&id, &digest); err != nil {
				return err
			}
			if len(digest) != 32 {
				return fmt.Errorf("cannot read the digest of record %s: it has %d bytes", id, len(digest))
			}
			found[id] = [32]byte(digest)
			return nil
		})
	return found, err
}

// Note implements intake.Rows.
func (r *Rows) Note(ctx context.Context, t tx.Tx, events []intake.Event) error {
	for _, e := range events {
		if _, err := sqltx.Of(t).Exec(ctx, `
			INSERT INTO intake_event (terminal_id, kind, epoch, seq, record_id, at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (terminal_id, kind, epoch, seq, record_id) DO NOTHING`,
			e.Terminal, string(e.Kind), e.Epoch, e.Sequence, e.RecordID, sqltx.Micros(e.At)); err != nil {
			return err
		}
	}
	return nil
}

// Answers implements intake.Rows.
func (r *Rows) Answers(ctx context.Context, terminal string, after uint64, limit int) ([]wire.Answer, error) {
	var found []wire.Answer
	err := r.reads.Each(ctx, `
		SELECT cursor, record_id, sealed, code FROM terminal_answer
		 WHERE terminal_id = $1 AND cursor > $2 ORDER BY cursor LIMIT $3`,
		[]any{terminal, after, limit}, func(scan func(...any) error) error {
			var a wire.Answer
			var cursor int64
			err := scan(&cursor, &a.RecordID, &a.Sealed, &a.Code)
			a.Cursor = uint64(cursor)
			found = append(found, a)
			return err
		})
	return found, err
}

// LastCursors implements intake.Rows.
func (r *Rows) LastCursors(ctx context.Context, terminals []string) (map[string]uint64, error) {
	found := make(map[string]uint64, len(terminals))
	if len(terminals) == 0 {
		return found, nil
	}
	args := make([]any, len(terminals))
	for i, t := range terminals {
		args[i] = t
	}
	err := r.reads.Each(ctx, `
		SELECT terminal_id, cursor FROM terminal_answer_last WHERE terminal_id IN `+bulk.List(1, len(args)),
		args, func(scan func(...any) error) error {
			var terminal string
			var cursor int64
			err := scan(&terminal, &cursor)
			found[terminal] = uint64(cursor)
			return err
		})
	return found, err
}

// OpenRecords implements intake.Rows.
func (r *Rows) OpenRecords(ctx context.Context, batch string, limit int) ([]intake.Stored, error) {
	var found []intake.Stored
	err := r.reads.Each(ctx, `
		SELECT terminal_id, record_id, epoch, seq, kind, at, body, received_at, about, due_at, asked FROM intake_record
		 WHERE batch_id = $1 AND state = 'open' ORDER BY terminal_id, epoch, seq LIMIT $2`,
		[]any{batch, limit}, func(scan func(...any) error) error {
			x := intake.Stored{Batch: batch, State: intake.Open}
			var seq, at, received, due int64
			var body []byte
			err := scan(&x.Terminal, &x.ID, &x.Epoch, &seq, &x.Kind, &at, &body, &received, &x.About, &due, &x.Asked)
			x.Sequence, x.At, x.ReceivedAt, x.Body = uint64(seq), sqltx.Time(at), sqltx.Time(received), body
			x.DueAt = sqltx.Time(due)
			found = append(found, x)
			return err
		})
	return found, err
}

// OpenBatches implements intake.Rows.
func (r *Rows) OpenBatches(ctx context.Context, before time.Time, limit int) ([]string, error) {
	var found []string
	err := r.reads.Each(ctx, `
		SELECT batch_id FROM intake_record
		 WHERE state = 'open' AND due_at < $1 GROUP BY batch_id ORDER BY MIN(due_at), batch_id LIMIT $2`,
		[]any{sqltx.Micros(before), limit}, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			found = append(found, id)
			return err
		})
	return found, err
}

// Close implements intake.Rows: each record by a conditional UPDATE, so that of two jobs
// one closes it.
func (r *Rows) Close(ctx context.Context, t tx.Tx, terminal string, closings []intake.Closing) (map[string]bool, error) {
	closed := make(map[string]bool, len(closings))
	for _, c := range slices.SortedFunc(slices.Values(closings), func(a, b intake.Closing) int { return strings.Compare(a.RecordID, b.RecordID) }) {
		n, err := sqltx.Of(t).Exec(ctx, `
			UPDATE intake_record SET state = $1, code = $2
			 WHERE terminal_id = $3 AND record_id = $4 AND state = 'open'`,
			string(c.State), string(c.Code), terminal, c.RecordID)
		if err != nil {
			return nil, err
		}
		closed[c.RecordID] = n == 1
	}
	return closed, nil
}

// Postpone implements intake.Rows.
func (r *Rows) Postpone(ctx context.Context, t tx.Tx, terminal string, all []intake.Postponement) error {
	for _, p := range slices.SortedFunc(slices.Values(all), func(a, b intake.Postponement) int { return strings.Compare(a.RecordID, b.RecordID) }) {
		if _, err := sqltx.Of(t).Exec(ctx, `
			UPDATE intake_record SET due_at = $1, asked = asked + 1
			 WHERE terminal_id = $2 AND record_id = $3 AND state = 'open'`,
			sqltx.Micros(p.Until), terminal, p.RecordID); err != nil {
			return err
		}
	}
	return nil
}

// Amend implements intake.Rows. Records are taken in order of their ids, as Close takes
// them, and those of one record in the order of its amendments.
func (r *Rows) Amend(ctx context.Context, t tx.Tx, terminal string, all []intake.Amendment) (map[string]bool, error) {
	done := make(map[string]bool, len(all))
	for _, a := range slices.SortedStableFunc(slices.Values(all), func(a, b intake.Amendment) int { return strings.Compare(a.Of, b.Of) }) {
		n, err := sqltx.Of(t).Exec(ctx, `
			UPDATE intake_record
			   SET voided_by = $1, amended_by = $2, state = CASE WHEN state = 'open' THEN 'withdrawn' ELSE state END
			 WHERE terminal_id = $3 AND record_id = $4 AND kind = $5 AND voided_by = ''`,
			a.RecordID, a.By, terminal, a.Of, string(wire.KindEligibilityCheck))
		if err != nil {
			return nil, err
		}
		done[a.RecordID] = n == 1
	}
	return done, nil
}

// Counts implements intake.Rows: from the two partial indexes of open and of voided records.
func (r *Rows) Counts(ctx context.Context, terminals []string, late, since time.Time) (map[string]intake.Checks, error) {
	found := map[string]intake.Checks{}
	if len(terminals) == 0 {
		return found, nil
	}
	args := []any{sqltx.Micros(late)}
	for _, t := range terminals {
		args = append(args, t)
	}
	err := r.reads.Each(ctx, `
		SELECT terminal_id, count(*), count(*) FILTER (WHERE received_at < $1) FROM intake_record
		 WHERE state = 'open' AND terminal_id IN `+bulk.List(2, len(terminals))+` GROUP BY terminal_id`,
		args, func(scan func(...any) error) error {
			var id string
			var c intake.Checks
			err := scan(&id, &c.Open, &c.Late)
			found[id] = c
			return err
		})
	if err != nil {
		return nil, err
	}
	args[0] = sqltx.Micros(since)
	err = r.reads.Each(ctx, `
		SELECT terminal_id, count(*) FROM intake_record
		 WHERE voided_by <> '' AND received_at >= $1 AND terminal_id IN `+bulk.List(2, len(terminals))+` GROUP BY terminal_id`,
		args, func(scan func(...any) error) error {
			var id string
			n := 0
			err := scan(&id, &n)
			c := found[id]
			c.Voided = n
			found[id] = c
			return err
		})
	return found, err
}

// CountEvents implements intake.Rows.
func (r *Rows) CountEvents(ctx context.Context, terminals []string, since time.Time) (map[string]map[intake.EventKind]int, error) {
	found := map[string]map[intake.EventKind]int{}
	if len(terminals) == 0 {
		return found, nil
	}
	args := []any{sqltx.Micros(since)}
	for _, t := range terminals {
		args = append(args, t)
	}
	err := r.reads.Each(ctx, `
		SELECT terminal_id, kind, count(*) FROM intake_event
		 WHERE at >= $1 AND terminal_id IN `+bulk.List(2, len(terminals))+` GROUP BY terminal_id, kind`,
		args, func(scan func(...any) error) error {
			var id string
			var kind intake.EventKind
			n := 0
			err := scan(&id, &kind, &n)
			if found[id] == nil {
				found[id] = map[intake.EventKind]int{}
			}
			found[id][kind] = n
			return err
		})
	return found, err
}

// AppendAnswers implements intake.Rows.
func (r *Rows) AppendAnswers(ctx context.Context, t tx.Tx, terminal string, answers []wire.Answer, at time.Time) error {
	if len(answers) == 0 {
		return nil
	}
	s := sqltx.Of(t)
	var last int64
	if err := s.Each(ctx, `
		INSERT INTO terminal_answer_last (terminal_id, cursor) VALUES ($1, $2)
		ON CONFLICT (terminal_id) DO UPDATE SET cursor = terminal_answer_last.cursor + excluded.cursor
		RETURNING cursor`, []any{terminal, len(answers)},
		func(scan func(...any) error) error { return scan(&last) }); err != nil {
		return err
	}
	for i, a := range answers {
		cursor := last - int64(len(answers)) + int64(i) + 1
		if _, err := s.Exec(ctx, `
			INSERT INTO terminal_answer (terminal_id, cursor, record_id, sealed, code, created_at)
			VALUES ($1, $2, $3, $4, $5, $6)`,
			terminal, cursor, a.RecordID, append([]byte{}, a.Sealed...), a.Code, sqltx.Micros(at)); err != nil {
			return err
		}
	}
	return nil
}
