package childsupport

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

const caseColumns = `citizen_id, case_id, municipality, indicator, episode, state, flagged_at, lapses_on, refs, support, decide_by,
	guardian_id, offer_id, notice_id, offered_at, answer, answered_at, outcome, closed_at, erase_on`

func caseValues(c childsupport.Stored) ([]any, error) {
	refs, err := json.Marshal(append([]childsupport.Ref{}, c.Refs...))
	if err != nil {
		return nil, fmt.Errorf("cannot store a case: %w", err)
	}
	return []any{c.Child, c.ID, c.Municipality, c.Indicator, c.Episode, c.State, sqltx.Micros(c.FlaggedAt), c.LapsesOn.String(), string(refs),
		c.Support, c.DecideBy.String(), c.Guardian, c.Offer, c.Notice, micros(c.OfferedAt), c.Answer, micros(c.AnsweredAt),
		c.Outcome, micros(c.ClosedAt), c.EraseOn.String()}, nil
}

func scanCase(scan func(...any) error) (childsupport.Stored, error) {
	var c childsupport.Stored
	var refs, lapses, decide, erase string
	var flagged, offered, answered, closed int64
	err := scan(&c.Child, &c.ID, &c.Municipality, &c.Indicator, &c.Episode, &c.State, &flagged, &lapses, &refs, &c.Support, &decide,
		&c.Guardian, &c.Offer, &c.Notice, &offered, &c.Answer, &answered, &c.Outcome, &closed, &erase)
	if err != nil {
		return c, err
	}
	c.FlaggedAt, c.OfferedAt, c.AnsweredAt, c.ClosedAt = sqltx.Time(flagged), when(offered), when(answered), when(closed)
	if err := days(map[*civil.Date]string{&c.LapsesOn: lapses, &c.DecideBy: decide, &c.EraseOn: erase}); err != nil {
		return c, err
	}
	return c, json.Unmarshal([]byte(refs), &c.Refs)
}

func read(ctx context.Context, t tx.Tx, query string, args ...any) ([]childsupport.Stored, error) {
	var out []childsupport.Stored
	err := sqltx.Of(t).Each(ctx, query, args, func(scan func(...any) error) error {
		c, err := scanCase(scan)
		out = append(out, c)
		return err
	})
	return out, err
}

func one(found []childsupport.Stored, err error) (childsupport.Stored, bool, error) {
	if err != nil || len(found) == 0 {
		return childsupport.Stored{}, false, err
	}
	return found[0], true, nil
}

