package award

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// onList gives the list that an award stands on, nothing for none: lists that were returned, and
// those that found nobody, hold nothing.
const onList = `coalesce((SELECT max(l.list_id) ` + heldBy + `), '')`

// heldBy finds an award's line on a list that holds it: there is one at most.
const heldBy = `FROM list_line l JOIN payment_list o ON o.list_id = l.list_id
	WHERE l.citizen_id = a.citizen_id AND l.award_id = a.award_id AND o.state NOT IN ('returned', 'empty')`

// stateOf gives an award's state on the day that is the first argument.
const stateOf = stateWhen + onList + ` <> ''` + stateThen

const (
	stateWhen = `CASE WHEN s.how IS NOT NULL THEN s.how WHEN a.kind <> 'noticed' THEN a.kind WHEN `
	stateThen = ` THEN 'listed' WHEN p.answer_by IS NULL THEN 'noticed' WHEN p.answer_by < $1 THEN 'silent' ELSE 'proven' END`
)

const fromAwards = ` FROM award a
	LEFT JOIN award_proof p ON p.citizen_id = a.citizen_id AND p.award_id = a.award_id
	LEFT JOIN award_settlement s ON s.citizen_id = a.citizen_id AND s.award_id = a.award_id`

const awardColumns = `a.citizen_id, a.award_id, a.run_id, a.municipality, a.household_ref, a.benefit, a.month, a.amount,
	a.deadline, a.pay_on, a.notice_id, a.withheld, a.decided_at, a.decision,
	coalesce(p.at, 0), coalesce(p.channel, ''), coalesce(p.answer_by, ''),
	coalesce(s.how, ''), coalesce(s.at, 0), coalesce(s.settled_by, ''), coalesce(s.received_on, ''), coalesce(s.channel, ''),
	coalesce(s.reason, ''), coalesce(s.list_id, ''), ` + onList + `, ` + stateOf

func scanAward(scan func(...any) error) (award.Award, error) {
	var a award.Award
	var month, deadline, payOn, decision, answerBy, received string
	var decided, proven, settled int64
	s := &a.Settled
	err := scan(&a.Payee, &a.ID, &a.Run, &a.Municipality, &a.Household, &a.Benefit, &month, &a.Amount, &deadline, &payOn,
		&a.Notice, &a.Withheld, &decided, &decision, &proven, &a.Proof.Channel, &answerBy,
		&s.How, &settled, &s.By, &received, &s.Channel, &s.Reason, &s.List, &a.List, &a.State)
	if err != nil {
		return a, err
	}
	a.DecidedAt = sqltx.Time(decided)
	if answerBy != "" {
		a.Proof.At = sqltx.Time(proven)
	}
	if s.How != "" {
		s.At = sqltx.Time(settled)
	}
	if a.Month, err = benefit.ParseMonth(month); err != nil {
		return a, err
	}
	for _, d := range []struct {
		to   *civil.Date
		text string
	}{{&a.Deadline, deadline}, {&a.PayOn, payOn}, {&a.AnswerBy, answerBy}, {&s.ReceivedOn, received}} {
		if *d.to, err = day(d.text); err != nil {
			return a, err
		}
	}
	return a, json.Unmarshal([]byte(decision), &a.Decision)
}

// awards reads awards as they stand on the day; rest's arguments begin at $2.
func awards(ctx context.Context, t tx.Tx, today civil.Date, rest string, args ...any) ([]award.Award, error) {
	var out []award.Award
	err := sqltx.Of(t).Each(ctx, `SELECT `+awardColumns+fromAwards+` `+rest, append([]any{today.String()}, args...),
		func(scan func(...any) error) error {
			a, err := scanAward(scan)
			out = append(out, a)
			return err
		})
	return out, err
}

// ByID implements award.Rows.
func (*Rows) ByID(ctx context.Context, t tx.Tx, id string, today civil.Date) (award.Award, bool, error) {
	found, err := awards(ctx, t, today, `WHERE a.award_id = $2`, id)
	if err != nil || len(found) == 0 {
		return award.Award{}, false, err
	}
	return found[0], true, nil
}

// ByIDs implements award.Rows.
func (*Rows) ByIDs(ctx context.Context, t tx.Tx, ids []string, today civil.Date) ([]award.Award, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	keys := make([]any, len(ids))
	for i, id := range ids {
		keys[i] = id
	}
	return awards(ctx, t, today, `WHERE a.award_id IN `+bulk.List(2, len(keys)), keys...)
}

// OfRun implements award.Rows.
func (*Rows) OfRun(ctx context.Context, t tx.Tx, run string, state award.State, today civil.Date, after string, limit int) ([]award.Award, error) {
	return awards(ctx, t, today, `WHERE a.run_id = $2 AND a.award_id > $3 AND ($4 OR `+stateOf+` = $5)
		ORDER BY a.award_id LIMIT $6`, run, after, state == "", state, limit)
}

// OfPayee implements award.Rows.
func (*Rows) OfPayee(ctx context.Context, t tx.Tx, id identity.CitizenID, today civil.Date, limit int) ([]award.Award, error) {
	return awards(ctx, t, today, `WHERE a.citizen_id = $2 ORDER BY a.decided_at DESC, a.award_id DESC LIMIT $3`, id, limit)
}

