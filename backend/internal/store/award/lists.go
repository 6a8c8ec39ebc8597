package award

import (
	"context"
	"slices"
	"time"

	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
)

const listColumns = `o.list_id, o.run_id, o.municipality, o.state, o.line_count, o.total, o.made_by, o.made_at, o.reached, o.page`

// InsertList implements award.Rows.
func (*Rows) InsertList(ctx context.Context, t tx.Tx, l award.List) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO payment_list (list_id, run_id, municipality, state, line_count, total, made_by, made_at, moved_at, reached, page)
		VALUES ($1, $2, $3, $4, 0, 0, $5, $6, $7, '', 0)`,
		l.ID, l.Run, l.Municipality, l.State, l.MadeBy, sqltx.Micros(l.MadeAt), sqltx.Micros(l.MadeAt))
	return err
}

func lists(ctx context.Context, t tx.Tx, rest string, args ...any) ([]award.List, error) {
	var out []award.List
	err := sqltx.Of(t).Each(ctx, `SELECT `+listColumns+` FROM payment_list o `+rest, args, func(scan func(...any) error) error {
		var l award.List
		var made int64
		err := scan(&l.ID, &l.Run, &l.Municipality, &l.State, &l.Count, &l.Total, &l.MadeBy, &made, &l.Cursor, &l.Page)
		l.MadeAt = at(made)
		out = append(out, l)
		return err
	})
	return out, err
}

// ListByID implements award.Rows.
func (*Rows) ListByID(ctx context.Context, t tx.Tx, id string) (award.List, bool, error) {
	found, err := lists(ctx, t, `WHERE o.list_id = $1`, id)
	if err != nil || len(found) == 0 {
		return award.List{}, false, err
	}
	return found[0], true, nil
}

// Lists implements award.Rows.
func (*Rows) Lists(ctx context.Context, t tx.Tx, run string) ([]award.List, error) {
	return lists(ctx, t, `WHERE o.run_id = $1 AND o.state <> 'empty' ORDER BY o.made_at DESC, o.list_id DESC`, run)
}

// ClaimListPage implements award.Rows.
func (*Rows) ClaimListPage(ctx context.Context, t tx.Tx, id string, page int, now time.Time) (bool, error) {
	rows, err := sqltx.Of(t).Exec(ctx, `UPDATE payment_list SET page = page + 1, moved_at = $1
		WHERE list_id = $2 AND state = $3 AND page = $4`, sqltx.Micros(now), id, award.Gathering, page)
	return rows == 1, err
}

// AdvanceList implements award.Rows.
func (*Rows) AdvanceList(ctx context.Context, t tx.Tx, l award.List) error {
	_, err := sqltx.Of(t).Exec(ctx, `UPDATE payment_list SET reached = $1, state = $2, line_count = $3, total = $4 WHERE list_id = $5`,
		l.Cursor, l.State, l.Count, l.Total, l.ID)
	return err
}

// TurnList implements award.Rows.
func (*Rows) TurnList(ctx context.Context, t tx.Tx, id string, from, to award.ListState, now time.Time) (bool, error) {
	rows, err := sqltx.Of(t).Exec(ctx, `UPDATE payment_list SET state = $1, moved_at = $2 WHERE list_id = $3 AND state = $4`,
		to, sqltx.Micros(now), id, from)
	return rows == 1, err
}

// Free implements award.Rows. It asks for keys that are absent and rows that do not exist:
// PostgreSQL guesses that an expression leaves nearly nothing, and reads all the run for one
// page.
func (*Rows) Free(ctx context.Context, t tx.Tx, run string, today civil.Date, after string, limit int) ([]award.Award, error) {
	return awards(ctx, t, today, `WHERE a.run_id = $2 AND a.award_id > $3 AND a.kind = 'noticed' AND s.award_id IS NULL AND NOT EXISTS (SELECT 1 `+heldBy+`)
		ORDER BY a.award_id LIMIT $4`, run, after, limit)
}

// AddLines implements award.Rows. The attempt counts the lists that held the award and were
// returned: a list that holds it now has the same number, so a second one finds the key
// taken, whenever it looked.
func (*Rows) AddLines(ctx context.Context, t tx.Tx, list string, add []award.Award) ([]award.Award, error) {
	held := map[string]int{}
	err := each(ctx, t, add, func(a award.Award) any { return a.Payee }, `SELECT l.award_id, count(*) FROM list_line l
		JOIN payment_list o ON o.list_id = l.list_id WHERE o.state = 'returned' AND l.citizen_id IN `, ` GROUP BY l.award_id`, nil, func(scan func(...any) error) error {
		var id string
		var n int
		err := scan(&id, &n)
		held[id] = n
		return err
	})
	if err != nil {
		return nil, err
	}
	rows := make([][]any, len(add))
	for i, a := range add {
		rows[i] = []any{a.Payee, a.ID, held[a.ID], list, a.Amount, len(a.Lines)}
	}
	if _, err := bulk.Insert(ctx, sqltx.Of(t), "list_line", []string{"citizen_id", "award_id", "attempt", "list_id", "amount", "children"}, rows); err != nil {
		return nil, err
	}
	mine := map[string]bool{}
	err = each(ctx, t, add, func(a award.Award) any { return a.ID }, `SELECT award_id FROM list_line WHERE list_id = $1 AND award_id IN `,
		``, []any{list}, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			mine[id] = true
			return err
		})
	return slices.DeleteFunc(slices.Clone(add), func(a award.Award) bool { return !mine[a.ID] }), err
}

// each runs a query over awards, some at a time: the key of each comes after first.
func each(ctx context.Context, t tx.Tx, all []award.Award, key func(award.Award) any, before, after string, first []any, scan func(func(...any) error) error) error {
	for some := range slices.Chunk(all, part) {
		args := slices.Clone(first)
		for _, a := range some {
			args = append(args, key(a))
		}
		if err := sqltx.Of(t).Each(ctx, before+bulk.List(len(first)+1, len(some))+after, args, scan); err != nil {
			return err
		}
	}
	return nil
}

// Lines implements award.Rows.
func (*Rows) Lines(ctx context.Context, t tx.Tx, list, after string, limit int) ([]award.ListLine, error) {
	var out []award.ListLine
	err := sqltx.Of(t).Each(ctx, `
		SELECT l.citizen_id, l.award_id, l.amount, l.children, a.withheld
		  FROM list_line l JOIN award a ON a.citizen_id = l.citizen_id AND a.award_id = l.award_id
		 WHERE l.list_id = $1 AND l.award_id > $2 ORDER BY l.award_id LIMIT $3`, []any{list, after, limit}, func(scan func(...any) error) error {
		var l award.ListLine
		err := scan(&l.Payee, &l.Award, &l.Amount, &l.Children, &l.Withheld)
		out = append(out, l)
		return err
	})
	return out, err
}

// SettleList implements award.Rows.
func (*Rows) SettleList(ctx context.Context, t tx.Tx, l award.List, by string, now time.Time) (int, error) {
	rows, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO award_settlement (citizen_id, award_id, how, at, settled_by, received_on, channel, reason, list_id)
		SELECT l.citizen_id, l.award_id, CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS TEXT), '', '', '', l.list_id
		  FROM list_line l JOIN award_proof p ON p.citizen_id = l.citizen_id AND p.award_id = l.award_id
		 WHERE l.list_id = $4 AND p.answer_by < $5 ORDER BY l.citizen_id, l.award_id
		ON CONFLICT DO NOTHING`, award.HowApproved, sqltx.Micros(now), by, l.ID, civil.In(now).String())
	return int(rows), err
}

