// Package authn keeps sign-ins, sessions and officers in the store: the SQL of
// backend/internal/authn.
package authn

import (
	"context"
	"strings"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
)

// Rows implements authn.Rows on both engines.
type Rows struct{ reads *sqltx.Pool }

var _ authn.Rows = (*Rows)(nil)

// New makes the rows over the read side of the store.
func New(reads *sqltx.Pool) *Rows { return &Rows{reads: reads} }

// InsertFlow implements authn.Rows.
func (*Rows) InsertFlow(ctx context.Context, t tx.Tx, f authn.Flow) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO sign_in_flow (state_hash, face, binding_hash, expires_at) VALUES ($1, $2, $3, $4)`,
		f.StateHash, f.Face, f.BindingHash, sqltx.Micros(f.ExpiresAt))
	return err
}

// TakeFlow implements authn.Rows.
func (*Rows) TakeFlow(ctx context.Context, t tx.Tx, stateHash []byte) (authn.Flow, bool, error) {
	f := authn.Flow{StateHash: stateHash}
	found := false
	err := sqltx.Of(t).Each(ctx, `
		DELETE FROM sign_in_flow WHERE state_hash = $1 RETURNING face, binding_hash, expires_at`,
		[]any{stateHash}, func(scan func(...any) error) error {
			var expires int64
			err := scan(&f.Face, &f.BindingHash, &expires)
			f.ExpiresAt, found = sqltx.Time(expires), true
			return err
		})
	return f, found, err
}

// InsertSession implements authn.Rows.
func (*Rows) InsertSession(ctx context.Context, t tx.Tx, s authn.Session) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO citizen_session (citizen_id, session_id, municipality_code, refresh_hash, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6)`,
		s.Citizen, s.ID, s.Municipality, s.RefreshHash, sqltx.Micros(s.CreatedAt), sqltx.Micros(s.ExpiresAt))
	return err
}

// Rotate implements authn.Rows.
func (*Rows) Rotate(ctx context.Context, t tx.Tx, c identity.CitizenID, id string, old, fresh []byte, now time.Time) (authn.Session, bool, error) {
	s := authn.Session{Citizen: c, ID: id, RefreshHash: fresh}
	found := false
	err := sqltx.Of(t).Each(ctx, `
		UPDATE citizen_session SET refresh_hash = $1, prior_hash = $2,
		       replaced_at = CASE WHEN refresh_hash = $2 THEN $3 ELSE replaced_at END
		 WHERE citizen_id = $4 AND session_id = $5 AND expires_at > $3
		   AND (refresh_hash = $2 OR (prior_hash = $2 AND replaced_at > $6))
		RETURNING municipality_code, created_at, expires_at`,
		[]any{fresh, old, sqltx.Micros(now), c, id, sqltx.Micros(now.Add(-authn.RefreshAgain))}, func(scan func(...any) error) error {
			var created, expires int64
			err := scan(&s.Municipality, &created, &expires)
			s.CreatedAt, s.ExpiresAt, found = sqltx.Time(created), sqltx.Time(expires), true
			return err
		})
	return s, found, err
}

// EndSession implements authn.Rows.
func (*Rows) EndSession(ctx context.Context, t tx.Tx, c identity.CitizenID, id string) (bool, error) {
	n, err := sqltx.Of(t).Exec(ctx, `DELETE FROM citizen_session WHERE citizen_id = $1 AND session_id = $2`, c, id)
	return n == 1, err
}

