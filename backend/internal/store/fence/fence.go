// Package fence keeps restorations and what people said about them in the store: the SQL of
// backend/internal/fence. What it reads of other parts' tables it reads to count and to end
// things, in the transaction that restores or reconciles.
package fence

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/fence"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// Rows implements fence.Rows on both engines.
type Rows struct{ reads *sqltx.Pool }

var _ fence.Rows = (*Rows)(nil)

// New makes the rows over the read side of the store.
func New(reads *sqltx.Pool) *Rows { return &Rows{reads: reads} }

// State implements fence.Rows.
func (r *Rows) State(ctx context.Context) (s fence.State, err error) {
	err = r.reads.Each(ctx, `
		SELECT e.epoch, f.server_epoch, f.prior_epoch, f.how, f.copied_at, f.raised_at
		  FROM server_epoch e LEFT JOIN fence f ON f.lifted_at = 0
		 WHERE e.only_row = 1 ORDER BY f.raised_at`, nil, func(scan func(...any) error) error {
		var epoch, prior, how *string
		var copied, raised *int64
		if err := scan(&s.Epoch, &epoch, &prior, &how, &copied, &raised); err != nil {
			return err
		}
		if epoch == nil {
			return nil
		}
		s.Open = &fence.Raised{Epoch: *epoch, Prior: *prior, How: fence.How(*how), CopiedAt: at(*copied), At: at(*raised)}
		return nil
	})
	return s, err
}

func at(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return sqltx.Time(micros)
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return sqltx.Micros(t)
}

// Renew implements fence.Rows.
func (*Rows) Renew(ctx context.Context, t tx.Tx, epoch string, now time.Time) (prior string, err error) {
	x := sqltx.Of(t)
	if err := x.Each(ctx, `SELECT epoch FROM server_epoch WHERE only_row = 1`, nil,
		func(scan func(...any) error) error { return scan(&prior) }); err != nil {
		return "", err
	}
	_, err = x.Exec(ctx, `INSERT INTO server_epoch (only_row, epoch, created_at) VALUES (1, $1, $2)
		ON CONFLICT (only_row) DO UPDATE SET epoch = excluded.epoch, created_at = excluded.created_at`, epoch, sqltx.Micros(now))
	return prior, err
}

