// Package award keeps runs, decisions, answers, lists and the ledger in the store: the SQL
// of backend/internal/award.
//
// A transaction over many citizens only inserts. What one award ended as, and which award
// a beneficiary's money belongs to, is decided by primary keys.
package award

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Rows implements award.Rows on both engines.
type Rows struct{}

var _ award.Rows = (*Rows)(nil)

// New makes the rows.
func New(*sqltx.Pool) *Rows { return &Rows{} }

// grant is the kind of entitlement that runs decide. Differences and recoveries will have
// kinds of their own.
const grant = "grant"

// part is how many keys one statement looks for.
const part = 100

func day(s string) (civil.Date, error) {
	if s == "" {
		return civil.Date{}, nil
	}
	return civil.Parse(s)
}

func toJSON(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("cannot store an award: %w", err)
	}
	return string(raw), nil
}

func args(ids []identity.CitizenID) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

// Claim implements award.Rows.
func (*Rows) Claim(ctx context.Context, t tx.Tx, program string, month benefit.Month, lines []award.Entitlement, at time.Time) error {
	rows := make([][]any, len(lines))
	for i, e := range lines {
		rows[i] = []any{e.Citizen, program, month.String(), grant, e.Award, e.Payee, e.Amount, sqltx.Micros(at)}
	}
	_, err := bulk.Insert(ctx, sqltx.Of(t), "entitlement",
		[]string{"citizen_id", "benefit", "month", "kind", "award_id", "payee_id", "amount", "at"}, rows)
	return err
}

// Owners implements award.Rows.
func (*Rows) Owners(ctx context.Context, t tx.Tx, program string, month benefit.Month, ids []identity.CitizenID) (map[identity.CitizenID]string, error) {
	out := map[identity.CitizenID]string{}
	for some := range slices.Chunk(args(ids), part) {
		err := sqltx.Of(t).Each(ctx, `SELECT citizen_id, award_id FROM entitlement
			WHERE benefit = $1 AND month = $2 AND kind = $3 AND citizen_id IN `+bulk.List(4, len(some)),
			append([]any{program, month.String(), grant}, some...), func(scan func(...any) error) error {
				var id identity.CitizenID
				var owner string
				err := scan(&id, &owner)
				out[id] = owner
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Ask implements award.Rows.
func (*Rows) Ask(ctx context.Context, t tx.Tx, program string, month benefit.Month, asked []award.Asked) error {
	rows := make([][]any, len(asked))
	for i, a := range asked {
		rows[i] = []any{a.Payee, program, month.String(), a.What, a.Award}
	}
	_, err := bulk.Insert(ctx, sqltx.Of(t), "award_asked", []string{"citizen_id", "benefit", "month", "asked", "award_id"}, rows)
	return err
}

// Asked implements award.Rows.
func (*Rows) Asked(ctx context.Context, t tx.Tx, program string, month benefit.Month, payees []identity.CitizenID) ([]award.Asked, error) {
	var out []award.Asked
	for some := range slices.Chunk(args(payees), part) {
		err := sqltx.Of(t).Each(ctx, `SELECT citizen_id, asked, award_id FROM award_asked
			WHERE benefit = $1 AND month = $2 AND citizen_id IN `+bulk.List(3, len(some)),
			append([]any{program, month.String()}, some...), func(scan func(...any) error) error {
				var a award.Asked
				err := scan(&a.Payee, &a.What, &a.Award)
				out = append(out, a)
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// AddAwards implements award.Rows.
func (*Rows) AddAwards(ctx context.Context, t tx.Tx, awards []award.Award) error {
	rows := make([][]any, len(awards))
	for i, a := range awards {
		decision, err := toJSON(a.Decision)
		if err != nil {
			return err
		}
		rows[i] = []any{a.Payee, a.ID, a.Run, a.Municipality, a.Household, a.Benefit, a.Month.String(), a.State, a.Amount,
			len(a.Lines), a.Deadline.String(), a.PayOn.String(), a.Notice, a.Withheld, sqltx.Micros(a.DecidedAt), decision}
	}
	_, err := bulk.Insert(ctx, sqltx.Of(t), "award", []string{"citizen_id", "award_id", "run_id", "municipality", "household_ref",
		"benefit", "month", "kind", "amount", "children", "deadline", "pay_on", "notice_id", "withheld", "decided_at", "decision"}, rows)
	return err
}

// AddTroubles implements award.Rows.
func (*Rows) AddTroubles(ctx context.Context, t tx.Tx, run string, troubles []award.Question) error {
	rows := make([][]any, len(troubles))
	for i, q := range troubles {
		rows[i] = []any{q.Citizen, run, q.Trouble, q.Household}
	}
	_, err := bulk.Insert(ctx, sqltx.Of(t), "award_trouble", []string{"citizen_id", "run_id", "trouble", "household_ref"}, rows)
	return err
}

// Supersede implements award.Rows.
func (*Rows) Supersede(ctx context.Context, t tx.Tx, r award.Run, payees []identity.CitizenID, by string, at time.Time) error {
	for some := range slices.Chunk(args(payees), part) {
		_, err := sqltx.Of(t).Exec(ctx, `
			INSERT INTO award_settlement (citizen_id, award_id, how, at, settled_by, received_on, channel, reason, list_id)
			SELECT citizen_id, award_id, CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS TEXT), '', '', '', '' FROM award
			 WHERE benefit = $4 AND month = $5 AND run_id <> $6 AND kind <> $7 AND citizen_id IN `+bulk.List(8, len(some))+`
			ON CONFLICT DO NOTHING`,
			append([]any{award.HowWithdrawn, sqltx.Micros(at), by, r.Benefit, r.Entitlement.String(), r.ID, award.Noticed}, some...)...)
		if err != nil {
			return err
		}
	}
	return nil
}