// UpsertStaff implements authn.Rows.
func (*Rows) UpsertStaff(ctx context.Context, t tx.Tx, m authn.StaffMember) (bool, error) {
	n, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO staff (staff_id, subject, name, municipality_code, roles) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (subject) DO UPDATE
		   SET name = excluded.name, municipality_code = excluded.municipality_code, roles = excluded.roles
		 WHERE staff.name <> excluded.name OR staff.municipality_code <> excluded.municipality_code
		    OR staff.roles <> excluded.roles`,
		m.ID, m.Subject, m.Name, m.Municipality, joinRoles(m.Roles))
	return n == 1, err
}

// StaffBySubject implements authn.Rows.
func (*Rows) StaffBySubject(ctx context.Context, t tx.Tx, subject string) (authn.StaffMember, bool, error) {
	m := authn.StaffMember{Subject: subject}
	found := false
	err := sqltx.Of(t).Each(ctx, `
		SELECT staff_id, name, municipality_code, roles FROM staff WHERE subject = $1`,
		[]any{subject}, func(scan func(...any) error) error {
			var roles string
			err := scan(&m.ID, &m.Name, &m.Municipality, &roles)
			m.Roles, found = splitRoles(roles), true
			return err
		})
	return m, found, err
}

// StaffName gives an officer's name, "" for one who is not known.
func (r *Rows) StaffName(ctx context.Context, id string) (name string, err error) {
	err = r.reads.Each(ctx, `SELECT name FROM staff WHERE staff_id = $1`, []any{id},
		func(scan func(...any) error) error { return scan(&name) })
	return name, err
}

// InsertStaffSession implements authn.Rows.
func (*Rows) InsertStaffSession(ctx context.Context, t tx.Tx, s authn.StaffSession) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO staff_session (session_hash, staff_id, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
		s.Hash, s.StaffID, sqltx.Micros(s.CreatedAt), sqltx.Micros(s.SeenAt), sqltx.Micros(s.ExpiresAt))
	return err
}

// StaffBySession implements authn.Rows.
func (r *Rows) StaffBySession(ctx context.Context, hash []byte) (authn.StaffSession, authn.StaffMember, bool, error) {
	s := authn.StaffSession{Hash: hash}
	var m authn.StaffMember
	found := false
	err := r.reads.Each(ctx, `
		SELECT s.staff_id, s.created_at, s.seen_at, s.expires_at, m.subject, m.name, m.municipality_code, m.roles
		  FROM staff_session s JOIN staff m ON m.staff_id = s.staff_id
		 WHERE s.session_hash = $1`,
		[]any{hash}, func(scan func(...any) error) error {
			var created, seen, expires int64
			var roles string
			err := scan(&s.StaffID, &created, &seen, &expires, &m.Subject, &m.Name, &m.Municipality, &roles)
			s.CreatedAt, s.SeenAt, s.ExpiresAt = sqltx.Time(created), sqltx.Time(seen), sqltx.Time(expires)
			m.ID, m.Roles, found = s.StaffID, splitRoles(roles), true
			return err
		})
	return s, m, found, err
}

// TouchStaffSession implements authn.Rows.
func (*Rows) TouchStaffSession(ctx context.Context, t tx.Tx, hash []byte, at time.Time) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		UPDATE staff_session SET seen_at = $1 WHERE session_hash = $2 AND seen_at < $1`, sqltx.Micros(at), hash)
	return err
}

// EndStaffSession implements authn.Rows.
func (*Rows) EndStaffSession(ctx context.Context, t tx.Tx, hash []byte) error {
	_, err := sqltx.Of(t).Exec(ctx, `DELETE FROM staff_session WHERE session_hash = $1`, hash)
	return err
}

// SpendAssertion implements authn.Rows.
func (*Rows) SpendAssertion(ctx context.Context, t tx.Tx, terminal string, hash []byte, until time.Time) (bool, error) {
	n, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO terminal_assertion (terminal_id, assertion_hash, expires_at) VALUES ($1, $2, $3)
		ON CONFLICT (terminal_id, assertion_hash) DO NOTHING`, terminal, hash, sqltx.Micros(until))
	return n == 1, err
}

// sweeps remove what has expired; each takes the time and the limit.
var sweeps = []string{
	`DELETE FROM sign_in_flow WHERE state_hash IN (
		SELECT state_hash FROM sign_in_flow WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
	`DELETE FROM citizen_session WHERE (citizen_id, session_id) IN (
		SELECT citizen_id, session_id FROM citizen_session WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
	`DELETE FROM staff_session WHERE session_hash IN (
		SELECT session_hash FROM staff_session WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
	`DELETE FROM terminal_assertion WHERE (terminal_id, assertion_hash) IN (
		SELECT terminal_id, assertion_hash FROM terminal_assertion WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
}

// Sweep implements authn.Rows.
func (*Rows) Sweep(ctx context.Context, t tx.Tx, now time.Time, limit int) (more bool, err error) {
	for _, sweep := range sweeps {
		n, err := sqltx.Of(t).Exec(ctx, sweep, sqltx.Micros(now), limit)
		if err != nil {
			return false, err
		}
		more = more || n >= int64(limit)
	}
	return more, nil
}

func joinRoles(roles []actor.Role) string {
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	return strings.Join(words, " ")
}

func splitRoles(s string) []actor.Role {
	var roles []actor.Role
	for word := range strings.FieldsSeq(s) {
		roles = append(roles, actor.Role(word))
	}
	return roles
}
