// Package mailbox keeps notices and their deliveries in the store: the SQL of
// backend/internal/mailbox.
package mailbox

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Rows implements mailbox.Rows on both engines.
type Rows struct{}

var _ mailbox.Rows = (*Rows)(nil)

// New makes the rows.
func New(*sqltx.Pool) *Rows { return &Rows{} }

// unread stands in read_at for a notice that was not opened yet.
const unread = int64(-1)

var noticeColumns = []string{"notice_id", "municipality", "client_id", "fingerprint", "number", "kind", "sender", "phone", "deadline",
	"texts", "written_by", "recipients", "sent_at", "posting", "about", "subject_kind", "subject_id"}

// Insert implements mailbox.Rows.
func (r *Rows) Insert(ctx context.Context, t tx.Tx, n mailbox.Notice) (bool, error) {
	stored, err := r.InsertAll(ctx, t, []mailbox.Notice{n})
	return stored == 1, err
}

// InsertAll implements mailbox.Rows.
func (*Rows) InsertAll(ctx context.Context, t tx.Tx, notices []mailbox.Notice) (int, error) {
	rows := make([][]any, len(notices))
	for i, n := range notices {
		texts, err := json.Marshal(n.Texts)
		if err != nil {
			return 0, fmt.Errorf("cannot store a notice: %w", err)
		}
		about := make([]string, len(n.About))
		for j, id := range n.About {
			about[j] = string(id)
		}
		rows[i] = []any{n.ID, n.Municipality, n.ClientID, n.Fingerprint, n.Number, n.Kind, n.Sender, n.Phone, n.Deadline.String(), string(texts),
			n.WrittenBy, n.Recipients, sqltx.Micros(n.SentAt), n.Posting, strings.Join(about, " "), n.Subject.Kind, n.Subject.ID}
	}
	stored, err := bulk.Insert(ctx, sqltx.Of(t), "notice", noticeColumns, rows)
	return int(stored), err
}

// AddCopies implements mailbox.Rows.
func (*Rows) AddCopies(ctx context.Context, t tx.Tx, copies []mailbox.Copy) (int, error) {
	rows := make([][]any, len(copies))
	for i, c := range copies {
		read := unread
		if !c.ReadAt.IsZero() {
			read = sqltx.Micros(c.ReadAt)
		}
		rows[i] = []any{c.Citizen, c.Notice, c.Channel, c.Municipality, sqltx.Micros(c.SentAt), read}
	}
	stored, err := bulk.Insert(ctx, sqltx.Of(t), "delivery", []string{"citizen_id", "notice_id", "channel", "municipality", "sent_at", "read_at"}, rows)
	return int(stored), err
}

const columns = `n.notice_id, n.municipality, n.client_id, n.fingerprint, n.number, n.kind, n.sender, n.phone, n.deadline, n.texts, n.written_by, n.recipients, n.sent_at, n.posting, n.about, n.subject_kind, n.subject_id`

func scanNotice(scan func(...any) error, more ...any) (mailbox.Notice, error) {
	var n mailbox.Notice
	var deadline, texts, about string
	var at int64
	err := scan(append([]any{&n.ID, &n.Municipality, &n.ClientID, &n.Fingerprint, &n.Number, &n.Kind, &n.Sender, &n.Phone,
		&deadline, &texts, &n.WrittenBy, &n.Recipients, &at, &n.Posting, &about, &n.Subject.Kind, &n.Subject.ID}, more...)...)
	if err != nil {
		return n, err
	}
	n.SentAt = sqltx.Time(at)
	for id := range strings.FieldsSeq(about) {
		n.About = append(n.About, identity.CitizenID(id))
	}
	if deadline != "" {
		if n.Deadline, err = civil.Parse(deadline); err != nil {
			return n, err
		}
	}
	return n, json.Unmarshal([]byte(texts), &n.Texts)
}

func readTime(at int64) time.Time {
	if at == unread {
		return time.Time{}
	}
	return sqltx.Time(at)
}

func notices(ctx context.Context, t tx.Tx, query string, args ...any) ([]mailbox.Notice, error) {
	var out []mailbox.Notice
	err := sqltx.Of(t).Each(ctx, query, args, func(scan func(...any) error) error {
		n, err := scanNotice(scan)
		out = append(out, n)
		return err
	})
	return out, err
}

func one(found []mailbox.Notice, err error) (mailbox.Notice, bool, error) {
	if err != nil || len(found) == 0 {
		return mailbox.Notice{}, false, err
	}
	return found[0], true, nil
}

// ByClient implements mailbox.Rows.
func (*Rows) ByClient(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, clientID string) (mailbox.Notice, bool, error) {
	return one(notices(ctx, t, `SELECT `+columns+` FROM notice n WHERE n.municipality = $1 AND n.client_id = $2`, m, clientID))
}

// ByID implements mailbox.Rows.
func (*Rows) ByID(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string) (mailbox.Notice, bool, error) {
	return one(notices(ctx, t, `SELECT `+columns+` FROM notice n WHERE n.municipality = $1 AND n.notice_id = $2 AND n.posting = ''`, m, id))
}

// Sent implements mailbox.Rows.
func (*Rows) Sent(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, after mailbox.Place, limit int) ([]mailbox.Notice, error) {
	return notices(ctx, t, `SELECT `+columns+` FROM notice n
		WHERE n.municipality = $1 AND n.posting = '' AND ($2 OR n.sent_at < $3 OR (n.sent_at = $3 AND n.notice_id < $4))
		ORDER BY n.sent_at DESC, n.notice_id DESC LIMIT $5`, m, after.ID == "", sqltx.Micros(after.At), after.ID, limit)
}

