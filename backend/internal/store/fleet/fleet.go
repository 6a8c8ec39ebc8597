// Package fleet keeps offices, enrolment codes and terminals in the store: the SQL of
// backend/internal/fleet. A code's use is one conditional UPDATE, so two terminals never
// share it.
package fleet

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/fleet"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/wire"
)

// Rows implements fleet.Rows on both engines.
type Rows struct{ reads *sqltx.Pool }

var _ fleet.Rows = (*Rows)(nil)

// New makes the rows over the read side of the store.
func New(reads *sqltx.Pool) *Rows { return &Rows{reads: reads} }

func (r *Rows) reader(t tx.Tx) sqltx.Reader {
	if t != nil {
		return sqltx.Of(t)
	}
	return r.reads
}

// PutOffice implements fleet.Rows.
func (r *Rows) PutOffice(ctx context.Context, t tx.Tx, o fleet.Office) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO office (office_id, municipality_code, office_ref, class, name, institution_code)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (municipality_code, office_ref) DO UPDATE
		   SET class = excluded.class, name = excluded.name, institution_code = excluded.institution_code`,
		o.ID, o.Municipality, o.Ref, o.Class, o.Name, o.Institution)
	return err
}

const officeColumns = `o.office_id, o.municipality_code, o.office_ref, o.class, o.name, o.institution_code`

func officeFields(o *fleet.Office) []any {
	return []any{&o.ID, &o.Municipality, &o.Ref, &o.Class, &o.Name, &o.Institution}
}

// OfficesByRef implements fleet.Rows.
func (r *Rows) OfficesByRef(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, ref string, limit int) ([]fleet.Office, error) {
	return offices(ctx, r.reader(t), `
		SELECT `+officeColumns+` FROM office o
		 WHERE o.office_ref = $1 AND ($2 OR o.municipality_code = $3)
		 ORDER BY o.municipality_code LIMIT $4`, ref, m == "", m, limit)
}

// Offices implements fleet.Rows.
func (r *Rows) Offices(ctx context.Context, m identity.MunicipalityCode, limit int) ([]fleet.Office, error) {
	return offices(ctx, r.reads, `
		SELECT `+officeColumns+` FROM office o
		 WHERE o.municipality_code = $1 ORDER BY o.office_ref LIMIT $2`, m, limit)
}

func offices(ctx context.Context, from sqltx.Reader, query string, args ...any) ([]fleet.Office, error) {
	var found []fleet.Office
	err := from.Each(ctx, query, args, func(scan func(...any) error) error {
		var o fleet.Office
		err := scan(officeFields(&o)...)
		found = append(found, o)
		return err
	})
	return found, err
}

// InsertCode implements fleet.Rows.
func (r *Rows) InsertCode(ctx context.Context, t tx.Tx, c fleet.StoredCode) (bool, error) {
	n, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO enrolment_code (selector, secret_hash, office_id, created_at, expires_at, attempts, used_by)
		VALUES ($1, $2, $3, $4, $5, 0, '')
		ON CONFLICT (selector) DO NOTHING`,
		c.Selector, c.SecretHash, c.Office, sqltx.Micros(c.CreatedAt), sqltx.Micros(c.ExpiresAt))
	return n == 1, err
}

// ClaimCode implements fleet.Rows.
func (r *Rows) ClaimCode(ctx context.Context, t tx.Tx, selector string, secretHash []byte, terminal string, now time.Time, max int) (string, bool, error) {
	return one(ctx, sqltx.Of(t), `
		UPDATE enrolment_code SET used_by = $1
		 WHERE selector = $2 AND secret_hash = $3 AND used_by = '' AND expires_at > $4 AND attempts < $5
		RETURNING office_id`, terminal, selector, secretHash, sqltx.Micros(now), max)
}

// UsedBy implements fleet.Rows.
func (r *Rows) UsedBy(ctx context.Context, t tx.Tx, selector string, secretHash []byte, now time.Time) (string, bool, error) {
	return one(ctx, r.reader(t), `
		SELECT used_by FROM enrolment_code
		 WHERE selector = $1 AND secret_hash = $2 AND used_by <> '' AND expires_at > $3`,
		selector, secretHash, sqltx.Micros(now))
}

func one(ctx context.Context, from sqltx.Reader, query string, args ...any) (string, bool, error) {
	var value string
	var found bool
	err := from.Each(ctx, query, args, func(scan func(...any) error) error {
		found = true
		return scan(&value)
	})
	return value, found, err
}

// CountAttempt implements fleet.Rows.
func (r *Rows) CountAttempt(ctx context.Context, t tx.Tx, selector string) error {
	_, err := sqltx.Of(t).Exec(ctx, `UPDATE enrolment_code SET attempts = attempts + 1 WHERE selector = $1`, selector)
	return err
}

