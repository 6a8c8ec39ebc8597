package fence

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// paidAward is an award whose money left by a list that the copy does not know.
type paidAward struct {
	id, citizen, run, municipality string
	amount, children, attempts     int64
	ended, list                    string // how it ended, and the list that it ended by
	exported                       bool   // that list has left
	waits                          string // an open list that it stands on
}

// BookPaid implements fence.Rows.
func (*Rows) BookPaid(ctx context.Context, t tx.Tx, awards []string, newList func() (string, error), by string, now time.Time) error {
	x := sqltx.Of(t)
	byRun := map[string]*paidList{}
	for _, id := range awards {
		a, err := paid(ctx, x, id)
		if err != nil {
			return err
		}
		if a.exported {
			continue
		}
		l := byRun[a.run]
		if l == nil {
			l = &paidList{by: by, at: now}
			if l.id, err = newList(); err != nil {
				return err
			}
			byRun[a.run] = l
		}
		if err := l.take(ctx, x, a); err != nil {
			return err
		}
	}
	for run, l := range byRun {
		if err := l.store(ctx, x, run); err != nil {
			return err
		}
	}
	return nil
}

// paid reads an award and gives up the list that was gathering it.
func paid(ctx context.Context, x *sqltx.Tx, id string) (paidAward, error) {
	if _, err := x.Exec(ctx, `UPDATE payment_list SET state = $1 WHERE state = $2
		AND list_id IN (SELECT list_id FROM list_line WHERE award_id = $3)`, award.Returned, award.Gathering, id); err != nil {
		return paidAward{}, err
	}
	a := paidAward{id: id}
	err := x.Each(ctx, `
		SELECT a.citizen_id, a.run_id, a.municipality, a.amount, a.children, coalesce(s.how, ''), coalesce(s.list_id, ''),
		       EXISTS (SELECT 1 FROM payment_export e WHERE e.list_id = s.list_id),
		       (SELECT count(*) FROM list_line l WHERE l.citizen_id = a.citizen_id AND l.award_id = a.award_id),
		       coalesce((SELECT min(o.list_id) FROM list_line l JOIN payment_list o ON o.list_id = l.list_id
		                  WHERE l.citizen_id = a.citizen_id AND l.award_id = a.award_id AND o.state = 'waiting'), '')
		  FROM award a LEFT JOIN award_settlement s ON s.citizen_id = a.citizen_id AND s.award_id = a.award_id
		 WHERE a.award_id = $1 AND a.kind = 'noticed'`, []any{id}, func(scan func(...any) error) error {
		return scan(&a.citizen, &a.run, &a.municipality, &a.amount, &a.children, &a.ended, &a.list, &a.exported, &a.attempts, &a.waits)
	})
	switch {
	case err != nil || a.exported:
		return a, err
	case a.citizen == "":
		return a, fault.At(fault.NotFound, "paid", "%s is no award of the copy that can be paid", id)
	case a.waits != "":
		return a, fault.At(fault.Conflict, "paid", "%s stands on list %s: name that list", id, a.waits)
	case a.ended == string(award.HowApproved):
		return a, fault.At(fault.Conflict, "paid", "%s stands on list %s: name that list", id, a.list)
	case a.ended != "":
		return a, fault.At(fault.Conflict, "paid", "%s ended otherwise in the copy: a person decides, see the runbook", id)
	}
	return a, nil
}

// paidList is the list that stands for one that the copy does not know.
type paidList struct {
	id, by       string
	at           time.Time
	municipality string
	count, total int64
}

func (l *paidList) take(ctx context.Context, x *sqltx.Tx, a paidAward) error {
	l.municipality, l.count, l.total = a.municipality, l.count+1, l.total+a.amount
	_, err := x.Exec(ctx, `INSERT INTO list_line (citizen_id, award_id, attempt, list_id, amount, children) VALUES ($1, $2, $3, $4, $5, $6)`,
		a.citizen, a.id, a.attempts, l.id, a.amount, a.children)
	return err
}

func (l *paidList) store(ctx context.Context, x *sqltx.Tx, run string) error {
	at := sqltx.Micros(l.at)
	if _, err := x.Exec(ctx, `
		INSERT INTO payment_list (list_id, run_id, municipality, state, line_count, total, made_by, made_at, moved_at, reached, page)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', 1)`, l.id, run, l.municipality, award.Waiting, l.count, l.total, l.by, at, at); err != nil {
		return err
	}
	return bookSent(ctx, x, l.id, l.by, l.at)
}