// The accounts of the ledger.
const (
	payable       = "payable"
	appropriation = "appropriation"
)

// Book implements award.Rows.
func (*Rows) Book(ctx context.Context, t tx.Tx, l award.List, now time.Time) error {
	x := sqltx.Of(t)
	if _, err := x.Exec(ctx, `INSERT INTO ledger (list_id, account, award_id, amount, at)
		SELECT list_id, CAST($1 AS TEXT), award_id, amount, CAST($2 AS BIGINT) FROM list_line WHERE list_id = $3`,
		payable, sqltx.Micros(now), l.ID); err != nil {
		return err
	}
	_, err := x.Exec(ctx, `INSERT INTO ledger (list_id, account, award_id, amount, at) VALUES ($1, $2, '', $3, $4)`,
		l.ID, appropriation, -l.Total, sqltx.Micros(now))
	return err
}

// Summed implements award.Rows.
func (*Rows) Summed(ctx context.Context, t tx.Tx, list string) (lines int, total, awarded int64, err error) {
	err = sqltx.Of(t).Each(ctx, `SELECT count(*), CAST(coalesce(sum(l.amount), 0) AS BIGINT), CAST(coalesce(sum(a.amount), 0) AS BIGINT)
		FROM list_line l JOIN award a ON a.citizen_id = l.citizen_id AND a.award_id = l.award_id WHERE l.list_id = $1`, []any{list},
		func(scan func(...any) error) error { return scan(&lines, &total, &awarded) })
	return lines, total, awarded, err
}

// Booked implements award.Rows.
func (*Rows) Booked(ctx context.Context, t tx.Tx, list string) (sum, due int64, entries int, err error) {
	err = sqltx.Of(t).Each(ctx, `SELECT CAST(coalesce(sum(amount), 0) AS BIGINT),
		CAST(coalesce(sum(CASE WHEN account = $1 THEN amount ELSE 0 END), 0) AS BIGINT),
		coalesce(sum(CASE WHEN account = $1 THEN 1 ELSE 0 END), 0) FROM ledger WHERE list_id = $2`, []any{payable, list},
		func(scan func(...any) error) error { return scan(&sum, &due, &entries) })
	return sum, due, entries, err
}

// StalledLists implements award.Rows.
func (*Rows) StalledLists(ctx context.Context, t tx.Tx, since time.Time, limit int) ([]award.List, error) {
	return lists(ctx, t, `WHERE o.state = $1 AND o.moved_at < $2 ORDER BY o.moved_at LIMIT $3`, award.Gathering, sqltx.Micros(since), limit)
}
