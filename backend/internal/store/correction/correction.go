// Package correction keeps what people asked to be corrected in the store: the SQL of
// backend/internal/correction.
package correction

import (
	"context"
	"strconv"
	"time"

	"madoguchi.example/backend/internal/correction"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
)

// Rows implements correction.Rows on both engines.
type Rows struct{}

var _ correction.Rows = (*Rows)(nil)

// New makes the rows. The read side is not used: every read is recorded in its transaction.
func New(*sqltx.Pool) *Rows { return &Rows{} }

const columns = `citizen_id, reference, asked_by, municipality, kind, certificate_id, dose, words, asked_at, state, answer, answered_by, answered_at`

// notYet is the answer's time while there is none.
const notYet = -1

// Insert implements correction.Rows.
func (*Rows) Insert(ctx context.Context, t tx.Tx, r correction.Request) error {
	_, err := sqltx.Of(t).Exec(ctx, `INSERT INTO correction (`+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', '', $11)`,
		r.Person, r.Reference, r.AskedBy, r.Municipality, string(r.Kind), r.Certificate, r.Dose, r.Words, sqltx.Micros(r.AskedAt), string(r.State), notYet)
	return err
}

func read(ctx context.Context, t tx.Tx, where string, args ...any) ([]correction.Request, error) {
	var out []correction.Request
	err := sqltx.Of(t).Each(ctx, `SELECT `+columns+` FROM correction WHERE `+where, args, func(scan func(...any) error) error {
		var r correction.Request
		var asked, answered int64
		err := scan(&r.Person, &r.Reference, &r.AskedBy, &r.Municipality, &r.Kind, &r.Certificate, &r.Dose, &r.Words, &asked, &r.State,
			&r.Answer, &r.AnsweredBy, &answered)
		r.AskedAt = sqltx.Time(asked)
		if answered != notYet {
			r.AnsweredAt = sqltx.Time(answered)
		}
		out = append(out, r)
		return err
	})
	return out, err
}

func one(found []correction.Request, err error) (correction.Request, bool, error) {
	if err != nil || len(found) == 0 {
		return correction.Request{}, false, err
	}
	return found[0], true, nil
}

// Get implements correction.Rows.
func (*Rows) Get(ctx context.Context, t tx.Tx, of identity.CitizenID, reference string) (correction.Request, bool, error) {
	return one(read(ctx, t, `citizen_id = $1 AND reference = $2`, of, reference))
}

// ByReference implements correction.Rows.
func (*Rows) ByReference(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, reference string) (correction.Request, bool, error) {
	return one(read(ctx, t, `reference = $1 AND municipality = $2`, reference, m))
}

func in(ids []identity.CitizenID) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

// AskedSince implements correction.Rows.
func (*Rows) AskedSince(ctx context.Context, t tx.Tx, by identity.CitizenID, about []identity.CitizenID, since time.Time) (n int, err error) {
	args := append(in(about), by, sqltx.Micros(since))
	err = sqltx.Of(t).Each(ctx, `SELECT count(*) FROM correction WHERE citizen_id IN `+bulk.List(1, len(about))+
		` AND asked_by = $`+strconv.Itoa(len(about)+1)+` AND asked_at >= $`+strconv.Itoa(len(about)+2), args,
		func(scan func(...any) error) error { return scan(&n) })
	return n, err
}

// Newest implements correction.Rows.
func (*Rows) Newest(ctx context.Context, t tx.Tx, about []identity.CitizenID, limit int) ([]correction.Request, error) {
	return read(ctx, t, `citizen_id IN `+bulk.List(1, len(about))+` ORDER BY asked_at DESC, reference LIMIT $`+strconv.Itoa(len(about)+1),
		append(in(about), limit)...)
}

// Waiting implements correction.Rows.
func (*Rows) Waiting(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, limit int) ([]correction.Request, error) {
	return read(ctx, t, `municipality = $1 AND state = 'open' ORDER BY asked_at, reference LIMIT $2`, m, limit)
}

// Answer implements correction.Rows.
func (*Rows) Answer(ctx context.Context, t tx.Tx, r correction.Request) (bool, error) {
	n, err := sqltx.Of(t).Exec(ctx, `UPDATE correction SET state = $1, answer = $2, answered_by = $3, answered_at = $4
		WHERE citizen_id = $5 AND reference = $6 AND state = 'open'`,
		string(r.State), r.Answer, r.AnsweredBy, sqltx.Micros(r.AnsweredAt), r.Person, r.Reference)
	return n == 1, err
}
