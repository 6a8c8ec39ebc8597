package queue

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/wire"
)

// The buckets, all below "queue". Keys are sequences (8 bytes, big-endian) or IDs (16
// bytes); values are sealed to their place, but for the index of IDs, which is checked
// against the record it leads to.
var (
	topBucket     = []byte("queue")
	recordsBucket = []byte("records")
	idsBucket     = []byte("ids")
	marksBucket   = []byte("marks")
	stateBucket   = []byte("state")

	epochKey  = []byte("epoch")
	cursorKey = []byte("cursor")
	proofKey  = []byte("proof")
)

// mark is what became of a record. A record without a mark waits.
type mark struct {
	Status   wire.Status `json:"s,omitempty"`
	Code     string      `json:"c,omitempty"`
	At       int64       `json:"t"` // unix milliseconds
	Damaged  bool        `json:"d,omitempty"`
	Wanted   string      `json:"w,omitempty"` // the record's ID while its answer is awaited
	Answered bool        `json:"a,omitempty"`
}

func (m mark) dead() bool {
	return m.Damaged || m.Status == wire.Rejected || m.Status == wire.Conflict
}

// header is a stored record without Body and without Sequence, which is its key.
type header struct {
	ID    string    `json:"id"`
	Epoch string    `json:"epoch"`
	Kind  wire.Kind `json:"kind"`
	At    time.Time `json:"at"`
}

func key(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func recordPlace(seq uint64) string { return "queue/records/" + strconv.FormatUint(seq, 10) }

func markPlace(seq uint64) string { return "queue/marks/" + strconv.FormatUint(seq, 10) }

func bucket(tx *bbolt.Tx, name []byte) *bbolt.Bucket { return tx.Bucket(topBucket).Bucket(name) }

// begin makes the buckets of a new file and its epoch. A known file whose epoch does not
// open gets a new one, for records to come: those that wait carry their own.
func (q *Queue) begin() error {
	known, whole := false, false
	err := q.v.View(func(tx *bbolt.Tx) error {
		if known = tx.Bucket(topBucket) != nil; known {
			epoch, err := q.getState(tx, epochKey)
			whole = err == nil && len(epoch) > 0
		}
		return nil
	})
	switch {
	case err != nil, whole:
		return err
	case known:
		return q.v.Update(q.newEpoch)
	}
	return q.v.Update(func(tx *bbolt.Tx) error {
		top, err := tx.CreateBucket(topBucket)
		if err != nil {
			return err
		}
		for _, name := range [][]byte{recordsBucket, idsBucket, marksBucket, stateBucket} {
			if _, err := top.CreateBucket(name); err != nil {
				return err
			}
		}
		return q.newEpoch(tx)
	})
}

func (q *Queue) newEpoch(tx *bbolt.Tx) error {
	epoch, err := q.source.New("epo")
	if err != nil {
		return err
	}
	return q.putState(tx, epochKey, []byte(epoch))
}

func (q *Queue) putState(tx *bbolt.Tx, name, value []byte) error {
	return bucket(tx, stateBucket).Put(name, q.v.Seal("queue/state/"+string(name), value))
}

func (q *Queue) getState(tx *bbolt.Tx, name []byte) ([]byte, error) {
	sealed := bucket(tx, stateBucket).Get(name)
	if sealed == nil {
		return nil, nil
	}
	return q.v.Unseal("queue/state/"+string(name), sealed)
}

// encode gives the stored bytes of a record, sealed to its sequence.
func (q *Queue) encode(r wire.Record) ([]byte, error) {
	head, err := json.Marshal(header{r.ID, r.Epoch, r.Kind, r.At})
	if err != nil {
		return nil, fmt.Errorf("cannot write a record: %w", err)
	}
	plain := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(head)+len(r.Body)), uint32(len(head)))
	plain = append(append(plain, head...), r.Body...)
	return q.v.Seal(recordPlace(r.Sequence), plain), nil
}

// read gives a copy of a stored record. Every fault of its bytes is vault.ErrDamaged.
func (q *Queue) read(tx *bbolt.Tx, seq uint64) (wire.Record, error) {
	plain, err := q.v.Unseal(recordPlace(seq), bucket(tx, recordsBucket).Get(key(seq)))
	if err != nil {
		return wire.Record{}, err
	}
	if len(plain) < 4 || uint64(len(plain)-4) < uint64(binary.BigEndian.Uint32(plain)) {
		return wire.Record{}, vault.ErrDamaged
	}
	body := 4 + int(binary.BigEndian.Uint32(plain))
	var h header
	if json.Unmarshal(plain[4:body], &h) != nil {
		return wire.Record{}, vault.ErrDamaged
	}
	return wire.Record{ID: h.ID, Epoch: h.Epoch, Sequence: seq, Kind: h.Kind, At: h.At, Body: plain[body:]}, nil
}

