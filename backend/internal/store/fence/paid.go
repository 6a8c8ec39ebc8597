package fence

import (
	"context"
	"fmt"
	"time"

	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/fence"
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
func (*Rows) BookPaid(ctx context.Context, t tx.Tx, epoch string, awards []string, newList func() (string, error), by string, now time.Time) error {
	x := sqltx.Of(t)
	byRun := map[string]*paidList{}
	for _, id := range awards {
		a, err := paid(ctx, x, epoch, id, by, now)
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

// giveUp returns the lists on which the award stood in the copy although another paid it:
// one that was still being gathered, and one that waited and was named not sent. Nobody is to
// decide them any more.
func giveUp(ctx context.Context, x *sqltx.Tx, epoch, id, by string, now time.Time) error {
	if _, err := x.Exec(ctx, `
		INSERT INTO approval_decision (request_id, verdict, decided_by, reason, at)
		SELECT request_id, 'withdrawn', CAST($1 AS TEXT), 'restored', CAST($2 AS BIGINT) FROM approval_request WHERE kind = $3
		   AND object IN (SELECT o.list_id FROM payment_list o JOIN list_line l ON l.list_id = o.list_id
		                    JOIN fence_word w ON w.list_id = o.list_id AND w.server_epoch = $4 AND w.word = 'not_sent'
		                   WHERE o.state = 'waiting' AND l.award_id = $5)
		ON CONFLICT DO NOTHING`, by, sqltx.Micros(now), award.ListKind, epoch, id); err != nil {
		return err
	}
	_, err := x.Exec(ctx, `UPDATE payment_list SET state = $1, moved_at = $2
		WHERE list_id IN (SELECT list_id FROM list_line WHERE award_id = $3)
		  AND (state = 'gathering' OR state = 'waiting' AND list_id IN (SELECT list_id FROM fence_word WHERE server_epoch = $4 AND word = 'not_sent'))`,
		award.Returned, sqltx.Micros(now), id, epoch)
	return err
}

// paid reads an award, off every list that is given up.
func paid(ctx context.Context, x *sqltx.Tx, epoch, id, by string, now time.Time) (paidAward, error) {
	if err := giveUp(ctx, x, epoch, id, by, now); err != nil {
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
		return a, fault.At(fault.Conflict, "paid", "%s stands on list %s: say of that list whether it was sent", id, a.waits)
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

// TakePaid implements fence.Rows.
func (*Rows) TakePaid(ctx context.Context, t tx.Tx, all []fence.Entitlement, newAward func() (string, error), now time.Time) (n int, err error) {
	x := sqltx.Of(t)
	for i, e := range all {
		id, err := newAward()
		if err != nil {
			return n, err
		}
		took, err := takePaid(ctx, x, e, id, now)
		if err != nil {
			return n, fmt.Errorf("entitlement %d of this part: %w", i+1, err)
		}
		n += took
	}
	return n, nil
}

var errNobody = fault.New(fault.NotFound, "the register has nobody of that reference: repeat the imports first")

// takePaid takes one entitlement. Where an award of the copy has it, that award is what was
// paid, and is named instead.
func takePaid(ctx context.Context, x *sqltx.Tx, e fence.Entitlement, id string, now time.Time) (int, error) {
	var citizen, owner, payee string
	var left bool
	if err := x.Each(ctx, `SELECT citizen_id FROM resident_ref WHERE municipality = $1 AND ref = $2`, []any{e.Municipality, e.Resident},
		func(scan func(...any) error) error { return scan(&citizen) }); err != nil {
		return 0, err
	}
	if citizen == "" {
		return 0, x.Fail(errNobody)
	}
	took, err := x.Exec(ctx, `INSERT INTO entitlement (citizen_id, benefit, month, kind, award_id, payee_id, amount, at)
		VALUES ($1, $2, $3, 'grant', $4, '', 0, $5) ON CONFLICT DO NOTHING`, citizen, e.Benefit, e.Month.String(), id, sqltx.Micros(now))
	if err != nil || took == 1 {
		return int(took), err
	}
	if err := x.Each(ctx, `SELECT n.award_id, n.payee_id, EXISTS (SELECT 1 FROM award_settlement s JOIN payment_export p ON p.list_id = s.list_id WHERE s.award_id = n.award_id)
		FROM entitlement n WHERE n.citizen_id = $1 AND n.benefit = $2 AND n.month = $3 AND n.kind = 'grant'`, []any{citizen, e.Benefit, e.Month.String()},
		func(scan func(...any) error) error { return scan(&owner, &payee, &left) }); err != nil {
		return 0, err
	}
	if payee == "" || left {
		return 0, nil
	}
	return 0, x.Fail(fault.New(fault.Conflict, "award "+owner+" of the copy has it: name that award instead"))
}
