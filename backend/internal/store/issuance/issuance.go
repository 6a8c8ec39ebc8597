// Package issuance keeps vaccination records and certificates in the store: the SQL of
// backend/internal/issuance.
package issuance

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Rows implements issuance.Rows on both engines.
type Rows struct{}

var _ issuance.Rows = (*Rows)(nil)

// New makes the rows. The read side is not used: every read is recorded in its transaction.
func New(*sqltx.Pool) *Rows { return &Rows{} }

var refs = bulk.Table{Name: "vaccination_ref", Key: []string{"record_ref", "municipality"}, Columns: []string{"citizen_id"}}

var recordColumns = []string{"citizen_id", "municipality", "record_ref", "vaccine_code", "product", "manufacturer",
	"lot", "dose_number", "given_on", "performer", "country"}

// AddRecords implements issuance.Rows.
func (*Rows) AddRecords(ctx context.Context, t tx.Tx, rows []citizen.Fact[issuance.Record]) ([]importing.Result, error) {
	numbers := make([]bulk.Row, len(rows))
	for i, f := range rows {
		numbers[i] = bulk.Row{Key: []any{f.Value.Ref, f.Value.Municipality}, Values: []any{f.Citizen}, Digest: f.Digest}
	}
	results, err := refs.Add(ctx, sqltx.Of(t), numbers)
	if err != nil {
		return nil, err
	}
	var added [][]any
	for i, f := range rows {
		if v := f.Value; results[i] == importing.Added {
			added = append(added, []any{f.Citizen, v.Municipality, v.Ref, v.Code, v.Product, v.Manufacturer,
				v.Lot, v.Number, v.On.String(), v.Performer, v.Country})
		}
	}
	_, err = bulk.Insert(ctx, sqltx.Of(t), "vaccination", recordColumns, added)
	return results, err
}

func in(ids []identity.CitizenID) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

// Records implements issuance.Rows.
func (*Rows) Records(ctx context.Context, t tx.Tx, of []identity.CitizenID) (map[identity.CitizenID][]issuance.Record, error) {
	out := map[identity.CitizenID][]issuance.Record{}
	err := sqltx.Of(t).Each(ctx, `
		SELECT citizen_id, municipality, record_ref, vaccine_code, product, manufacturer, lot, dose_number, given_on, performer, country
		  FROM vaccination WHERE citizen_id IN `+bulk.List(1, len(of))+`
		 ORDER BY citizen_id, given_on, dose_number, record_ref`, in(of), func(scan func(...any) error) error {
		var id identity.CitizenID
		var r issuance.Record
		var on string
		err := scan(&id, &r.Municipality, &r.Ref, &r.Code, &r.Product, &r.Manufacturer, &r.Lot, &r.Number, &on, &r.Performer, &r.Country)
		if err != nil {
			return err
		}
		r.On, err = civil.Parse(on)
		out[id] = append(out[id], r)
		return err
	})
	return out, err
}

// Insert implements issuance.Rows.
func (*Rows) Insert(ctx context.Context, t tx.Tx, c issuance.Certificate) error {
	claims, err := json.Marshal(c.Claims)
	if err != nil {
		return fmt.Errorf("cannot store a certificate: %w", err)
	}
	_, err = sqltx.Of(t).Exec(ctx, `
		INSERT INTO certificate (citizen_id, certificate_id, asked_by, format, used_for, issued_at, issuer, key_id, rid, records, claims, signed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		c.Person, c.ID, c.AskedBy, string(shc.Format), c.Use, sqltx.Micros(c.IssuedAt), c.Issuer, c.KeyID, c.RID, c.Records, string(claims), c.Signed)
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
	return c, json.Unmarshal([]byte(claims), &c.Claims)
}

// Get implements issuance.Rows.
func (*Rows) Get(ctx context.Context, t tx.Tx, of identity.CitizenID, id string) (issuance.Certificate, bool, error) {
	var c issuance.Certificate
	err := sqltx.Of(t).Each(ctx, `SELECT `+columns+` FROM certificate WHERE citizen_id = $1 AND certificate_id = $2`, []any{of, id},
		func(scan func(...any) error) (err error) {
			c, err = scanCertificate(scan)
			return err
		})
	return c, c.ID != "", err
}

// Newest implements issuance.Rows.
func (*Rows) Newest(ctx context.Context, t tx.Tx, of []identity.CitizenID, limit int) ([]issuance.Certificate, error) {
	var out []issuance.Certificate
	args := append(in(of), limit)
	err := sqltx.Of(t).Each(ctx, `SELECT `+columns+` FROM certificate WHERE citizen_id IN `+bulk.List(1, len(of))+`
		ORDER BY issued_at DESC, certificate_id DESC LIMIT $`+strconv.Itoa(len(args)), args,
		func(scan func(...any) error) error {
			c, err := scanCertificate(scan)
			out = append(out, c)
			return err
		})
	return out, err
}

// Version implements issuance.Rows. Certificates and records are only ever inserted, so
// their names say everything.
func (*Rows) Version(ctx context.Context, t tx.Tx, of []identity.CitizenID) (string, error) {
	h := sha256.New()
	for _, id := range of {
		fmt.Fprintf(h, "of %s\n", id)
	}
	for _, q := range []string{
		`SELECT citizen_id, certificate_id FROM certificate WHERE citizen_id IN ` + bulk.List(1, len(of)) + ` ORDER BY citizen_id, certificate_id`,
		`SELECT citizen_id, municipality || ' ' || record_ref FROM vaccination WHERE citizen_id IN ` + bulk.List(1, len(of)) + ` ORDER BY citizen_id, municipality, record_ref`,
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