// Tallies implements award.Rows. It reads the run's lines at once, where a page of awards
// looks for its own.
func (*Rows) Tallies(ctx context.Context, t tx.Tx, run string, today civil.Date) (map[award.State]award.Tally, error) {
	out := map[award.State]award.Tally{}
	err := sqltx.Of(t).Each(ctx, `SELECT state, count(*), CAST(sum(amount) AS BIGINT) FROM (SELECT `+stateWhen+`h.award_id IS NOT NULL`+stateThen+` AS state, a.amount`+fromAwards+`
		LEFT JOIN (SELECT l.citizen_id, l.award_id FROM list_line l JOIN payment_list o ON o.list_id = l.list_id
			WHERE o.run_id = $2 AND o.state NOT IN ('returned', 'empty')) AS h ON h.citizen_id = a.citizen_id AND h.award_id = a.award_id
		WHERE a.run_id = $2) AS each_award GROUP BY state`, []any{today.String(), run}, func(scan func(...any) error) error {
		var s award.State
		var tally award.Tally
		err := scan(&s, &tally.Awards, &tally.Yen)
		out[s] = tally
		return err
	})
	return out, err
}

// Troubles implements award.Rows.
func (*Rows) Troubles(ctx context.Context, t tx.Tx, run string) (map[award.Trouble]int, error) {
	out := map[award.Trouble]int{}
	err := sqltx.Of(t).Each(ctx, `SELECT trouble, count(*) FROM award_trouble WHERE run_id = $1 GROUP BY trouble`, []any{run},
		func(scan func(...any) error) error {
			var why award.Trouble
			var n int
			err := scan(&why, &n)
			out[why] = n
			return err
		})
	return out, err
}

// Questions implements award.Rows.
func (*Rows) Questions(ctx context.Context, t tx.Tx, run string, after award.Question, limit int) ([]award.Question, error) {
	var out []award.Question
	err := sqltx.Of(t).Each(ctx, `SELECT citizen_id, trouble, household_ref FROM award_trouble
		WHERE run_id = $1 AND (citizen_id > $2 OR (citizen_id = $2 AND trouble > $3))
		ORDER BY citizen_id, trouble LIMIT $4`, []any{run, after.Citizen, after.Trouble, limit}, func(scan func(...any) error) error {
		var q award.Question
		err := scan(&q.Citizen, &q.Trouble, &q.Household)
		out = append(out, q)
		return err
	})
	return out, err
}

// Unproven implements award.Rows.
func (*Rows) Unproven(ctx context.Context, t tx.Tx, run string, after string, limit int) ([]award.Award, error) {
	var out []award.Award
	err := sqltx.Of(t).Each(ctx, `SELECT a.citizen_id, a.award_id, a.notice_id, a.deadline, a.withheld`+fromAwards+`
		WHERE a.run_id = $1 AND a.award_id > $2 AND a.kind = 'noticed' AND p.award_id IS NULL AND s.award_id IS NULL
		ORDER BY a.award_id LIMIT $3`, []any{run, after, limit}, func(scan func(...any) error) error {
		a := award.Award{Run: run, State: award.Noticed}
		var deadline string
		err := scan(&a.Payee, &a.ID, &a.Notice, &deadline, &a.Withheld)
		if err == nil {
			a.Deadline, err = civil.Parse(deadline)
		}
		out = append(out, a)
		return err
	})
	return out, err
}

// AddProofs implements award.Rows.
func (*Rows) AddProofs(ctx context.Context, t tx.Tx, of []award.Award) error {
	rows := make([][]any, len(of))
	for i, a := range of {
		rows[i] = []any{a.Payee, a.ID, sqltx.Micros(a.Proof.At), a.Proof.Channel, a.AnswerBy.String()}
	}
	_, err := bulk.Insert(ctx, sqltx.Of(t), "award_proof", []string{"citizen_id", "award_id", "at", "channel", "answer_by"}, rows)
	return err
}

var settlementColumns = []string{"citizen_id", "award_id", "how", "at", "settled_by", "received_on", "channel", "reason", "list_id"}

// Settle implements award.Rows.
func (*Rows) Settle(ctx context.Context, t tx.Tx, a award.Award, s award.Settlement) (bool, error) {
	rows, err := sqltx.Of(t).Exec(ctx, `INSERT INTO award_settlement (`+strings.Join(settlementColumns, ", ")+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
		a.Payee, a.ID, s.How, sqltx.Micros(s.At), s.By, s.ReceivedOn.String(), s.Channel, s.Reason, s.List)
	return rows == 1, err
}

// Settled implements award.Rows.
func (*Rows) Settled(ctx context.Context, t tx.Tx, a award.Award) (award.Settlement, error) {
	var s award.Settlement
	var at int64
	var received string
	err := sqltx.Of(t).Each(ctx, `SELECT how, at, settled_by, received_on, channel, reason, list_id FROM award_settlement
		WHERE citizen_id = $1 AND award_id = $2`, []any{a.Payee, a.ID}, func(scan func(...any) error) error {
		return scan(&s.How, &at, &s.By, &received, &s.Channel, &s.Reason, &s.List)
	})
	if err != nil || s.How == "" {
		return s, err
	}
	s.At = sqltx.Time(at)
	s.ReceivedOn, err = day(received)
	return s, err
}

// ListsOf implements award.Rows.
func (*Rows) ListsOf(ctx context.Context, t tx.Tx, a award.Award) ([]award.List, error) {
	return lists(ctx, t, `JOIN list_line l ON l.list_id = o.list_id WHERE l.citizen_id = $1 AND l.award_id = $2 ORDER BY l.attempt`, a.Payee, a.ID)
}

// at reads a moment, zero for none.
func at(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return sqltx.Time(micros)
}
