package childsupport

import (
	"context"
	"slices"
	"time"

	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// conditions of the cases that a batch erases; $3 is the cutoff.
var ends = map[childsupport.Why]string{
	childsupport.PastRetention: `state = '` + string(childsupport.Closed) + `' AND erase_on <> '' AND erase_on <= $3`,
	childsupport.Lapsed:        `state = '` + string(childsupport.Flagged) + `' AND lapses_on <= $3`,
}

// EraseCases implements childsupport.Rows.
func (*Rows) EraseCases(ctx context.Context, t tx.Tx, b childsupport.Batch, limit int) ([]childsupport.Stored, error) {
	where := ` municipality = $1 AND indicator = $2 AND ` + ends[b.Why]
	args := []any{b.Municipality, b.Item, b.Cutoff.String()}
	found, err := read(ctx, t, `SELECT `+caseColumns+` FROM child_case WHERE`+where+` ORDER BY citizen_id, case_id LIMIT $4`, append(slices.Clone(args), limit)...)
	if err != nil {
		return nil, err
	}
	var gone []childsupport.Stored
	for _, c := range found {
		n, err := sqltx.Of(t).Exec(ctx, `DELETE FROM child_case WHERE`+where+` AND citizen_id = $4 AND case_id = $5`,
			append(slices.Clone(args), c.Child, c.ID)...)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue // somebody moved it on
		}
		if _, err := sqltx.Of(t).Exec(ctx, `DELETE FROM child_act WHERE citizen_id = $1 AND case_id = $2`, c.Child, c.ID); err != nil {
			return nil, err
		}
		gone = append(gone, c)
	}
	return gone, nil
}

// AddErasure implements childsupport.Rows.
func (*Rows) AddErasure(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string, e childsupport.Erasure) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO child_erasure (erasure_id, municipality, source, item, why, erased, cutoff, digest, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		id, m, e.Source, e.Item, e.Why, e.Count, e.Cutoff.String(), e.Digest, sqltx.Micros(e.At))
	return err
}

// Erasures implements childsupport.Rows.
func (*Rows) Erasures(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, limit int) ([]childsupport.Erasure, error) {
	var out []childsupport.Erasure
	err := sqltx.Of(t).Each(ctx, `SELECT source, item, why, erased, cutoff, digest, at FROM child_erasure
		WHERE municipality = $1 ORDER BY at DESC, erasure_id DESC LIMIT $2`, []any{m, limit}, func(scan func(...any) error) error {
		var e childsupport.Erasure
		var cutoff string
		var at int64
		if err := scan(&e.Source, &e.Item, &e.Why, &e.Count, &cutoff, &e.Digest, &at); err != nil {
			return err
		}
		e.At = sqltx.Time(at)
		err := days(map[*civil.Date]string{&e.Cutoff: cutoff})
		out = append(out, e)
		return err
	})
	return out, err
}

// Tally implements childsupport.Rows.
func (*Rows) Tally(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string, at time.Time, e childsupport.Evaluation) error {
	columns := []string{"tally_id", "municipality", "indicator", "flagged", "reviewed", "contacted", "accepted", "declined", "wrong", "at"}
	_, err := bulk.Insert(ctx, sqltx.Of(t), "child_tally", columns,
		[][]any{{id, m, e.Indicator, e.Flagged, e.Reviewed, e.Contacted, e.Accepted, e.Declined, e.Wrong, sqltx.Micros(at)}})
	return err
}

// Evaluate implements childsupport.Rows.
func (*Rows) Evaluate(ctx context.Context, t tx.Tx, m identity.MunicipalityCode) ([]childsupport.Evaluation, error) {
	var out []childsupport.Evaluation
	err := sqltx.Of(t).Each(ctx, `
		SELECT indicator, count(*),
		       coalesce(sum(CASE WHEN state <> 'flagged' THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN offered_at >= 0 THEN 1 ELSE 0 END), 0),
		       coalesce(sum(CASE WHEN answer = 'accepted' THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN answer = 'declined' THEN 1 ELSE 0 END), 0),
		       coalesce(sum(CASE WHEN outcome = 'not_as_said' THEN 1 ELSE 0 END), 0)
		  FROM child_case WHERE municipality = $1 GROUP BY indicator
		UNION ALL
		SELECT indicator, CAST(sum(flagged) AS BIGINT), CAST(sum(reviewed) AS BIGINT), CAST(sum(contacted) AS BIGINT),
		       CAST(sum(accepted) AS BIGINT), CAST(sum(declined) AS BIGINT), CAST(sum(wrong) AS BIGINT)
		  FROM child_tally WHERE municipality = $1 GROUP BY indicator`, []any{m}, func(scan func(...any) error) error {
		var e childsupport.Evaluation
		err := scan(&e.Indicator, &e.Flagged, &e.Reviewed, &e.Contacted, &e.Accepted, &e.Declined, &e.Wrong)
		out = append(out, e)
		return err
	})
	return out, err
}