// CasesOf implements childsupport.Rows.
func (*Rows) CasesOf(ctx context.Context, t tx.Tx, children []identity.CitizenID) ([]childsupport.Stored, error) {
	var out []childsupport.Stored
	for part := range slices.Chunk(children, bulk.MaxPlaces) {
		args := make([]any, len(part))
		for i, id := range part {
			args[i] = id
		}
		found, err := read(ctx, t, `SELECT `+caseColumns+` FROM child_case WHERE citizen_id IN `+bulk.List(1, len(args))+` ORDER BY citizen_id, case_id`, args...)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// Flag implements childsupport.Rows.
func (*Rows) Flag(ctx context.Context, t tx.Tx, cases []childsupport.Stored) ([]string, error) {
	const columns = 20
	var ids []string
	for part := range slices.Chunk(cases, bulk.MaxPlaces/columns) {
		var args []any
		for _, c := range part {
			values, err := caseValues(c)
			if err != nil {
				return nil, err
			}
			args = append(args, values...)
		}
		err := sqltx.Of(t).Each(ctx, `INSERT INTO child_case (`+caseColumns+`) VALUES `+bulk.Places(1, len(part), columns)+`
			ON CONFLICT (citizen_id, indicator, episode) DO NOTHING RETURNING case_id`, args, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

var actColumns = []string{"citizen_id", "case_id", "step", "what", "by_whom", "reason", "at"}

// AddFirst implements childsupport.Rows.
func (*Rows) AddFirst(ctx context.Context, t tx.Tx, cases []childsupport.Stored, a childsupport.Act) error {
	rows := make([][]any, len(cases))
	for i, c := range cases {
		rows[i] = []any{c.Child, c.ID, 1, a.What, a.By, a.Reason, sqltx.Micros(a.At)}
	}
	_, err := bulk.Insert(ctx, sqltx.Of(t), "child_act", actColumns, rows)
	return err
}

// Open implements childsupport.Rows.
func (*Rows) Open(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, states []childsupport.State, limit int) ([]childsupport.Stored, error) {
	args := []any{m}
	for _, s := range states {
		args = append(args, s)
	}
	return read(ctx, t, `SELECT `+caseColumns+` FROM child_case WHERE municipality = $1 AND state IN `+bulk.List(2, len(states))+`
		ORDER BY flagged_at, case_id LIMIT $`+strconv.Itoa(len(args)+1), append(args, limit)...)
}

// Get implements childsupport.Rows.
func (*Rows) Get(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string) (childsupport.Stored, bool, error) {
	return one(read(ctx, t, `SELECT `+caseColumns+` FROM child_case WHERE case_id = $1 AND municipality = $2`, id, m))
}

// Move implements childsupport.Rows.
func (*Rows) Move(ctx context.Context, t tx.Tx, from childsupport.State, c childsupport.Stored) (bool, error) {
	n, err := sqltx.Of(t).Exec(ctx, `
		UPDATE child_case SET state = $1, support = $2, decide_by = $3, guardian_id = $4, offer_id = $5, notice_id = $6, offered_at = $7,
		       answer = $8, answered_at = $9, outcome = $10, closed_at = $11, erase_on = $12
		 WHERE citizen_id = $13 AND case_id = $14 AND state = $15`,
		c.State, c.Support, c.DecideBy.String(), c.Guardian, c.Offer, c.Notice, micros(c.OfferedAt),
		c.Answer, micros(c.AnsweredAt), c.Outcome, micros(c.ClosedAt), c.EraseOn.String(), c.Child, c.ID, from)
	return n == 1, err
}

// AddAct implements childsupport.Rows.
func (*Rows) AddAct(ctx context.Context, t tx.Tx, c childsupport.Stored, a childsupport.Act) error {
	var last int
	err := sqltx.Of(t).Each(ctx, `SELECT coalesce(max(step), 0) FROM child_act WHERE citizen_id = $1 AND case_id = $2`, []any{c.Child, c.ID},
		func(scan func(...any) error) error { return scan(&last) })
	if err != nil {
		return err
	}
	_, err = sqltx.Of(t).Exec(ctx, `INSERT INTO child_act (citizen_id, case_id, step, what, by_whom, reason, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		c.Child, c.ID, last+1, a.What, a.By, a.Reason, sqltx.Micros(a.At))
	return err
}

// Acts implements childsupport.Rows.
func (*Rows) Acts(ctx context.Context, t tx.Tx, c childsupport.Stored) ([]childsupport.Act, error) {
	var out []childsupport.Act
	err := sqltx.Of(t).Each(ctx, `SELECT what, by_whom, reason, at FROM child_act WHERE citizen_id = $1 AND case_id = $2 ORDER BY step`,
		[]any{c.Child, c.ID}, func(scan func(...any) error) error {
			var a childsupport.Act
			var at int64
			err := scan(&a.What, &a.By, &a.Reason, &at)
			a.At = sqltx.Time(at)
			out = append(out, a)
			return err
		})
	return out, err
}

// OffersTo implements childsupport.Rows.
func (*Rows) OffersTo(ctx context.Context, t tx.Tx, guardian identity.CitizenID, limit int) ([]childsupport.Stored, error) {
	return read(ctx, t, `SELECT `+caseColumns+` FROM child_case WHERE guardian_id = $1 AND offered_at >= 0
		ORDER BY offered_at DESC, offer_id DESC LIMIT $2`, guardian, limit)
}

// OfferTo implements childsupport.Rows.
func (*Rows) OfferTo(ctx context.Context, t tx.Tx, guardian identity.CitizenID, offer string) (childsupport.Stored, bool, error) {
	return one(read(ctx, t, `SELECT `+caseColumns+` FROM child_case WHERE guardian_id = $1 AND offer_id = $2 AND offered_at >= 0`, guardian, offer))
}
