package vault

import (
	"context"
	"crypto/cipher"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
)

// oldSealing is what sealing added to a value of level 1, in bytes: nonce and tag.
const oldSealing = 12 + 16

// oldProof is a value of the vault's own in a level 1 file: it proved the key.
const oldProof = "proof"

// oldFinding is a value of a damaged level 1 file. Such values tell neither place nor length,
// so only those in leaf pages that can be read are found.
type oldFinding struct {
	at    int64
	size  int
	place string
	aead  cipher.AEAD
}

// scanOld looks for values of level 1, under each key that there is.
func (s *salvage) scanOld(ctx context.Context) error {
	var aeads []cipher.AEAD
	for _, w := range append([]*wrapping{s.v.ring.wrapped}, s.v.earlier(ctx)...) {
		aead, err := oldAEAD(w.master)
		if err != nil {
			return err
		}
		aeads = append(aeads, aead)
	}
	s.old = map[string]map[string]oldFinding{}
	shelves := map[string]bool{}
	s.leaves(func(_ int64, e element) {
		if name := string(e.key); e.flags&bucketFlag != 0 && strings.HasPrefix(name, shelfBucket("")) {
			shelves[name] = true
		}
	})
	s.leaves(func(at int64, e element) {
		if e.flags&bucketFlag == 0 && len(e.value) >= oldSealing {
			s.oldValue(at, e, aeads, shelves)
		}
	})
	return nil
}

// leaves visits the entries of all leaf pages in use, and of buckets that lie in one, with
// where their values begin.
func (s *salvage) leaves(visit func(at int64, e element)) {
	all := image{s.f, meta{pageSize: s.im.pageSize, pages: uint64(s.size) / uint64(s.im.pageSize)}}
	for id := uint64(2); id < all.pages; id++ {
		if s.free != nil && id < uint64(len(s.free)) && s.free[id] {
			continue
		}
		page, err := all.run(id)
		if err != nil || pageFlags(page) != leafPage {
			continue
		}
		if visitLeaf(page, all.offset(id), visit) {
			id += uint64(len(page))/uint64(all.pageSize) - 1
		}
	}
}

// visitLeaf visits the entries of a page that begins at an offset of the file.
func visitLeaf(page []byte, at int64, visit func(at int64, e element)) (whole bool) {
	all, err := elements(page)
	if err != nil {
		return false
	}
	next := at + pageHeader + int64(len(all))*elementSize
	for _, e := range all {
		value := next + int64(len(e.key))
		next = value + int64(len(e.value))
		visit(value, e)
		if e.flags&bucketFlag == 0 {
			continue
		}
		if root, _, inline, ok := bucketOf(e.value); ok && root == 0 {
			visitLeaf(inline, value+bucketHeader, visit)
		}
	}
	return true
}

// oldValue finds out by trying to which place a value belongs. One that opens nowhere is lost.
func (s *salvage) oldValue(at int64, e element, aeads []cipher.AEAD, shelves map[string]bool) {
	places := map[string]string{"queue/state": "queue/state/" + string(e.key)}
	if n := number(e.key); n != "" {
		places["queue/records"], places["queue/marks"] = "queue/records/"+n, "queue/marks/"+n
	}
	for name := range shelves {
		places[name] = name + "\x00" + string(e.key)
	}
	for bucket, place := range places {
		for _, aead := range aeads {
			if _, err := aead.Open(nil, nil, e.value, oldBound(s.v.opts.Terminal, place)); err != nil {
				continue
			}
			if s.old[bucket] == nil {
				s.old[bucket] = map[string]oldFinding{}
			}
			s.old[bucket][string(e.key)] = oldFinding{at, len(e.value), place, aead}
			return
		}
	}
	if string(e.key) != oldProof {
		s.lost++
	}
}

// writeOld seals what was found of level 1 anew.
func (s *salvage) writeOld(db *bbolt.DB) error {
	for _, bucket := range slices.Sorted(maps.Keys(s.old)) {
		of := s.old[bucket]
		for group := range slices.Chunk(slices.Sorted(maps.Keys(of)), copyGroup) {
			err := db.Update(func(tx *bbolt.Tx) error {
				for _, k := range group {
					if err := s.putOld(tx, bucket, k, of[k]); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("cannot write what was salvaged: %w", err)
			}
		}
	}
	return nil
}

func (s *salvage) putOld(tx *bbolt.Tx, bucket, key string, f oldFinding) error {
	sealed := make([]byte, f.size)
	if _, err := s.f.ReadAt(sealed, f.at); err != nil {
		return fmt.Errorf("cannot read a value again: %w", err)
	}
	plain, err := f.aead.Open(nil, nil, sealed, oldBound(s.v.opts.Terminal, f.place))
	if err != nil {
		return fmt.Errorf("cannot open a value again: %w", err)
	}
	return s.v.Put(tx, bucket, []byte(key), plain)
}