func lookUp(tx *bbolt.Tx, id uuid.UUID) (seq uint64, ok bool) {
	b := bucket(tx, idsBucket).Get(id[:])
	if len(b) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

func (q *Queue) putMark(tx *bbolt.Tx, seq uint64, m mark) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return vault.Fill(bucket(tx, marksBucket)).Put(key(seq), q.v.Seal(markPlace(seq), b))
}

// getMark gives a record's mark. One that does not open counts as absent: the record is
// sent again, and the backend knows it by its ID.
func (q *Queue) getMark(seq uint64, sealed []byte) (m mark, ok bool) {
	if sealed == nil {
		return m, false
	}
	plain, err := q.v.Unseal(markPlace(seq), sealed)
	return m, err == nil && json.Unmarshal(plain, &m) == nil
}

func (q *Queue) eachMark(tx *bbolt.Tx, fn func(seq uint64, m mark) error) error {
	return bucket(tx, marksBucket).ForEach(func(k, sealed []byte) error {
		seq := binary.BigEndian.Uint64(k)
		if m, ok := q.getMark(seq, sealed); ok {
			return fn(seq, m)
		}
		return nil
	})
}

// item is a record as memory knows it.
type item struct {
	seq  uint64
	size int
	at   time.Time // of a pending record: its At; of a kept one: when it was accepted
	id   string
}

// memory is what the file says, kept at hand. It is replaced as a whole by reload.
type memory struct {
	epoch        string
	cursor       uint64
	last         uint64 // highest sequence given out
	pending      []item // in order
	kept         []item // accepted, in order of sequence
	pendingBytes int64
	keptBytes    int64
	dead         int
	damaged      int               // those of the dead whose bytes do not open
	unanswered   map[string]uint64 // ID to sequence
	early        map[string]bool   // IDs of pending records whose answer is here already
}

// waitingFor gives those of the records that are marked and await an answer, and notes
// those that still wait themselves.
func (m *memory) waitingFor(ids []string) []string {
	var known []string
	for _, id := range ids {
		if _, ok := m.unanswered[id]; ok {
			known = append(known, id)
		} else if slices.ContainsFunc(m.pending, func(i item) bool { return i.id == id }) {
			m.early[id] = true
		}
	}
	return known
}

// reload reads the file. Records whose bytes do not open become dead letters.
func (q *Queue) reload() error {
	m := memory{unanswered: map[string]uint64{}, early: map[string]bool{}}
	var damaged []uint64
	err := q.v.View(func(tx *bbolt.Tx) error {
		epoch, err := q.getState(tx, epochKey)
		if err != nil || len(epoch) == 0 {
			return errors.Join(errors.New("the queue does not tell its epoch"), err)
		}
		m.epoch = string(epoch)
		if c, err := q.getState(tx, cursorKey); err == nil && len(c) == 8 {
			m.cursor = binary.BigEndian.Uint64(c) // a damaged one is 0: answers come again
		}
		m.last = bucket(tx, recordsBucket).Sequence()
		return q.readAll(tx, &m, &damaged)
	})
	if err != nil {
		return err
	}
	if len(damaged) > 0 {
		err := q.v.Update(func(tx *bbolt.Tx) error { return q.markDamaged(tx, damaged) })
		if err != nil {
			return err
		}
		m.dead += len(damaged)
		m.damaged += len(damaged)
	}
	q.mu.Lock()
	if q.m.early != nil {
		m.early = q.m.early
	}
	q.m, q.broken = m, false
	q.mu.Unlock()
	return nil
}

func (q *Queue) readAll(tx *bbolt.Tx, m *memory, damaged *[]uint64) error {
	marks := bucket(tx, marksBucket)
	return bucket(tx, recordsBucket).ForEach(func(k, sealed []byte) error {
		i := item{seq: binary.BigEndian.Uint64(k), size: len(sealed)}
		if done, ok := q.getMark(i.seq, marks.Get(k)); ok {
			m.settled(i, done)
			return nil
		}
		r, err := q.read(tx, i.seq)
		if err != nil {
			*damaged = append(*damaged, i.seq)
			return nil
		}
		i.id, i.at = r.ID, r.At
		m.pending = append(m.pending, i)
		m.pendingBytes += int64(i.size)
		return nil
	})
}

// settled files a record that has a mark.
func (m *memory) settled(i item, done mark) {
	if done.dead() {
		m.dead++
		if done.Damaged {
			m.damaged++
		}
		return
	}
	if done.Wanted != "" && !done.Answered {
		m.unanswered[done.Wanted] = i.seq
	}
	i.id, i.at = done.Wanted, time.UnixMilli(done.At)
	m.kept = append(m.kept, i)
	m.keptBytes += int64(i.size)
}

func (q *Queue) markDamaged(tx *bbolt.Tx, seqs []uint64) error {
	for _, seq := range seqs {
		if err := q.putMark(tx, seq, mark{Damaged: true, At: q.source.Now().UnixMilli()}); err != nil {
			return err
		}
	}
	return nil
}
