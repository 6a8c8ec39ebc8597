package rehearsal

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

// shelf keeps values in memory alone. It is one of the shelves of a memory.
type shelf struct {
	m    *memory
	name string
}

// memory stands where the vault and the queue stand at a real desk. It has no file and no
// connection: what is practised ends with the program.
type memory struct {
	source handle.Source

	mu      sync.Mutex
	shelves map[string]map[string][]byte
	records []wire.Record
}

func newMemory(source handle.Source) *memory {
	return &memory{source: source, shelves: map[string]map[string][]byte{}}
}

func (m *memory) shelf(name string) *shelf { return &shelf{m, name} }

// maxRecords bounds what one practice keeps.
const maxRecords = 2000

func (m *memory) put(puts []vault.Put) {
	for _, p := range puts {
		if m.shelves[p.Shelf] == nil {
			m.shelves[p.Shelf] = map[string][]byte{}
		}
		if p.Delete {
			delete(m.shelves[p.Shelf], p.Key)
			continue
		}
		m.shelves[p.Shelf][p.Key] = slices.Clone(p.Value)
	}
}

// NewID makes a record's id.
func (m *memory) NewID() (string, error) {
	id, err := m.source.UUID()
	return id.String(), err
}

// AppendWith keeps the record's rows; nobody ever sends it.
func (m *memory) AppendWith(_ context.Context, d queue.Draft, build func(wire.Record) (json.RawMessage, []vault.Put, error)) (wire.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d.ID == "" {
		id, err := m.NewID()
		if err != nil {
			return wire.Record{}, err
		}
		d.ID = id
	}
	r := wire.Record{ID: d.ID, Epoch: "practice", Sequence: uint64(len(m.records) + 1), Kind: d.Kind, At: d.At.UTC()}
	body, puts, err := build(r)
	if err != nil {
		return wire.Record{}, err
	}
	r.Body = body
	m.put(puts)
	m.records = append(m.records, r)
	if len(m.records) > maxRecords {
		m.records = m.records[len(m.records)-maxRecords:]
	}
	return r, nil
}

// trim keeps the newest rows of a shelf, whose keys sort by time, and tells whether some went.
func (m *memory) trim(shelf string, keep int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	rows := m.shelves[shelf]
	if len(rows) <= keep {
		return false
	}
	keys := slices.Sorted(maps.Keys(rows))
	for _, key := range keys[:len(keys)-keep] {
		delete(rows, key)
	}
	return true
}

// Fates tells that every record still waits: practice has no backend.
func (m *memory) Fates(_ context.Context, ids []string) (map[string]queue.Fate, error) {
	fates := make(map[string]queue.Fate, len(ids))
	for _, id := range ids {
		fates[id] = queue.Fate{Waiting: true}
	}
	return fates, nil
}

// SaveAnswers keeps the rows that came with answers.
func (m *memory) SaveAnswers(_ context.Context, _ uint64, puts []vault.Put) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(puts)
	return nil
}

// Stats tells that nothing waits to be sent.
func (m *memory) Stats() queue.Stats { return queue.Stats{MaxRecords: maxRecords, MaxBytes: 1 << 30} }

// Each calls visit for every key in order.
func (s *shelf) Each(_ context.Context, visit func(key string, value []byte) error) error {
	s.m.mu.Lock()
	all := maps.Clone(s.m.shelves[s.name])
	s.m.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if err := visit(key, slices.Clone(all[key])); err != nil {
			return err
		}
	}
	return nil
}

// Get gives a copy of the value under key.
func (s *shelf) Get(_ context.Context, key string) ([]byte, bool, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	value, ok := s.m.shelves[s.name][key]
	return slices.Clone(value), ok, nil
}

// PutAll stores all values.
func (s *shelf) PutAll(_ context.Context, values map[string][]byte) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	for key, value := range values {
		s.m.put([]vault.Put{{Shelf: s.name, Key: key, Value: value}})
	}
	return nil
}

// Delete removes key.
func (s *shelf) Delete(_ context.Context, key string) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.put([]vault.Put{{Shelf: s.name, Key: key, Delete: true}})
	return nil
}

// MarkAnswered has nothing to mark: no record of practice waits for an answer from elsewhere.
func (m *memory) MarkAnswered(context.Context, ...string) error { return nil }
