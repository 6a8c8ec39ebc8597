package queue

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/wire"
)

// The buckets. Keys are positions (8 bytes, big-endian) but for ids (a UUID's 16 bytes) and
// state (a name). Values are sealed to their place by the vault, but for those of ids: a
// position in clear, checked against what it leads to. A file without ids was salvaged or
// made by an older program, and is gone through once at Open.
const (
	recordsBucket = "queue/records"
	marksBucket   = "queue/marks"
	idsBucket     = "queue/ids"
	stateBucket   = "queue/state"
)

var (
	stateKey     = []byte("state")
	confirmedKey = []byte("confirmed")
	oldCursorKey = []byte("cursor") // of layout 1
)

// sealing is what sealing adds to a value, at most, in bytes: an estimate for admission; what
// is counted is what is stored.
const sealing = 128

// mark is what became of a record. One without a mark waits. A record that waits again keeps
// a mark that says so: a mark that was deleted could come back from a damaged file.
type mark struct {
	ID       string      `json:"i,omitempty"`
	Status   wire.Status `json:"s,omitempty"` // empty while it waits, and when Damaged
	Code     string      `json:"c,omitempty"`
	At       int64       `json:"t,omitempty"` // unix milliseconds by the terminal's clock
	Lived    int64       `json:"l,omitempty"` // the queue's age then, milliseconds
	Damaged  bool        `json:"d,omitempty"`
	Wants    bool        `json:"n,omitempty"` // it is accepted and wants an answer
	Answered bool        `json:"a,omitempty"`
	OldID    string      `json:"w,omitempty"` // of layout 1: the ID, where it wants an answer
}

func (m mark) waits() bool { return m.Status == "" && !m.Damaged }

func (m mark) dead() bool {
	return m.Damaged || m.Status == wire.Rejected || m.Status == wire.Conflict
}

func (m mark) kept() bool { return !m.waits() && !m.dead() }

func (m mark) unanswered() bool { return m.kept() && m.Wants && !m.Answered }

func (m mark) state() State {
	switch {
	case m.Damaged:
		return Damaged
	case m.Status == "":
		return StateWaiting
	}
	return State(m.Status)
}

// stored is a record with what the queue alone knows of it.
type stored struct {
	wire.Record
	lived int64 // the queue's age when it came, milliseconds
}

// layoutVersion begins a stored record. Those of layout 1 begin with 0, the top of a length.
const layoutVersion = 2

// encode gives the plain bytes of a record: version, ID, the chain's hash before it,
// sequence, time (microseconds), the queue's age, epoch, kind, and Body to the end.
func encode(s stored) ([]byte, error) {
	id, err := uuid.Parse(s.ID)
	if err != nil {
		return nil, fmt.Errorf("cannot write a record: %w", err)
	}
	b := make([]byte, 0, 64+len(s.Prev)+len(s.Epoch)+len(s.Kind)+len(s.Body))
	b = append(append(append(b, layoutVersion), id[:]...), s.Prev[:]...)
	b = binary.AppendUvarint(b, s.Sequence)
	b = binary.AppendVarint(b, s.At.UnixMicro())
	b = binary.AppendVarint(b, s.lived)
	b = append(append(b, byte(len(s.Epoch))), s.Epoch...)
	b = append(append(b, byte(len(s.Kind))), s.Kind...)
	return append(b, s.Body...), nil
}

// decode reads what encode writes, and records of layout 1. It keeps none of plain but the
// Body. Its error is vault.ErrDamaged.
func decode(pos uint64, plain []byte) (stored, error) {
	if len(plain) > 0 && plain[0] == 0 {
		return decodeOld(pos, plain)
	}
	d := reader{rest: plain}
	var s stored
	version := d.take(1)
	id, prev := d.take(16), d.take(len(s.Prev))
	s.Sequence = d.uvarint()
	s.At = time.UnixMicro(d.varint()).UTC()
	s.lived = d.varint()
	s.Epoch = string(d.text())
	s.Kind = wire.Kind(d.text())
	if d.failed || version[0] != layoutVersion {
		return stored{}, vault.ErrDamaged
	}
	s.ID, s.Prev, s.Body = uuid.UUID(id).String(), wire.Hash(prev), d.rest
	return s, nil
}

