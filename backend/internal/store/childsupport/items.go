package childsupport

import (
	"context"
	"crypto/sha256"
	"slices"
	"strconv"

	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

var items = bulk.Table{
	Name:    "child_item",
	Key:     []string{"pseudonym", "source", "item", "part", "as_of"},
	Columns: []string{"municipality", "value", "expires_on"},
}

func itemRow(m identity.MunicipalityCode, i childsupport.Item) bulk.Row {
	digest := sha256.Sum256([]byte(i.Value))
	return bulk.Row{
		Key:    []any{i.Pseudonym, i.Source, i.Name, i.Part, i.AsOf.String()},
		Values: []any{string(m), i.Value, i.ExpiresOn.String()},
		Digest: digest[:],
	}
}

// Newest implements childsupport.Rows.
func (*Rows) Newest(ctx context.Context, t tx.Tx, source string, m identity.MunicipalityCode) (civil.Date, error) {
	var s string
	err := sqltx.Of(t).Each(ctx, `SELECT coalesce(max(as_of), '') FROM child_delivery WHERE municipality = $1 AND source = $2`,
		[]any{m, source}, func(scan func(...any) error) error { return scan(&s) })
	if err != nil || s == "" {
		return civil.Date{}, err
	}
	return civil.Parse(s)
}

// AddItems implements childsupport.Rows.
func (*Rows) AddItems(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, in []childsupport.Item) ([]importing.Result, error) {
	var out []importing.Result
	for part := range slices.Chunk(in, bulk.MaxRows) {
		rows := make([]bulk.Row, len(part))
		for i, item := range part {
			rows[i] = itemRow(m, item)
		}
		results, err := items.Add(ctx, sqltx.Of(t), rows)
		if err != nil {
			return nil, err
		}
		out = append(out, results...)
	}
	return out, nil
}

// ReplaceItem implements childsupport.Rows.
func (*Rows) ReplaceItem(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, i childsupport.Item) error {
	return items.Replace(ctx, sqltx.Of(t), itemRow(m, i))
}

// Delivered implements childsupport.Rows.
func (*Rows) Delivered(ctx context.Context, t tx.Tx, d childsupport.Delivery) error {
	_, err := sqltx.Of(t).Exec(ctx, `INSERT INTO child_delivery (delivery_id, source, municipality, as_of, at) VALUES ($1, $2, $3, $4, $5)`,
		d.ID, d.Source, d.Municipality, d.AsOf.String(), sqltx.Micros(d.At))
	return err
}

// Deliveries implements childsupport.Rows.
func (*Rows) Deliveries(ctx context.Context, t tx.Tx, m identity.MunicipalityCode) (n int64, err error) {
	err = sqltx.Of(t).Each(ctx, `SELECT count(*) FROM child_delivery WHERE municipality = $1`, []any{m},
		func(scan func(...any) error) error { return scan(&n) })
	return n, err
}

// Items implements childsupport.Rows.
func (*Rows) Items(ctx context.Context, t tx.Tx, source string, names, pseudonyms []string) ([]childsupport.Item, error) {
	var out []childsupport.Item
	for part := range slices.Chunk(pseudonyms, bulk.MaxPlaces-len(names)-1) {
		args := []any{source}
		for _, s := range slices.Concat(names, part) {
			args = append(args, s)
		}
		err := sqltx.Of(t).Each(ctx, `
			SELECT o.pseudonym, o.item, o.part, o.as_of, o.value, o.expires_on FROM child_item o
			 WHERE o.source = $1 AND o.item IN `+bulk.List(2, len(names))+` AND o.pseudonym IN `+bulk.List(2+len(names), len(part))+`
			   AND NOT EXISTS (SELECT 1 FROM child_item n WHERE n.pseudonym = o.pseudonym AND n.source = o.source
			                      AND n.item = o.item AND n.part = o.part AND n.as_of > o.as_of)
			 ORDER BY o.pseudonym, o.item, o.part`, args, func(scan func(...any) error) error {
			i := childsupport.Item{Source: source}
			var asOf, until string
			if err := scan(&i.Pseudonym, &i.Name, &i.Part, &asOf, &i.Value, &until); err != nil {
				return err
			}
			err := days(map[*civil.Date]string{&i.AsOf: asOf, &i.ExpiresOn: until})
			out = append(out, i)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// conditions of what a batch erases; $4 is the cutoff.
var erases = map[childsupport.Why]string{
	childsupport.PastRetention: `o.expires_on < $4`,
	childsupport.Superseded: `o.as_of < $4 AND EXISTS (SELECT 1 FROM child_item n WHERE n.pseudonym = o.pseudonym AND n.source = o.source
		AND n.item = o.item AND n.part = o.part AND n.as_of > o.as_of)`,
}

// EraseItems implements childsupport.Rows. The pseudonyms are taken in their order, so that
// two processes that erase at once wait for each other and do not lock up.
func (*Rows) EraseItems(ctx context.Context, t tx.Tx, b childsupport.Batch, limit int) ([]string, error) {
	where := ` o.municipality = $1 AND o.source = $2 AND o.item = $3 AND ` + erases[b.Why]
	args := []any{b.Municipality, b.Source, b.Item, b.Cutoff.String()}
	var found []any
	err := sqltx.Of(t).Each(ctx, `SELECT DISTINCT o.pseudonym FROM child_item o WHERE`+where+` ORDER BY o.pseudonym LIMIT $5`,
		append(slices.Clone(args), limit), func(scan func(...any) error) error {
			var p string
			err := scan(&p)
			found = append(found, p)
			return err
		})
	if err != nil {
		return nil, err
	}
	var keys []string
	for part := range slices.Chunk(found, bulk.MaxPlaces-len(args)) {
		err := sqltx.Of(t).Each(ctx, `DELETE FROM child_item AS o WHERE`+where+` AND o.pseudonym IN `+bulk.List(len(args)+1, len(part))+`
			RETURNING pseudonym, source, item, part, as_of`, slices.Concat(args, part), func(scan func(...any) error) error {
			var k [5]string
			err := scan(&k[0], &k[1], &k[2], &k[3], &k[4])
			key := ""
			for _, s := range k {
				key += strconv.Itoa(len(s)) + ":" + s
			}
			keys = append(keys, key)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// Pass implements childsupport.Rows.
func (*Rows) Pass(ctx context.Context, t tx.Tx, m identity.MunicipalityCode) (childsupport.Pass, error) {
	p := childsupport.Pass{Municipality: m}
	err := sqltx.Of(t).Each(ctx, `SELECT day, seen, after_child, done FROM child_pass WHERE municipality = $1`, []any{m},
		func(scan func(...any) error) error {
			var day string
			if err := scan(&day, &p.Seen, &p.After, &p.Done); err != nil {
				return err
			}
			return days(map[*civil.Date]string{&p.Day: day})
		})
	return p, err
}

// Step implements childsupport.Rows.
func (*Rows) Step(ctx context.Context, t tx.Tx, before, now childsupport.Pass) (bool, error) {
	if before.Day.IsZero() {
		n, err := sqltx.Of(t).Exec(ctx, `INSERT INTO child_pass (municipality, day, seen, after_child, done) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (municipality) DO NOTHING`, now.Municipality, now.Day.String(), now.Seen, now.After, now.Done)
		return n == 1, err
	}
	n, err := sqltx.Of(t).Exec(ctx, `UPDATE child_pass SET day = $1, seen = $2, after_child = $3, done = $4
		WHERE municipality = $5 AND day = $6 AND seen = $7 AND after_child = $8 AND done = $9`,
		now.Day.String(), now.Seen, now.After, now.Done,
		before.Municipality, before.Day.String(), before.Seen, before.After, before.Done)
	return n == 1, err
}
