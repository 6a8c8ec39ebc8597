package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"madoguchi.example/shared/fault"
)

// Limits of what lies on a shelf, in bytes.
const (
	MaxKey   = 256
	MaxValue = 1 << 20
	maxShelf = 200
)

// Put is one write to a shelf that can ride in another commit, such as a queue record's.
type Put struct {
	Shelf  string
	Key    string // opaque: it is not encrypted
	Value  []byte
	Delete bool // remove Key instead
}

// Shelf is a named set of keys and encrypted values. Safe for concurrent use.
type Shelf struct {
	v    *Vault
	name string
}

// Shelf gives the shelf of that name. It need not exist yet.
func (v *Vault) Shelf(name string) *Shelf { return &Shelf{v: v, name: name} }

// Put stores value under key, durably.
func (s *Shelf) Put(_ context.Context, key string, value []byte) error {
	return s.v.Apply(Put{Shelf: s.name, Key: key, Value: value})
}

// PutAll stores all values under their keys in one commit, or none.
func (s *Shelf) PutAll(_ context.Context, values map[string][]byte) error {
	if len(values) == 0 {
		return nil
	}
	puts := make([]Put, 0, len(values))
	for key, value := range values {
		puts = append(puts, Put{Shelf: s.name, Key: key, Value: value})
	}
	return s.v.Apply(puts...)
}

// Delete removes key, durably. A key that is not there is no error.
func (s *Shelf) Delete(_ context.Context, key string) error {
	return s.v.Apply(Put{Shelf: s.name, Key: key, Delete: true})
}

// Get gives a copy of the value under key, or nil and false. A value that does not open
// is an error with ErrDamaged.
func (s *Shelf) Get(_ context.Context, key string) (value []byte, ok bool, err error) {
	err = s.v.View(func(tx *bbolt.Tx) error {
		value, err = s.v.Get(tx, shelfBucket(s.name), []byte(key))
		return err
	})
	return value, value != nil && err == nil, err
}

// Each calls visit for every key in order of bytes, from one consistent state. A value
// that does not open is given as nil; an error of visit ends the walk and is returned.
// visit may not call the vault.
func (s *Shelf) Each(ctx context.Context, visit func(key string, value []byte) error) error {
	return s.v.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(shelfBucket(s.name)))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, sealed []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			value, err := s.v.Open(shelfBucket(s.name), k, sealed)
			if err != nil {
				value = nil
			}
			return visit(string(k), value)
		})
	})
}

// Apply makes all puts durable in one commit, or none. Where only the reserve is left it takes
// deletions alone; anything else is fault.QueueFull.
func (v *Vault) Apply(puts ...Put) error {
	if err := CheckPuts(puts); err != nil {
		return err
	}
	grows := slices.ContainsFunc(puts, func(p Put) bool { return !p.Delete })
	return v.Update(func(tx *bbolt.Tx) error {
		if grows && v.Scarce(tx) {
			return fault.New(fault.QueueFull, "the terminal's file is full")
		}
		return v.ApplyIn(tx, puts)
	})
}

// Add makes those puts durable in one commit, or none, whose key holds nothing yet, and tells
// how many those were. Where only the reserve is left it takes none: fault.QueueFull.
func (v *Vault) Add(puts ...Put) (added int, err error) {
	if err := CheckPuts(puts); err != nil {
		return 0, err
	}
	err = v.Update(func(tx *bbolt.Tx) error {
		if added = 0; v.Scarce(tx) {
			return fault.New(fault.QueueFull, "the terminal's file is full")
		}
		for _, p := range puts {
			b := tx.Bucket([]byte(shelfBucket(p.Shelf)))
			if b != nil && b.Get([]byte(p.Key)) != nil {
				continue
			}
			if err := v.ApplyIn(tx, []Put{p}); err != nil {
				return err
			}
			added++
		}
		return nil
	})
	return added, err
}

// ApplyIn writes puts inside a transaction under way. The caller has used CheckPuts.
func (v *Vault) ApplyIn(tx *bbolt.Tx, puts []Put) error {
	for _, p := range puts {
		write := func() error { return v.Put(tx, shelfBucket(p.Shelf), []byte(p.Key), p.Value) }
		if p.Delete {
			write = func() error { return v.Delete(tx, shelfBucket(p.Shelf), []byte(p.Key)) }
		}
		if err := write(); err != nil {
			return fmt.Errorf("cannot write to shelf %s: %w", p.Shelf, err)
		}
	}
	return nil
}

// CheckPuts finds what ApplyIn could not write, before a transaction is begun.
func CheckPuts(puts []Put) error {
	for _, p := range puts {
		switch {
		case p.Shelf == "" || p.Key == "":
			return errors.New("cannot write to a shelf: shelf and key must be named")
		case len(p.Shelf) > maxShelf || len(p.Key) > MaxKey:
			return fault.At(fault.TooLarge, "key", "must be at most %d bytes, its shelf's name %d", MaxKey, maxShelf)
		case len(p.Value) > MaxValue:
			return fault.At(fault.TooLarge, "value", "must be at most %d bytes", MaxValue)
		}
	}
	return nil
}

func shelfBucket(name string) string { return "shelf/" + name }
