package casebook

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Memory is a Shelf that forgets everything with the process: for desks that must not leave
// a trace, such as practice. It is safe for concurrent use; visit may not call it.
type Memory struct {
	mu     sync.Mutex
	values map[string][]byte
}

// Each calls visit for every key in order of keys until it returns an error.
func (m *Memory) Each(ctx context.Context, visit func(key string, value []byte) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(m.values)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := visit(key, m.values[key]); err != nil {
			return err
		}
	}
	return nil
}

// PutAll stores all values.
func (m *Memory) PutAll(_ context.Context, values map[string][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = map[string][]byte{}
	}
	for key, value := range values {
		m.values[key] = slices.Clone(value)
	}
	return nil
}

// Get gives a copy of the value under key.
func (m *Memory) Get(_ context.Context, key string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.values[key]
	return slices.Clone(value), ok, nil
}

// Delete removes key. A key that is not there is no error.
func (m *Memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, key)
	return nil
}
