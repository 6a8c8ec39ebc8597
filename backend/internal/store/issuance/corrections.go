package issuance

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// askedAtOnce is how many numbers one statement looks up.
const askedAtOnce = 50

// OnRecord implements issuance.Rows.
func (r *Rows) OnRecord(ctx context.Context, t tx.Tx, numbers []issuance.Number) (map[issuance.Number]issuance.Known, error) {
	out := map[issuance.Number]issuance.Known{}
	for part := range slices.Chunk(numbers, askedAtOnce) {
		if err := numbersOf(ctx, sqltx.Of(t), part, out); err != nil {
			return nil, err
		}
	}
	var of []identity.CitizenID
	for n, k := range out {
		of = append(of, k.Citizen)
		k.Void, k.Past = true, [][]byte{k.Digest} // until the record is found
		out[n] = k
	}
	slices.Sort(of)
	for part := range slices.Chunk(slices.Compact(of), askedAtOnce) {
		if err := r.present(ctx, t, part, out); err != nil {
			return nil, err
		}
		if err := past(ctx, sqltx.Of(t), part, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func numbersOf(ctx context.Context, t *sqltx.Tx, numbers []issuance.Number, out map[issuance.Number]issuance.Known) error {
	args := make([]any, len(numbers))
	for i, n := range numbers {
		args[i] = n.Ref
	}
	return t.Each(ctx, `SELECT municipality, record_ref, citizen_id, digest FROM vaccination_ref WHERE record_ref IN `+bulk.List(1, len(args)), args,
		func(scan func(...any) error) error {
			var n issuance.Number
			var k issuance.Known
			if err := scan(&n.Municipality, &n.Ref, &k.Citizen, &k.Digest); err != nil {
				return err
			}
			if slices.Contains(numbers, n) {
				out[n] = k
			}
			return nil
		})
}

func (r *Rows) present(ctx context.Context, t tx.Tx, of []identity.CitizenID, out map[issuance.Number]issuance.Known) error {
	by, err := r.Records(ctx, t, of)
	if err != nil {
		return err
	}
	for id, records := range by {
		for _, record := range records {
			n := issuance.Number{Municipality: record.Municipality, Ref: record.Ref}
			if k, ok := out[n]; ok && k.Citizen == id {
				k.Now, k.Void = record, false
				out[n] = k
			}
		}
	}
	return nil
}

func past(ctx context.Context, t *sqltx.Tx, of []identity.CitizenID, out map[issuance.Number]issuance.Known) error {
	return t.Each(ctx, `SELECT municipality, record_ref, revision, corrected_on, before_digest, digest FROM vaccination_history
		WHERE citizen_id IN `+bulk.List(1, len(of))+` ORDER BY citizen_id, municipality, record_ref, revision`, in(of), func(scan func(...any) error) error {
		var n issuance.Number
		var revision int64
		var on string
		var before, digest []byte
		if err := scan(&n.Municipality, &n.Ref, &revision, &on, &before, &digest); err != nil {
			return err
		}
		k, ok := out[n]
		if !ok {
			return nil
		}
		day, err := civil.Parse(on)
		if err != nil {
			return err
		}
		k.Revision, k.Past = revision, append(k.Past, before, digest)
		if day.After(k.Last) {
			k.Last = day
		}
		out[n] = k
		return nil
	})
}

// HoldRecords implements issuance.Rows. It takes one row after the other, in one order for
// everybody, so that nobody waits in a circle.
func (*Rows) HoldRecords(ctx context.Context, t tx.Tx, numbers []issuance.Number) error {
	numbers = slices.SortedFunc(slices.Values(numbers), func(a, b issuance.Number) int {
		return cmp.Or(strings.Compare(a.Ref, b.Ref), strings.Compare(string(a.Municipality), string(b.Municipality)))
	})
	for _, n := range numbers {
		if _, err := sqltx.Of(t).Exec(ctx, `UPDATE vaccination_ref SET digest = digest WHERE record_ref = $1 AND municipality = $2`,
			n.Ref, n.Municipality); err != nil {
			return err
		}
	}
	return nil
}

// Correct implements issuance.Rows.
func (*Rows) Correct(ctx context.Context, t tx.Tx, c issuance.Correction) error {
	before := ""
	if !c.Before.Void {
		raw, err := json.Marshal(c.Before.Now)
		if err != nil {
			return fmt.Errorf("cannot keep what is corrected: %w", err)
		}
		before = string(raw)
	}
	n, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO vaccination_history (citizen_id, municipality, record_ref, revision, act, before, before_digest, digest, corrected_on, reason, by_whom, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`,
		c.Citizen, c.Municipality, c.Ref, c.Before.Revision+1, string(c.Act), before, c.Before.Digest, c.Digest, c.On.String(), c.Reason, c.By, sqltx.Micros(c.At))
	if err != nil {
		return err
	}
	if n == 0 {
		return fault.New(fault.Conflict, "the record is being corrected: do it again")
	}
	if _, err := sqltx.Of(t).Exec(ctx, `UPDATE vaccination_ref SET digest = $1 WHERE record_ref = $2 AND municipality = $3`,
		c.RecordDigest, c.Ref, c.Municipality); err != nil {
		return err
	}
	if _, err := sqltx.Of(t).Exec(ctx, `DELETE FROM vaccination WHERE citizen_id = $1 AND municipality = $2 AND record_ref = $3`,
		c.Citizen, c.Municipality, c.Ref); err != nil || c.Act == issuance.Void {
		return err
	}
	_, err = bulk.Insert(ctx, sqltx.Of(t), "vaccination", recordColumns, [][]any{recordValues(c.Citizen, c.After)})
	return err
}

// Stating implements issuance.Rows.
func (*Rows) Stating(ctx context.Context, t tx.Tx, of identity.CitizenID, n issuance.Number) ([]issuance.Named, error) {
	var out []issuance.Named
	err := sqltx.Of(t).Each(ctx, `SELECT s.holder, s.certificate_id FROM certificate_statement AS s
		 WHERE s.citizen_id = $1 AND s.municipality = $2 AND s.record_ref = $3 ORDER BY s.holder, s.certificate_id`,
		[]any{of, n.Municipality, n.Ref}, func(scan func(...any) error) error {
			var c issuance.Named
			err := scan(&c.Holder, &c.ID)
			out = append(out, c)
			return err
		})
	return out, err
}
