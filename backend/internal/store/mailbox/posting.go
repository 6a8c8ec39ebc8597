package mailbox

import (
	"context"
	"slices"
	"time"

	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Posted implements mailbox.Rows.
func (*Rows) Posted(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, clientIDs []string) (map[string]mailbox.PostedCopy, error) {
	out := map[string]mailbox.PostedCopy{}
	for part := range slices.Chunk(clientIDs, bulk.MaxPlaces-3) {
		args := []any{m, notice.App, mailbox.Withheld}
		for _, id := range part {
			args = append(args, id)
		}
		err := sqltx.Of(t).Each(ctx, `
			SELECT n.client_id, n.notice_id, n.fingerprint, d.channel FROM notice n JOIN delivery d ON d.notice_id = n.notice_id
			 WHERE n.municipality = $1 AND d.channel IN ($2, $3) AND n.client_id IN `+bulk.List(4, len(part)), args,
			func(scan func(...any) error) error {
				var id string
				var p mailbox.PostedCopy
				var channel notice.Channel
				err := scan(&id, &p.Notice, &p.Fingerprint, &channel)
				p.Withheld, p.Fingerprint = channel == mailbox.Withheld, slices.Clone(p.Fingerprint)
				out[id] = p
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Proven implements mailbox.Rows.
func (*Rows) Proven(ctx context.Context, t tx.Tx, of []mailbox.Delivered) ([]mailbox.Copy, error) {
	var out []mailbox.Copy
	for part := range slices.Chunk(of, (bulk.MaxPlaces-1)/2) {
		asked := map[mailbox.Delivered]bool{}
		args := []any{mailbox.Withheld}
		for _, d := range part {
			asked[d] = true
			args = append(args, d.Citizen)
		}
		for _, d := range part {
			args = append(args, d.Notice)
		}
		found, err := copies(ctx, t, `WHERE d.channel <> $1 AND d.read_at >= 0 AND d.citizen_id IN `+bulk.List(2, len(part))+
			` AND d.notice_id IN `+bulk.List(2+len(part), len(part)), args...)
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			if asked[mailbox.Delivered{Citizen: c.Citizen, Notice: c.Notice}] {
				out = append(out, c)
			}
		}
	}
	return out, nil
}

// pushed names what pushes are counted by: the posting, or the notice that an officer wrote.
const pushed = `CASE WHEN n.posting = '' THEN n.notice_id ELSE n.posting END`

// Lost implements mailbox.Rows.
func (*Rows) Lost(ctx context.Context, t tx.Tx, from, until time.Time, limit int) ([]mailbox.Lost, error) {
	var out []mailbox.Lost
	err := sqltx.Of(t).Each(ctx, `
		SELECT `+pushed+`, n.sent_at, min(n.municipality) FROM notice n
		 WHERE n.sent_at >= $1 AND n.sent_at < $2
		   AND NOT EXISTS (SELECT 1 FROM push_done p WHERE p.notice_id = `+pushed+`)
		   AND NOT EXISTS (SELECT 1 FROM push_swept s WHERE s.notice_id = `+pushed+`)
		 GROUP BY `+pushed+`, n.sent_at ORDER BY n.sent_at, `+pushed+` LIMIT $3`,
		[]any{sqltx.Micros(from), sqltx.Micros(until), limit}, func(scan func(...any) error) error {
			var l mailbox.Lost
			var at int64
			err := scan(&l.ID, &at, &l.Municipality)
			l.SentAt = sqltx.Time(at)
			out = append(out, l)
			return err
		})
	return out, err
}

// Owed implements mailbox.Rows.
func (*Rows) Owed(ctx context.Context, t tx.Tx, l mailbox.Lost) ([]mailbox.Copy, error) {
	return copies(ctx, t, `JOIN notice n ON n.notice_id = d.notice_id
		WHERE n.sent_at = $1 AND `+pushed+` = $2 AND d.channel = $3 ORDER BY d.citizen_id, d.notice_id`, sqltx.Micros(l.SentAt), l.ID, notice.App)
}
