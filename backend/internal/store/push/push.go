// Package push keeps devices, pushes and their outcomes in the store: the SQL of
// backend/internal/push.
package push

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Rows implements push.Rows and mailbox.Pushes on both engines.
type Rows struct{}

var _ push.Rows = (*Rows)(nil)

// New makes the rows.
func New(*sqltx.Pool) *Rows { return &Rows{} }

// PutDevice implements push.Rows.
func (*Rows) PutDevice(ctx context.Context, t tx.Tx, d push.Device) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO device (citizen_id, device, transport, token, token_hash, language, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (citizen_id, device) DO UPDATE SET transport = excluded.transport, token = excluded.token,
			token_hash = excluded.token_hash, language = excluded.language, updated_at = excluded.updated_at`,
		d.Citizen, d.Device, d.Transport, d.Token, push.TokenHash(d.Token), d.Language, sqltx.Micros(d.UpdatedAt))
	return err
}

// TakeToken implements push.Rows.
func (*Rows) TakeToken(ctx context.Context, t tx.Tx, hash []byte, of identity.CitizenID, device string) error {
	_, err := sqltx.Of(t).Exec(ctx, `
		INSERT INTO push_token (token_hash, citizen_id, device) VALUES ($1, $2, $3)
		ON CONFLICT (token_hash) DO UPDATE SET citizen_id = excluded.citizen_id, device = excluded.device`, hash, of, device)
	return err
}

// Drop implements push.Rows.
func (*Rows) Drop(ctx context.Context, t tx.Tx, of identity.CitizenID, device string, hash []byte) error {
	x := sqltx.Of(t)
	var dropped []byte
	err := x.Each(ctx, `DELETE FROM device WHERE citizen_id = $1 AND device = $2 AND ($3 OR token_hash = $4) RETURNING token_hash`,
		[]any{of, device, hash == nil, append([]byte{}, hash...)}, func(scan func(...any) error) error { return scan(&dropped) })
	if err != nil || dropped == nil {
		return err
	}
	_, err = x.Exec(ctx, `DELETE FROM push_token WHERE token_hash = $1 AND citizen_id = $2 AND device = $3`, dropped, of, device)
	return err
}

func in(ids []identity.CitizenID) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

// Devices implements push.Rows.
func (*Rows) Devices(ctx context.Context, t tx.Tx, of []identity.CitizenID) ([]push.Device, error) {
	var out []push.Device
	for part := range slices.Chunk(in(of), bulk.MaxPlaces) {
		err := sqltx.Of(t).Each(ctx, `SELECT citizen_id, device, transport, token, language, updated_at FROM device
			WHERE citizen_id IN `+bulk.List(1, len(part))+` ORDER BY citizen_id, updated_at DESC, device`, part,
			func(scan func(...any) error) error {
				var d push.Device
				var at int64
				if err := scan(&d.Citizen, &d.Device, &d.Transport, &d.Token, &d.Language, &at); err != nil {
					return err
				}
				d.UpdatedAt = sqltx.Time(at)
				out = append(out, d)
				return nil
			})
		if err != nil {
			return nil, err
		}
	}
	return owned(ctx, t, out)
}

// owned leaves out devices whose token is another's now. It asks apart, for the table of
// tokens is not the citizens'.
func owned(ctx context.Context, t tx.Tx, devices []push.Device) ([]push.Device, error) {
	type owner struct {
		citizen identity.CitizenID
		device  string
	}
	owners := map[string]owner{}
	for part := range slices.Chunk(devices, bulk.MaxPlaces) {
		hashes := make([]any, len(part))
		for i, d := range part {
			hashes[i] = push.TokenHash(d.Token)
		}
		err := sqltx.Of(t).Each(ctx, `SELECT token_hash, citizen_id, device FROM push_token WHERE token_hash IN `+bulk.List(1, len(hashes)), hashes,
			func(scan func(...any) error) error {
				var hash []byte
				var o owner
				if err := scan(&hash, &o.citizen, &o.device); err != nil {
					return err
				}
				owners[string(bytes.Clone(hash))] = o
				return nil
			})
		if err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(devices, func(d push.Device) bool {
		return owners[string(push.TokenHash(d.Token))] != owner{d.Citizen, d.Device}
	}), nil
}

// AddSends implements push.Rows.
func (*Rows) AddSends(ctx context.Context, t tx.Tx, sends []push.Send) error {
	rows := make([][]any, len(sends))
	for i, s := range sends {
		rows[i] = []any{s.Citizen, s.Notice, s.Device, s.Handle, sqltx.Micros(s.MadeAt)}
	}
	_, err := bulk.Insert(ctx, sqltx.Of(t), "push_send", []string{"citizen_id", "notice_id", "device", "handle", "made_at"}, rows)
	return err
}

// Open implements push.Rows.
func (*Rows) Open(ctx context.Context, t tx.Tx, wakes []push.Wake) ([]push.Send, error) {
	var out []push.Send
	for part := range slices.Chunk(wakes, bulk.MaxPlaces/2) {
		asked := map[push.Wake]bool{}
		var args []any
		for _, w := range part {
			asked[w] = true
			args = append(args, w.Citizen)
		}
		named := notices(part)
		args = append(args, named...)
		err := sqltx.Of(t).Each(ctx, `
			SELECT s.citizen_id, s.notice_id, s.device, s.handle, s.made_at FROM push_send s
			 WHERE s.citizen_id IN `+bulk.List(1, len(part))+` AND s.notice_id IN `+bulk.List(1+len(part), len(named))+`
			   AND NOT EXISTS (SELECT 1 FROM push_outcome o
			                    WHERE o.citizen_id = s.citizen_id AND o.notice_id = s.notice_id AND o.device = s.device)
			 ORDER BY s.citizen_id, s.notice_id, s.device`, args, func(scan func(...any) error) error {
			var s push.Send
			var at int64
			if err := scan(&s.Citizen, &s.Notice, &s.Device, &s.Handle, &at); err != nil {
				return err
			}
			s.MadeAt = sqltx.Time(at)
			if asked[push.Wake{Citizen: s.Citizen, Notice: s.Notice}] {
				out = append(out, s)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// notices gives the notices of the wakes, each once.
func notices(wakes []push.Wake) []any {
	seen := map[string]bool{}
	var out []any
	for _, w := range wakes {
		if !seen[w.Notice] {
			seen[w.Notice] = true
			out = append(out, w.Notice)
		}
	}
	return out
}

// Matters implements push.Rows.
func (*Rows) Matters(ctx context.Context, t tx.Tx, ids []string) (map[string]push.Matter, error) {
	out := map[string]push.Matter{}
	for part := range slices.Chunk(ids, bulk.MaxPlaces) {
		args := make([]any, len(part))
		for i, id := range part {
			args[i] = id
		}
		err := sqltx.Of(t).Each(ctx, `SELECT notice_id, municipality, about, texts, subject_kind FROM notice WHERE notice_id IN `+bulk.List(1, len(part)), args,
			func(scan func(...any) error) error {
				var id, about, texts string
				var m push.Matter
				if err := scan(&id, &m.Municipality, &about, &texts, &m.Subject); err != nil {
					return err
				}
				for one := range strings.FieldsSeq(about) {
					m.About = append(m.About, identity.CitizenID(one))
				}
				var words map[notice.Language]notice.Text
				if err := json.Unmarshal([]byte(texts), &words); err != nil {
					return err
				}
				m.Title = words[notice.Japanese].Title
				out[id] = m
				return nil
			})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// AddOutcomes implements push.Rows. The first outcome of a push stays.
func (*Rows) AddOutcomes(ctx context.Context, t tx.Tx, ended []push.Ended) error {
	rows := make([][]any, len(ended))
	for i, e := range ended {
		rows[i] = []any{e.Citizen, e.Notice, e.Device, e.Outcome, sqltx.Micros(e.At)}
	}
	_, err := bulk.Insert(ctx, sqltx.Of(t), "push_outcome", []string{"citizen_id", "notice_id", "device", "outcome", "at"}, rows)
	return err
}

// Done implements push.Rows.
func (*Rows) Done(ctx context.Context, t tx.Tx, id string, at time.Time) error {
	_, err := sqltx.Of(t).Exec(ctx, `INSERT INTO push_done (notice_id, at) VALUES ($1, $2) ON CONFLICT (notice_id) DO NOTHING`, id, sqltx.Micros(at))
	return err
}

// NoticeOf gives the notice that a push to the citizen announced, "" where the handle is
// not one of theirs.
func (*Rows) NoticeOf(ctx context.Context, t tx.Tx, of identity.CitizenID, handle string) (notice string, err error) {
	err = sqltx.Of(t).Each(ctx, `SELECT notice_id FROM push_send WHERE citizen_id = $1 AND handle = $2`, []any{of, handle},
		func(scan func(...any) error) error { return scan(&notice) })
	return notice, err
}

// Pushed lists the recipients of the notice to whom a push service took a push.
func (*Rows) Pushed(ctx context.Context, t tx.Tx, notice string) (map[identity.CitizenID]bool, error) {
	out := map[identity.CitizenID]bool{}
	err := sqltx.Of(t).Each(ctx, `SELECT DISTINCT citizen_id FROM push_outcome WHERE notice_id = $1 AND outcome = $2`,
		[]any{notice, push.Accepted}, func(scan func(...any) error) error {
			var id identity.CitizenID
			if err := scan(&id); err != nil {
				return err
			}
			out[id] = true
			return nil
		})
	return out, err
}

// CountPushed counts the recipients of the notice to whom a push service took a push.
func (*Rows) CountPushed(ctx context.Context, t tx.Tx, notice string) (n int, err error) {
	err = sqltx.Of(t).Each(ctx, `SELECT count(DISTINCT citizen_id) FROM push_outcome WHERE notice_id = $1 AND outcome = $2`,
		[]any{notice, push.Accepted}, func(scan func(...any) error) error { return scan(&n) })
	return n, err
}