// Raise implements fence.Rows.
func (*Rows) Raise(ctx context.Context, t tx.Tx, r fence.Raised) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO fence (server_epoch, prior_epoch, how, copied_at, raised_at, lifted_at, lifted_by, pushes)
		VALUES ($1, $2, $3, $4, $5, 0, '', '')`, r.Epoch, r.Prior, r.How, micros(r.CopiedAt), sqltx.Micros(r.At))
	return err
}

// RaiseCursors implements fence.Rows.
func (*Rows) RaiseCursors(ctx context.Context, t tx.Tx, by uint64) error {
	x := sqltx.Of(t)
	if _, err := x.Exec(ctx, `INSERT INTO terminal_answer_last (terminal_id, cursor)
		SELECT terminal_id, 0 FROM terminal WHERE terminal_id NOT IN (SELECT terminal_id FROM terminal_answer_last)`); err != nil {
		return err
	}
	_, err := x.Exec(ctx, `UPDATE terminal_answer_last SET cursor = cursor + $1`, by)
	return err
}

// sessions are the tables of what ends at once, whosever it is.
var sessions = []string{"sign_in_flow", "citizen_session", "staff_session", "wallet_grant", "wallet_token", "wallet_pushed", "wallet_visit"}

// EndSessions implements fence.Rows.
func (*Rows) EndSessions(ctx context.Context, t tx.Tx, now time.Time) error {
	x := sqltx.Of(t)
	for _, table := range sessions {
		if _, err := x.Exec(ctx, `DELETE FROM `+table); err != nil {
			return err
		}
	}
	_, err := x.Exec(ctx, `UPDATE enrolment_code SET expires_at = $1 WHERE used_by = '' AND expires_at > $2`, sqltx.Micros(now), sqltx.Micros(now))
	return err
}

// Standing implements fence.Rows.
func (*Rows) Standing(ctx context.Context, t tx.Tx) (epoch string, err error) {
	err = sqltx.Of(t).Each(ctx, `SELECT server_epoch FROM fence WHERE lifted_at = 0 ORDER BY raised_at`, nil,
		func(scan func(...any) error) error { return scan(&epoch) })
	return epoch, err
}

// OpenLists implements fence.Rows.
func (*Rows) OpenLists(ctx context.Context, t tx.Tx, epoch string) ([]fence.List, error) {
	var out []fence.List
	err := sqltx.Of(t).Each(ctx, `
		SELECT l.list_id, l.municipality, l.state, l.line_count, l.total, coalesce(w.word, '')
		  FROM payment_list l LEFT JOIN fence_word w ON w.list_id = l.list_id AND w.server_epoch = $1
		 WHERE l.state IN ('gathering', 'waiting', 'approved')
		   AND NOT EXISTS (SELECT 1 FROM payment_export e WHERE e.list_id = l.list_id)
		 ORDER BY l.list_id`, []any{epoch}, func(scan func(...any) error) error {
		var l fence.List
		err := scan(&l.ID, &l.Municipality, &l.State, &l.Count, &l.Total, &l.Word)
		out = append(out, l)
		return err
	})
	return out, err
}

// Say implements fence.Rows.
func (*Rows) Say(ctx context.Context, t tx.Tx, epoch, list string, w fence.Word, by string, now time.Time) error {
	_, err := sqltx.Of(t).Exec(ctx, `INSERT INTO fence_word (server_epoch, list_id, word, said_by, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (server_epoch, list_id) DO UPDATE SET word = excluded.word, said_by = excluded.said_by, at = excluded.at`,
		epoch, list, w, by, sqltx.Micros(now))
	return err
}

// Said implements fence.Rows.
func (*Rows) Said(ctx context.Context, t tx.Tx, epoch, list string) (w fence.Word, err error) {
	err = sqltx.Of(t).Each(ctx, `SELECT word FROM fence_word WHERE server_epoch = $1 AND list_id = $2`, []any{epoch, list},
		func(scan func(...any) error) error { return scan(&w) })
	return w, err
}

// Lift implements fence.Rows.
func (*Rows) Lift(ctx context.Context, t tx.Tx, by string, pushes fence.PushWord, now time.Time) error {
	x := sqltx.Of(t)
	if pushes == fence.Dropped {
		if _, err := x.Exec(ctx, `INSERT INTO push_done (notice_id, at) SELECT notice_id, CAST($1 AS BIGINT) FROM push_swept
			WHERE true ON CONFLICT (notice_id) DO NOTHING`, sqltx.Micros(now)); err != nil {
			return err
		}
	}
	_, err := x.Exec(ctx, `UPDATE fence SET lifted_at = $1, lifted_by = $2, pushes = $3 WHERE lifted_at = 0`, sqltx.Micros(now), by, pushes)
	return err
}

// OweAgain implements fence.Rows.
func (*Rows) OweAgain(ctx context.Context, t tx.Tx) error {
	_, err := sqltx.Of(t).Exec(ctx, `DELETE FROM push_swept WHERE notice_id NOT IN (SELECT notice_id FROM push_done)`)
	return err
}

// The accounts of the ledger, as store/award writes them.
const (
	payable       = "payable"
	appropriation = "appropriation"
)

var errEnded = fault.New(fault.Conflict, "somebody on a list named sent ended otherwise in the copy: a person decides, see the runbook")

// BookSent implements fence.Rows.
func (*Rows) BookSent(ctx context.Context, t tx.Tx, list, by string, now time.Time) error {
	return bookSent(ctx, sqltx.Of(t), list, by, now)
}

func bookSent(ctx context.Context, x *sqltx.Tx, list, by string, now time.Time) error {
	var state award.ListState
	var count, total int64
	if err := x.Each(ctx, `SELECT state, line_count, total FROM payment_list WHERE list_id = $1`, []any{list},
		func(scan func(...any) error) error { return scan(&state, &count, &total) }); err != nil {
		return err
	}
	if state == award.Waiting {
		if err := approve(ctx, x, list, by, count, total, now); err != nil {
			return err
		}
	}
	_, err := x.Exec(ctx, `INSERT INTO payment_export (list_id, how, by_whom, at) VALUES ($1, 'reconciled', $2, $3)`, list, by, sqltx.Micros(now))
	return err
}

// approve books a list as its approval would have: it was approved, for it left. Its request
// is withdrawn, since nobody is to decide it any more.
func approve(ctx context.Context, x *sqltx.Tx, list, by string, count, total int64, now time.Time) error {
	settled, err := x.Exec(ctx, `
		INSERT INTO award_settlement (citizen_id, award_id, how, at, settled_by, received_on, channel, reason, list_id)
		SELECT citizen_id, award_id, CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS TEXT), '', '', '', list_id
		  FROM list_line WHERE list_id = $4 ORDER BY citizen_id, award_id
		ON CONFLICT DO NOTHING`, award.HowApproved, sqltx.Micros(now), by, list)
	if err != nil {
		return err
	}
	if settled != count {
		return x.Fail(errEnded)
	}
	for _, s := range []struct {
		query string
		args  []any
	}{
		{`INSERT INTO ledger (list_id, account, award_id, amount, at)
			SELECT list_id, CAST($1 AS TEXT), award_id, amount, CAST($2 AS BIGINT) FROM list_line WHERE list_id = $3`, []any{payable, sqltx.Micros(now), list}},
		{`INSERT INTO ledger (list_id, account, award_id, amount, at) VALUES ($1, $2, '', $3, $4)`, []any{list, appropriation, -total, sqltx.Micros(now)}},
		{`UPDATE payment_list SET state = $1, moved_at = $2 WHERE list_id = $3`, []any{award.Passed, sqltx.Micros(now), list}},
		{`INSERT INTO approval_decision (request_id, verdict, decided_by, reason, at)
			SELECT request_id, 'withdrawn', CAST($1 AS TEXT), 'restored', CAST($2 AS BIGINT) FROM approval_request WHERE kind = $3 AND object = $4
			ON CONFLICT DO NOTHING`, []any{by, sqltx.Micros(now), award.ListKind, list}},
	} {
		if _, err := x.Exec(ctx, s.query, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// Counts implements fence.Rows.
func (*Rows) Counts(ctx context.Context, t tx.Tx, since time.Time, s *fence.Status) error {
	x := sqltx.Of(t)
	var revoked int64
	for _, q := range []struct {
		query string
		args  []any
		dest  []any
	}{
		{`SELECT count(*) FROM (SELECT DISTINCT CASE WHEN n.posting = '' THEN n.notice_id ELSE n.posting END AS pushed FROM notice n) AS p
			WHERE NOT EXISTS (SELECT 1 FROM push_done d WHERE d.notice_id = p.pushed)
			  AND NOT EXISTS (SELECT 1 FROM push_swept w WHERE w.notice_id = p.pushed)`, nil, []any{&s.Pushes}},
		{`SELECT count(*), coalesce(max(revoked_at), 0) FROM certificate_revocation`, nil, []any{&s.Revoked, &revoked}},
		{`SELECT count(*), coalesce(sum(CASE WHEN last_contact_at >= $1 THEN 1 ELSE 0 END), 0) FROM terminal WHERE disabled_at = 0`,
			[]any{sqltx.Micros(since)}, []any{&s.Terminals.All, &s.Terminals.Heard}},
		{`SELECT count(*) FROM terminal t JOIN terminal_health h ON h.terminal_id = t.terminal_id
			WHERE t.disabled_at = 0 AND h.received_at >= $1 AND h.pending = 0`, []any{sqltx.Micros(since)}, []any{&s.Terminals.CaughtUp}},
	} {
		if err := x.Each(ctx, q.query, q.args, func(scan func(...any) error) error { return scan(q.dest...) }); err != nil {
			return err
		}
	}
	s.RevokedAt = at(revoked)
	return nil
}
