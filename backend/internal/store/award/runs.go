package award

import (
	"context"
	"encoding/json"
	"time"

	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

const runColumns = `run_id, municipality, client_id, fingerprint, benefit, month, entitlement, deadline, pay_on, state, paused,
	drafted_by, drafted_at, started_by, started_at, moved_at, reached, page, counted, result`

// InsertRun implements award.Rows.
func (*Rows) InsertRun(ctx context.Context, t tx.Tx, r award.Run) (bool, error) {
	rows, err := sqltx.Of(t).Exec(ctx, `INSERT INTO award_run (`+runColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, '', 0, $14, '', 0, '{}', '{}')
		ON CONFLICT (municipality, client_id) DO NOTHING`,
		r.ID, r.Municipality, r.ClientID, r.Fingerprint, r.Benefit, r.Month.String(), r.Entitlement.String(), r.Deadline.String(),
		r.PayOn.String(), r.State, false, r.DraftedBy, sqltx.Micros(r.DraftedAt), sqltx.Micros(r.DraftedAt))
	return rows == 1, err
}

func runs(ctx context.Context, t tx.Tx, rest string, args ...any) ([]award.Run, error) {
	var out []award.Run
	err := sqltx.Of(t).Each(ctx, `SELECT `+runColumns+` FROM award_run `+rest, args, func(scan func(...any) error) error {
		r, err := scanRun(scan)
		out = append(out, r)
		return err
	})
	return out, err
}

func scanRun(scan func(...any) error) (award.Run, error) {
	var r award.Run
	var month, entitlement, deadline, payOn, counted, result string
	var paused bool
	var drafted, started, moved int64
	err := scan(&r.ID, &r.Municipality, &r.ClientID, &r.Fingerprint, &r.Benefit, &month, &entitlement, &deadline, &payOn, &r.State, &paused,
		&r.DraftedBy, &drafted, &r.StartedBy, &started, &moved, &r.Cursor, &r.Page, &counted, &result)
	if err != nil {
		return r, err
	}
	r.DraftedAt, r.MovedAt = sqltx.Time(drafted), sqltx.Time(moved)
	if started > 0 {
		r.StartedAt = sqltx.Time(started)
	}
	if paused {
		r.State = award.Paused
	}
	if r.Month, err = benefit.ParseMonth(month); err != nil {
		return r, err
	}
	if r.Entitlement, err = benefit.ParseMonth(entitlement); err != nil {
		return r, err
	}
	if r.Deadline, err = civil.Parse(deadline); err != nil {
		return r, err
	}
	if r.PayOn, err = civil.Parse(payOn); err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(counted), &r.Counted); err != nil {
		return r, err
	}
	return r, json.Unmarshal([]byte(result), &r.Result)
}

func oneRun(found []award.Run, err error) (award.Run, bool, error) {
	if err != nil || len(found) == 0 {
		return award.Run{}, false, err
	}
	return found[0], true, nil
}

// RunByClient implements award.Rows.
func (*Rows) RunByClient(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, clientID string) (award.Run, bool, error) {
	return oneRun(runs(ctx, t, `WHERE municipality = $1 AND client_id = $2`, m, clientID))
}

// RunByID implements award.Rows.
func (*Rows) RunByID(ctx context.Context, t tx.Tx, id string) (award.Run, bool, error) {
	return oneRun(runs(ctx, t, `WHERE run_id = $1`, id))
}

// Runs implements award.Rows.
func (*Rows) Runs(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, limit int) ([]award.Run, error) {
	return runs(ctx, t, `WHERE municipality = $1 ORDER BY drafted_at DESC, run_id DESC LIMIT $2`, m, limit)
}

// Turn implements award.Rows.
func (*Rows) Turn(ctx context.Context, t tx.Tx, id string, from, to award.RunState, by string, at time.Time) (bool, error) {
	starts := to == award.Running
	rows, err := sqltx.Of(t).Exec(ctx, `
		UPDATE award_run SET state = $1, page = 0, reached = '', moved_at = $2,
		       started_by = CASE WHEN $3 THEN $4 ELSE started_by END, started_at = CASE WHEN $3 THEN $2 ELSE started_at END,
		       counted = CASE WHEN $3 THEN counted ELSE '{}' END
		 WHERE run_id = $5 AND state = $6 AND paused = $7`,
		to, sqltx.Micros(at), starts, by, id, from, false)
	return rows == 1, err
}

// SetPaused implements award.Rows.
func (*Rows) SetPaused(ctx context.Context, t tx.Tx, id string, paused bool, at time.Time) (bool, error) {
	rows, err := sqltx.Of(t).Exec(ctx, `UPDATE award_run SET paused = $1, moved_at = $2
		WHERE run_id = $3 AND paused = $4 AND state IN ($5, $6)`,
		paused, sqltx.Micros(at), id, !paused, award.Counting, award.Running)
	return rows == 1, err
}

// ClaimPage implements award.Rows.
func (*Rows) ClaimPage(ctx context.Context, t tx.Tx, id string, state award.RunState, page int, at time.Time) (bool, error) {
	rows, err := sqltx.Of(t).Exec(ctx, `UPDATE award_run SET page = page + 1, moved_at = $1
		WHERE run_id = $2 AND state = $3 AND page = $4 AND paused = $5`, sqltx.Micros(at), id, state, page, false)
	return rows == 1, err
}

// Advance implements award.Rows.
func (*Rows) Advance(ctx context.Context, t tx.Tx, r award.Run, next award.RunState) error {
	counted, err := toJSON(r.Counted)
	if err != nil {
		return err
	}
	result, err := toJSON(r.Result)
	if err != nil {
		return err
	}
	_, err = sqltx.Of(t).Exec(ctx, `UPDATE award_run SET reached = $1, state = $2, counted = $3, result = $4 WHERE run_id = $5`,
		r.Cursor, next, counted, result, r.ID)
	return err
}

// Stalled implements award.Rows.
func (*Rows) Stalled(ctx context.Context, t tx.Tx, since time.Time, limit int) ([]award.Run, error) {
	return runs(ctx, t, `WHERE state IN ($1, $2) AND moved_at < $3 AND paused = $4 ORDER BY moved_at LIMIT $5`,
		award.Counting, award.Running, sqltx.Micros(since), false, limit)
}

// Open implements award.Rows.
func (*Rows) Open(ctx context.Context, t tx.Tx, since time.Time, limit int) ([]award.Run, error) {
	return runs(ctx, t, `WHERE state IN ($1, $2) AND started_at >= $3 ORDER BY started_at DESC LIMIT $4`,
		award.Running, award.Done, sqltx.Micros(since), limit)
}
