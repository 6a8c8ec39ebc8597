package issuance

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/identity"
)

// Insert implements issuance.Rows.
func (r *Rows) Insert(ctx context.Context, t tx.Tx, c issuance.Certificate) error {
	claims, err := json.Marshal(c.Claims)
	if err != nil {
		return fmt.Errorf("cannot store a certificate: %w", err)
	}
	_, err = sqltx.Of(t).Exec(ctx, `
		INSERT INTO certificate (citizen_id, certificate_id, asked_by, format, used_for, issued_at, issuer, key_id, rid, records, claims, signed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		c.Person, c.ID, c.AskedBy, string(shc.Format), c.Use, sqltx.Micros(c.IssuedAt), c.Issuer, c.KeyID, c.RID, c.Records, string(claims), c.Signed)
	if err != nil {
		return err
	}
	if err := insertForms(ctx, sqltx.Of(t), c); err != nil {
		return err
	}
	var states [][]any
	for _, h := range c.States {
		states = append(states, []any{h.Citizen, h.Municipality, h.Ref, c.Person, c.ID})
	}
	if _, err := bulk.Insert(ctx, sqltx.Of(t), "certificate_statement",
		[]string{"citizen_id", "municipality", "record_ref", "holder", "certificate_id"}, states); err != nil {
		return err
	}
	return r.Refer(ctx, t, issuance.Referral{Reference: c.Reference, Citizen: c.Person, Municipality: c.Municipality,
		Kind: issuance.RefersToCertificate, Object: c.ID, At: c.IssuedAt})
}

// insertForms stores what stands beside the SMART Health Card.
func insertForms(ctx context.Context, t *sqltx.Tx, c issuance.Certificate) error {
	var rows [][]any
	for _, f := range c.Renderings {
		if f.Format != shc.Format {
			rows = append(rows, []any{c.Person, c.ID, string(f.Format), "", f.KeyID, f.Text, f.RevocationToken, f.Specimen, f.Doses})
		}
	}
	for _, l := range c.LeftOut {
		rows = append(rows, []any{c.Person, c.ID, string(l.Format), string(l.Why), "", "", "", false, 0})
	}
	_, err := bulk.Insert(ctx, t, "certificate_rendering",
		[]string{"citizen_id", "certificate_id", "format", "left_out", "key_id", "qr_text", "token", "specimen", "doses"}, rows)
	return err
}

const columns = `citizen_id, certificate_id, asked_by, used_for, issued_at, issuer, key_id, rid, records, claims, signed`

func scanCertificate(scan func(...any) error) (issuance.Certificate, error) {
	var c issuance.Certificate
	var at int64
	var claims string
	err := scan(&c.Person, &c.ID, &c.AskedBy, &c.Use, &at, &c.Issuer, &c.KeyID, &c.RID, &c.Records, &claims, &c.Signed)
	if err != nil {
		return c, err
	}
	c.IssuedAt = sqltx.Time(at)
	if err := json.Unmarshal([]byte(claims), &c.Claims); err != nil {
		return c, err
	}
	card, err := c.Card()
	c.Renderings = []issuance.Rendering{card}
	return c, err
}

// Get implements issuance.Rows.
func (*Rows) Get(ctx context.Context, t tx.Tx, of identity.CitizenID, id string) (issuance.Certificate, bool, error) {
	found, err := certificates(ctx, sqltx.Of(t), `citizen_id = $1 AND certificate_id = $2`, []any{of, id}, []identity.CitizenID{of})
	if err != nil || len(found) == 0 {
		return issuance.Certificate{}, false, err
	}
	return found[0], true, nil
}

// Newest implements issuance.Rows.
func (*Rows) Newest(ctx context.Context, t tx.Tx, of []identity.CitizenID, limit int) ([]issuance.Certificate, error) {
	args := append(in(of), limit)
	return certificates(ctx, sqltx.Of(t), `citizen_id IN `+bulk.List(1, len(of))+`
		ORDER BY issued_at DESC, certificate_id DESC LIMIT $`+strconv.Itoa(len(args)), args, of)
}

// certificates reads certificates of these citizens with all that belongs to them.
func certificates(ctx context.Context, t *sqltx.Tx, where string, args []any, of []identity.CitizenID) ([]issuance.Certificate, error) {
	var out []issuance.Certificate
	err := t.Each(ctx, `SELECT `+columns+` FROM certificate WHERE `+where, args, func(scan func(...any) error) error {
		c, err := scanCertificate(scan)
		out = append(out, c)
		return err
	})
	if err != nil || len(out) == 0 {
		return out, err
	}
	at := map[issuance.Named]*issuance.Certificate{}
	for i := range out {
		at[issuance.Named{Holder: out[i].Person, ID: out[i].ID}] = &out[i]
	}
	for _, read := range []func(context.Context, *sqltx.Tx, []identity.CitizenID, map[issuance.Named]*issuance.Certificate) error{
		addForms, addRevocations, addReferences,
	} {
		if err := read(ctx, t, of, at); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func addForms(ctx context.Context, t *sqltx.Tx, of []identity.CitizenID, at map[issuance.Named]*issuance.Certificate) error {
	return t.Each(ctx, `SELECT citizen_id, certificate_id, format, left_out, key_id, qr_text, token, specimen, doses FROM certificate_rendering
		WHERE citizen_id IN `+bulk.List(1, len(of))+` ORDER BY citizen_id, certificate_id, format`, in(of), func(scan func(...any) error) error {
		var n issuance.Named
		var format, why string
		var r issuance.Rendering
		if err := scan(&n.Holder, &n.ID, &format, &why, &r.KeyID, &r.Text, &r.RevocationToken, &r.Specimen, &r.Doses); err != nil {
			return err
		}
		r.Format = cert.Format(format)
		switch c := at[n]; {
		case c == nil:
		case why != "":
			c.LeftOut = append(c.LeftOut, issuance.LeftOut{Format: r.Format, Why: issuance.Why(why)})
		default:
			c.Renderings = append(c.Renderings, r)
		}
		return nil
	})
}

func addRevocations(ctx context.Context, t *sqltx.Tx, of []identity.CitizenID, at map[issuance.Named]*issuance.Certificate) error {
	return t.Each(ctx, `SELECT citizen_id, certificate_id, revoked_at, ground FROM certificate_revocation
		WHERE citizen_id IN `+bulk.List(1, len(of)), in(of), func(scan func(...any) error) error {
		var n issuance.Named
		var micros int64
		var ground issuance.Ground
		if err := scan(&n.Holder, &n.ID, &micros, &ground); err != nil {
			return err
		}
		if c := at[n]; c != nil {
			c.Revoked, c.RevokedFor = sqltx.Time(micros), ground
		}
		return nil
	})
}

func addReferences(ctx context.Context, t *sqltx.Tx, of []identity.CitizenID, at map[issuance.Named]*issuance.Certificate) error {
	return t.Each(ctx, `SELECT citizen_id, object, reference FROM counter_reference
		WHERE kind = 'certificate' AND citizen_id IN `+bulk.List(1, len(of)), in(of), func(scan func(...any) error) error {
		var n issuance.Named
		var reference string
		if err := scan(&n.Holder, &n.ID, &reference); err != nil {
			return err
		}
		if c := at[n]; c != nil {
			c.Reference = reference
		}
		return nil
	})
}

// Version implements issuance.Rows. Certificates, revocations and corrections are only ever
// inserted, so that their names say everything; a record is what its last correction says.
func (*Rows) Version(ctx context.Context, t tx.Tx, of []identity.CitizenID) (string, error) {
	h := sha256.New()
	for _, id := range of {
		fmt.Fprintf(h, "of %s\n", id)
	}
	for _, q := range []string{
		`SELECT citizen_id, certificate_id FROM certificate WHERE citizen_id IN ` + bulk.List(1, len(of)) + ` ORDER BY citizen_id, certificate_id`,
		`SELECT citizen_id, certificate_id FROM certificate_revocation WHERE citizen_id IN ` + bulk.List(1, len(of)) + ` ORDER BY citizen_id, certificate_id`,
		`SELECT citizen_id, municipality || ' ' || record_ref FROM vaccination WHERE citizen_id IN ` + bulk.List(1, len(of)) + ` ORDER BY citizen_id, municipality, record_ref`,
		`SELECT citizen_id, municipality || ' ' || record_ref || ' ' || CAST(revision AS TEXT) FROM vaccination_history WHERE citizen_id IN ` + bulk.List(1, len(of)) + ` ORDER BY citizen_id, municipality, record_ref, revision`,
	} {
		err := sqltx.Of(t).Each(ctx, q, in(of), func(scan func(...any) error) error {
			var id, name string
			if err := scan(&id, &name); err != nil {
				return err
			}
			fmt.Fprintf(h, "%s %s\n", id, name)
			return nil
		})
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, "end")
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16]), nil
}

// Refer implements issuance.Rows.
func (*Rows) Refer(ctx context.Context, t tx.Tx, r issuance.Referral) error {
	_, err := sqltx.Of(t).Exec(ctx, `INSERT INTO counter_reference (reference, citizen_id, municipality, kind, object, at) VALUES ($1, $2, $3, $4, $5, $6)`,
		r.Reference, r.Citizen, r.Municipality, string(r.Kind), r.Object, sqltx.Micros(r.At))
	return err
}

// Referred implements issuance.Rows.
func (*Rows) Referred(ctx context.Context, t tx.Tx, reference string) (issuance.Referral, bool, error) {
	var r issuance.Referral
	err := sqltx.Of(t).Each(ctx, `SELECT reference, citizen_id, municipality, kind, object, at FROM counter_reference WHERE reference = $1`,
		[]any{reference}, func(scan func(...any) error) error {
			var at int64
			err := scan(&r.Reference, &r.Citizen, &r.Municipality, &r.Kind, &r.Object, &at)
			r.At = sqltx.Time(at)
			return err
		})
	return r, r.Reference != "", err
}
