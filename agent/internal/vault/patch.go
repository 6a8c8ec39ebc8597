package vault

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.etcd.io/bbolt"
)

// patches lead from each level to the next. A patch copies: the file of the lower level
// stays until the new one is whole and takes its place.
var patches = map[int]func(v *Vault, ctx context.Context, from *bbolt.DB, to *bbolt.DB) error{
	1: (*Vault).fromLevel1,
}

// patch brings the file from a level to Level.
func (v *Vault) patch(ctx context.Context, level int) error {
	first := level
	for ; level < Level; level++ {
		step, ok := patches[level]
		if !ok {
			return fmt.Errorf("cannot read a file of level %d", level)
		}
		if err := v.patchOnce(ctx, step); err != nil {
			return fmt.Errorf("cannot patch the file from level %d: %w", level, err)
		}
	}
	v.note(func(r *Report) { r.Level = first })
	return nil
}

func (v *Vault) patchOnce(ctx context.Context, step func(*Vault, context.Context, *bbolt.DB, *bbolt.DB) error) error {
	o := v.boltOptions()
	o.ReadOnly = true
	from, _, err := v.openWith(o)
	if err != nil {
		return err
	}
	next := v.path + newSuffix
	err = v.build(next, func(to *bbolt.DB) (err error) {
		defer recoverDamage(&err)
		return step(v, ctx, from, to)
	})
	if err := errors.Join(err, from.Close()); err != nil {
		return err
	}
	return v.takePlace(next)
}

// Level 1 sealed all values under one key derived from the master key, with terminal,
// level and place as associated data; the queue's buckets lay below one.
const level1 = 1

// oldMaster finds the master key of a level 1 file by its mark.
func (v *Vault) oldMaster(ctx context.Context, mark []byte) (master [KeySize]byte, err error) {
	for _, w := range append([]*wrapping{v.ring.wrapped}, v.earlier(ctx)...) {
		m, err := hkdf.Key(sha256.New, w.master[:], []byte(v.opts.Terminal), "madoguchi agent.db mark 1", 16)
		if err != nil {
			return master, fmt.Errorf("cannot derive the key's mark: %w", err)
		}
		if bytes.Equal(m, mark) {
			return w.master, nil
		}
	}
	return master, ErrWrongKey
}

func oldAEAD(master [KeySize]byte) (cipher.AEAD, error) {
	k, err := hkdf.Key(sha256.New, master[:], nil, "madoguchi agent.db records 1", KeySize)
	if err != nil {
		return nil, fmt.Errorf("cannot derive the record key: %w", err)
	}
	return newAEAD(k)
}

func oldBound(terminal, place string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(terminal)))
	b = append(b, terminal...)
	b = binary.BigEndian.AppendUint32(b, level1)
	return append(b, place...)
}

// copier seals the values of a level 1 file anew.
type copier struct {
	v    *Vault
	aead cipher.AEAD
	to   *bbolt.DB
}

func (v *Vault) fromLevel1(ctx context.Context, from, to *bbolt.DB) error {
	return from.View(func(tx *bbolt.Tx) error {
		master, err := v.oldMaster(ctx, tx.Bucket(metaBucket).Get(markKey))
		if err != nil {
			return err
		}
		aead, err := oldAEAD(master)
		if err != nil {
			return err
		}
		c := &copier{v: v, aead: aead, to: to}
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			switch bucket := string(name); {
			case bucket == "queue":
				return c.queue(b)
			case strings.HasPrefix(bucket, "shelf/"):
				return c.bucket(b, bucket, func(key []byte) string { return bucket + "\x00" + string(key) })
			}
			return nil
		})
	})
}

// queue copies records, marks and state. The index of ids is not sealed and is the queue's
// to make again.
func (c *copier) queue(top *bbolt.Bucket) error {
	for name, place := range map[string]func(key []byte) string{
		"records": func(key []byte) string { return "queue/records/" + number(key) },
		"marks":   func(key []byte) string { return "queue/marks/" + number(key) },
		"state":   func(key []byte) string { return "queue/state/" + string(key) },
	} {
		b := top.Bucket([]byte(name))
		if b == nil {
			continue
		}
		if err := c.bucket(b, "queue/"+name, place); err != nil {
			return err
		}
	}
	return nil
}

func number(key []byte) string {
	if len(key) != 8 {
		return ""
	}
	return strconv.FormatUint(binary.BigEndian.Uint64(key), 10)
}

// bucket copies one bucket in groups. A value that does not open is copied as it is: it
// does not open in the new file either, and is seen to be damaged.
func (c *copier) bucket(from *bbolt.Bucket, to string, place func(key []byte) string) error {
	cursor := from.Cursor()
	k, sealed := cursor.First()
	for first := true; first || k != nil; first = false {
		err := c.to.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte(to))
			if err != nil {
				return err
			}
			Fill(b)
			for n := 0; k != nil && n < copyGroup; n++ {
				if err := c.value(tx, b, to, k, sealed, place(k)); err != nil {
					return err
				}
				k, sealed = cursor.Next()
			}
			return b.SetSequence(from.Sequence())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) value(tx *bbolt.Tx, b *bbolt.Bucket, to string, key, sealed []byte, place string) error {
	plain, err := c.aead.Open(nil, nil, sealed, oldBound(c.v.opts.Terminal, place))
	if err != nil {
		return b.Put(key, sealed)
	}
	return c.v.Put(tx, to, key, plain)
}