// InsertTerminal implements fleet.Rows.
func (r *Rows) InsertTerminal(ctx context.Context, t tx.Tx, x fleet.Terminal) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO terminal (terminal_id, office_id, public_key, recipient, enrolled_at, disabled_at, last_contact_at)
		VALUES ($1, $2, $3, $4, $5, 0, 0)`,
		x.ID, x.Office.ID, x.PublicKey, x.Recipient, sqltx.Micros(x.EnrolledAt))
	return err
}

const terminalQuery = `
	SELECT ` + officeColumns + `, t.terminal_id, t.public_key, t.recipient, t.enrolled_at, t.disabled_at, t.last_contact_at
	  FROM terminal t JOIN office o ON o.office_id = t.office_id `

// Terminal implements fleet.Rows.
func (r *Rows) Terminal(ctx context.Context, t tx.Tx, id string) (fleet.Terminal, bool, error) {
	found, err := terminals(ctx, r.reader(t), terminalQuery+`WHERE t.terminal_id = $1`, id)
	if err != nil || len(found) == 0 {
		return fleet.Terminal{}, false, err
	}
	return found[0], true, nil
}

// Terminals implements fleet.Rows.
func (r *Rows) Terminals(ctx context.Context, m identity.MunicipalityCode, limit int) ([]fleet.Terminal, error) {
	return terminals(ctx, r.reads, terminalQuery+`WHERE o.municipality_code = $1 ORDER BY t.terminal_id LIMIT $2`, m, limit)
}

func terminals(ctx context.Context, from sqltx.Reader, query string, args ...any) ([]fleet.Terminal, error) {
	var found []fleet.Terminal
	err := from.Each(ctx, query, args, func(scan func(...any) error) error {
		var x fleet.Terminal
		var enrolled, disabled, contact int64
		err := scan(append(officeFields(&x.Office), &x.ID, &x.PublicKey, &x.Recipient, &enrolled, &disabled, &contact)...)
		x.EnrolledAt, x.DisabledAt, x.LastContact = when(enrolled), when(disabled), when(contact)
		found = append(found, x)
		return err
	})
	return found, err
}

func when(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return sqltx.Time(micros)
}

// Disable implements fleet.Rows.
func (r *Rows) Disable(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string, now time.Time) (bool, error) {
	n, err := sqltx.Of(t).Exec(ctx, `
		UPDATE terminal SET disabled_at = $1
		 WHERE terminal_id = $2 AND disabled_at = 0
		   AND office_id IN (SELECT office_id FROM office WHERE municipality_code = $3)`,
		sqltx.Micros(now), id, m)
	return n == 1, err
}

// Contact implements fleet.Rows. An older contact never replaces a later one.
func (r *Rows) Contact(ctx context.Context, t tx.Tx, id string, at time.Time) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		UPDATE terminal SET last_contact_at = $1 WHERE terminal_id = $2 AND last_contact_at < $1`,
		sqltx.Micros(at), id)
	return err
}

// PutHealth implements fleet.Rows.
func (r *Rows) PutHealth(ctx context.Context, t tx.Tx, terminal string, h fleet.Health) error {
	summary, err := wire.EncodeHealth(h.Health)
	if err != nil {
		return err
	}
	_, err = sqltx.Of(t).Exec(ctx, `
		INSERT INTO terminal_health (terminal_id, received_at, pending, summary) VALUES ($1, $2, $3, $4)
		ON CONFLICT (terminal_id) DO UPDATE
		   SET received_at = excluded.received_at, pending = excluded.pending, summary = excluded.summary`,
		terminal, sqltx.Micros(h.ReceivedAt), h.Pending, string(summary))
	return err
}

// Health implements fleet.Rows.
func (r *Rows) Health(ctx context.Context, terminals []string) (map[string]fleet.Health, error) {
	found := make(map[string]fleet.Health, len(terminals))
	if len(terminals) == 0 {
		return found, nil
	}
	args := make([]any, len(terminals))
	for i, id := range terminals {
		args[i] = id
	}
	err := r.reads.Each(ctx, `
		SELECT terminal_id, received_at, summary FROM terminal_health WHERE terminal_id IN `+bulk.List(1, len(args)),
		args, func(scan func(...any) error) error {
			var id, summary string
			var received int64
			if err := scan(&id, &received, &summary); err != nil {
				return err
			}
			h, err := wire.DecodeHealth([]byte(summary))
			found[id] = fleet.Health{Health: h, ReceivedAt: sqltx.Time(received)}
			return err
		})
	return found, err
}

// Silent implements fleet.Rows.
func (r *Rows) Silent(ctx context.Context, since time.Time) (fleet.Silence, error) {
	var s fleet.Silence
	err := r.reads.Each(ctx, `
		SELECT count(*), count(*) FILTER (WHERE last_contact_at < $1) FROM terminal WHERE disabled_at = 0`,
		[]any{sqltx.Micros(since)}, func(scan func(...any) error) error { return scan(&s.InUse, &s.Silent) })
	if err != nil {
		return s, err
	}
	err = r.reads.Each(ctx, `SELECT CAST(COALESCE(SUM(pending), 0) AS BIGINT) FROM terminal_health WHERE pending > 0`, nil,
		func(scan func(...any) error) error { return scan(&s.Pending) })
	return s, err
}