// Version implements mailbox.Rows: what a list shows changes only when a notice comes or
// is read.
func (*Rows) Version(ctx context.Context, t tx.Tx, of identity.CitizenID) (string, error) {
	var count, read, last int64
	err := sqltx.Of(t).Each(ctx, `
		SELECT count(*), coalesce(sum(CASE WHEN read_at >= 0 THEN 1 ELSE 0 END), 0), coalesce(max(sent_at), 0)
		  FROM delivery WHERE citizen_id = $1 AND channel = $2`, []any{of, notice.App}, func(scan func(...any) error) error { return scan(&count, &read, &last) })
	return fmt.Sprintf("%d-%d-%d", count, read, last), err
}

const received = `SELECT ` + columns + `, d.read_at FROM delivery d JOIN notice n ON n.notice_id = d.notice_id
	WHERE d.citizen_id = $1 AND d.channel = $2`

func receivedBy(ctx context.Context, t tx.Tx, query string, args ...any) ([]mailbox.Received, error) {
	var out []mailbox.Received
	err := sqltx.Of(t).Each(ctx, query, args, func(scan func(...any) error) error {
		var read int64
		n, err := scanNotice(scan, &read)
		out = append(out, mailbox.Received{Notice: n, ReadAt: readTime(read)})
		return err
	})
	return out, err
}

// Newest implements mailbox.Rows.
func (*Rows) Newest(ctx context.Context, t tx.Tx, of identity.CitizenID, after mailbox.Place, limit int) ([]mailbox.Received, error) {
	return receivedBy(ctx, t, received+` AND ($3 OR d.sent_at < $4 OR (d.sent_at = $4 AND d.notice_id < $5))
		ORDER BY d.sent_at DESC, d.notice_id DESC LIMIT $6`, of, notice.App, after.ID == "", sqltx.Micros(after.At), after.ID, limit)
}

// Get implements mailbox.Rows.
func (*Rows) Get(ctx context.Context, t tx.Tx, of identity.CitizenID, id string) (mailbox.Received, bool, error) {
	found, err := receivedBy(ctx, t, received+` AND d.notice_id = $3`, of, notice.App, id)
	if err != nil || len(found) == 0 {
		return mailbox.Received{}, false, err
	}
	return found[0], true, nil
}

// MarkRead implements mailbox.Rows.
func (*Rows) MarkRead(ctx context.Context, t tx.Tx, of identity.CitizenID, id string, at time.Time) error {
	_, err := sqltx.Of(t).Exec(ctx, `UPDATE delivery SET read_at = $1 WHERE citizen_id = $2 AND notice_id = $3 AND channel = $4 AND read_at = $5`,
		sqltx.Micros(at), of, id, notice.App, unread)
	return err
}

func copies(ctx context.Context, t tx.Tx, query string, args ...any) ([]mailbox.Copy, error) {
	var out []mailbox.Copy
	err := sqltx.Of(t).Each(ctx, `SELECT d.citizen_id, d.notice_id, d.channel, d.municipality, d.sent_at, d.read_at FROM delivery d `+query, args,
		func(scan func(...any) error) error {
			var c mailbox.Copy
			var sent, read int64
			err := scan(&c.Citizen, &c.Notice, &c.Channel, &c.Municipality, &sent, &read)
			c.SentAt, c.ReadAt = sqltx.Time(sent), readTime(read)
			out = append(out, c)
			return err
		})
	return out, err
}

// Deliveries implements mailbox.Rows.
func (*Rows) Deliveries(ctx context.Context, t tx.Tx, id string) ([]mailbox.Copy, error) {
	return copies(ctx, t, `WHERE d.notice_id = $1 AND d.channel IN ($2, $3) ORDER BY d.citizen_id`, id, notice.App, mailbox.Withheld)
}

// CopyOf implements mailbox.Rows.
func (*Rows) CopyOf(ctx context.Context, t tx.Tx, of identity.CitizenID, id string) (mailbox.Copy, bool, error) {
	found, err := copies(ctx, t, `WHERE d.citizen_id = $1 AND d.notice_id = $2 AND d.channel IN ($3, $4)`, of, id, notice.App, mailbox.Withheld)
	if err != nil || len(found) == 0 {
		return mailbox.Copy{}, false, err
	}
	return found[0], true, nil
}

// CountRead implements mailbox.Rows.
func (*Rows) CountRead(ctx context.Context, t tx.Tx, id string) (n int, err error) {
	err = sqltx.Of(t).Each(ctx, `SELECT count(*) FROM delivery WHERE notice_id = $1 AND channel = $2 AND read_at >= 0`,
		[]any{id, notice.App}, func(scan func(...any) error) error { return scan(&n) })
	return n, err
}

// Swept implements mailbox.Rows.
func (*Rows) Swept(ctx context.Context, t tx.Tx, id string, at time.Time) (bool, error) {
	rows, err := sqltx.Of(t).Exec(ctx, `INSERT INTO push_swept (notice_id, at) VALUES ($1, $2) ON CONFLICT (notice_id) DO NOTHING`, id, sqltx.Micros(at))
	return rows == 1, err
}