// decodeOld reads a record of layout 1: the length of a JSON header, the header, and Body.
// Its position was its sequence, and it has no chain.
func decodeOld(pos uint64, plain []byte) (stored, error) {
	if len(plain) < 4 || uint64(len(plain)-4) < uint64(binary.BigEndian.Uint32(plain)) {
		return stored{}, vault.ErrDamaged
	}
	body := 4 + int(binary.BigEndian.Uint32(plain))
	var h struct {
		ID    string    `json:"id"`
		Epoch string    `json:"epoch"`
		Kind  wire.Kind `json:"kind"`
		At    time.Time `json:"at"`
	}
	if json.Unmarshal(plain[4:body], &h) != nil {
		return stored{}, vault.ErrDamaged
	}
	return stored{Record: wire.Record{ID: h.ID, Epoch: h.Epoch, Sequence: pos, Kind: h.Kind, At: h.At, Body: plain[body:]}}, nil
}

// reader takes fields off a record. After a failure it gives zero values of the right length.
type reader struct {
	rest   []byte
	failed bool
}

func (d *reader) take(n int) []byte {
	if d.failed || len(d.rest) < n {
		d.failed = true
		return make([]byte, n)
	}
	field := d.rest[:n]
	d.rest = d.rest[n:]
	return field
}

func (d *reader) text() []byte { return d.take(int(d.take(1)[0])) }

func (d *reader) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.take(max(n, 0))
	d.failed = d.failed || n <= 0
	return v
}

func (d *reader) varint() int64 {
	v, n := binary.Varint(d.rest)
	d.take(max(n, 0))
	d.failed = d.failed || n <= 0
	return v
}

func key(pos uint64) []byte { return binary.BigEndian.AppendUint64(nil, pos) }

func position(k []byte) uint64 {
	if len(k) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(k)
}

func records(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket([]byte(recordsBucket)) }

func marks(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket([]byte(marksBucket)) }

func ids(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket([]byte(idsBucket)) }

// open gives the record that a cursor found. Every fault of its bytes is vault.ErrDamaged.
func (q *Queue) open(pos uint64, sealed []byte) (stored, error) {
	plain, err := q.v.Open(recordsBucket, key(pos), sealed)
	if err != nil {
		return stored{}, err
	}
	return decode(pos, plain)
}

// read gives a copy of a stored record.
func (q *Queue) read(tx *bbolt.Tx, pos uint64) (stored, error) {
	return q.open(pos, records(tx).Get(key(pos)))
}

func size(tx *bbolt.Tx, pos uint64) int { return len(records(tx).Get(key(pos))) }

func lookUp(tx *bbolt.Tx, id uuid.UUID) (pos uint64, ok bool) {
	b := ids(tx).Get(id[:])
	return position(b), len(b) == 8
}

// look gives a record's mark, the zero one where it has none. Its error is vault.ErrDamaged;
// the record then counts as waiting: it is sent again, and the backend knows it by its ID.
func (q *Queue) look(tx *bbolt.Tx, pos uint64) (mark, error) {
	sealed := marks(tx).Get(key(pos))
	if sealed == nil {
		return mark{}, nil
	}
	return q.openMark(pos, sealed)
}

func (q *Queue) openMark(pos uint64, sealed []byte) (m mark, err error) {
	plain, err := q.v.Open(marksBucket, key(pos), sealed)
	if err != nil {
		return mark{}, err
	}
	if json.Unmarshal(plain, &m) != nil {
		return mark{}, vault.ErrDamaged
	}
	if m.OldID != "" {
		m.ID, m.Wants, m.OldID = m.OldID, true, ""
	}
	return m, nil
}

func (q *Queue) putMark(tx *bbolt.Tx, pos uint64, m mark) error {
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("cannot write a mark: %w", err)
	}
	return q.v.Put(tx, marksBucket, key(pos), b)
}
