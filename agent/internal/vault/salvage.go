package vault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"go.etcd.io/bbolt"
)

// Salvaged tells what was brought over from a damaged file.
type Salvaged struct {
	Values int            // that opened, in the new file
	Lost   int            // values that do not open, and pages in use that could not be read
	By     map[string]int // Values by bucket
}

// scanWindow is how much of a damaged file is in memory at once, in bytes.
const scanWindow = 1 << 20

// finding is where the newest copy of a value lies in the damaged file.
type finding struct {
	stamp uint64
	at    int64
	size  int
}

// salvage looks for sealed values in a damaged file, wherever in its bytes they lie: a
// value begins with the id of a day key and tells its length, bucket and key.
type salvage struct {
	v    *Vault
	f    *os.File
	size int64

	im        image
	known     bool   // im has a good meta page
	alone     bool   // the other one is damaged
	free      []bool // by page; nil where the list of free pages cannot be read
	committed uint64 // the newest stamp that im commits; ^0 where it is not known

	found     map[string]map[string]finding // by bucket and key
	sequences map[string]uint64
	begun     []bool // pages in which a value began, opened or not
	covered   []bool // pages that a value reaches
	newest    uint64 // stamp
	lost      int

	old map[string]map[string]oldFinding // of level 1, by bucket and key
}

// look finds everything.
func (v *Vault) look(f *os.File) (*salvage, error) {
	i, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the damaged file: %w", err)
	}
	s := &salvage{
		v: v, f: f, size: i.Size(), committed: ^uint64(0),
		found: map[string]map[string]finding{}, sequences: map[string]uint64{},
	}
	s.readFrame()
	s.begun = make([]bool, s.size/int64(s.im.pageSize)+1)
	s.covered = make([]bool, len(s.begun))
	s.scan()
	s.countPages()
	return s, nil
}

// readFrame learns what the good pages of the frame tell: size of pages, which are free,
// sequences of buckets, and the newest stamp.
func (s *salvage) readFrame() {
	m, alone, ok := newestMeta(s.f)
	s.im, s.alone, s.known = image{s.f, m}, alone, ok
	if !ok {
		s.im.pageSize, s.im.pages = uint32(os.Getpagesize()), 0
		return
	}
	s.readFree()
	page, err := s.im.run(s.im.root)
	if err != nil {
		return
	}
	all, err := elements(page)
	if err != nil || pageFlags(page) != leafPage {
		return
	}
	for _, e := range all {
		if _, sequence, _, ok := bucketOf(e.value); ok && e.flags&bucketFlag != 0 {
			s.sequences[string(e.key)] = sequence
		}
	}
	if sequence, ok := s.sequences[string(metaBucket)]; ok {
		s.committed = sequence
	}
}

// readFree learns which pages are free: those on the list, or else where it is damaged,
// those that nothing leads to. Where both can be read, both must say so.
func (s *salvage) readFree() {
	list, err := s.im.freePages()
	if err == nil {
		s.free = make([]bool, s.im.pages)
		for _, id := range list {
			s.free[id] = true
		}
	}
	w := &walk{image: s.im, seen: make([]bool, s.im.pages)}
	if w.page("", 0, s.im.root, nil, nil, 0) != nil {
		return
	}
	for i := range w.seen {
		w.seen[i] = !w.seen[i] && (s.free == nil || s.free[i])
	}
	s.free = w.seen
}

// scan goes through the bytes.
func (s *salvage) scan() {
	firsts := s.v.ring.firsts()
	window := make([]byte, scanWindow+sealedHead-1) // a head that begins in it is whole
	for base := int64(0); base < s.size; base += scanWindow {
		n, err := s.f.ReadAt(window[:min(int64(len(window)), s.size-base)], base)
		if err != nil && !errors.Is(err, io.EOF) {
			s.scanPages(base, firsts)
			continue
		}
		s.scanWindow(window[:n], base, firsts)
	}
}

// scanPages goes through a window that cannot be read as a whole, page by page.
func (s *salvage) scanPages(base int64, firsts *[1 << 16]bool) {
	page := make([]byte, int(s.im.pageSize)+sealedHead-1)
	for at := base; at < min(base+scanWindow, s.size); at += int64(s.im.pageSize) {
		n, err := s.f.ReadAt(page[:min(int64(len(page)), s.size-at)], at)
		if err != nil && n < int(s.im.pageSize) {
			continue
		}
		s.scanWindow(page[:n], at, firsts)
	}
}

func (s *salvage) scanWindow(b []byte, base int64, firsts *[1 << 16]bool) {
	for i := 0; i+sealedHead <= len(b); i++ {
		if !firsts[uint16(b[i])<<8|uint16(b[i+1])] {
			continue
		}
		if s.v.ring.find(keyID(b[i:i+idSize])) == nil {
			continue
		}
		s.candidate(base+int64(i), b[i:i+sealedHead])
	}
}

// candidate looks at the bytes that begin as a value does.
func (s *salvage) candidate(at int64, head []byte) {
	page := at / int64(s.im.pageSize)
	free := s.free != nil && page < int64(len(s.free)) && s.free[page] || s.known && page >= int64(s.im.pages)
	stamp := stampOf(head)
	if free && (!s.alone || s.committed == ^uint64(0) || stamp <= s.committed) {
		return // deleted or replaced
	}
	s.begun[page] = true
	size, ok := sealedSize(head)
	if !ok || at+int64(size) > s.size {
		s.lose(free)
		return
	}
	sealed := make([]byte, size)
	if _, err := s.f.ReadAt(sealed, at); err != nil {
		s.lose(free)
		return
	}
	o, ok := s.v.unseal(sealed)
	if !ok {
		s.lose(free)
		return
	}
	for p := page; p <= (at+int64(size)-1)/int64(s.im.pageSize); p++ {
		s.covered[p] = true
	}
	s.newest = max(s.newest, stamp)
	of := s.found[o.bucket]
	if of == nil {
		of = map[string]finding{}
		s.found[o.bucket] = of
	}
	if old, ok := of[string(o.key)]; !ok || old.stamp < stamp {
		of[string(o.key)] = finding{stamp, at, size}
	}
}

// lose counts a value that does not open. What lies in free pages was no part of the file.
func (s *salvage) lose(free bool) {
	if !free {
		s.lost++
	}
}

// countPages counts the pages in use that are unreadable and in which nothing was found.
// Where the list of free pages is damaged, all count as in use.
func (s *salvage) countPages() {
	for id := uint64(2); id < s.im.pages; id++ {
		if s.free != nil && s.free[id] || int(id) < len(s.begun) && (s.begun[id] || s.covered[id]) {
			continue
		}
		page, err := s.im.run(id)
		if err != nil {
			s.lost++
			continue
		}
		switch pageFlags(page) {
		case branchPage, leafPage:
			if _, err := elements(page); err != nil {
				s.lost++
			}
		case freelistPage:
		default:
			s.lost++
		}
		id += uint64(len(page))/uint64(s.im.pageSize) - 1
	}
}

// after tells whether values of a commit were found whose meta page is damaged.
func (s *salvage) after() bool { return s.committed != ^uint64(0) && s.newest > s.committed }

// report counts what was found.
func (s *salvage) report() Salvaged {
	r := Salvaged{Lost: s.lost, By: map[string]int{}}
	for bucket, of := range s.found {
		r.By[bucket] = len(of)
		r.Values += len(of)
	}
	for bucket, of := range s.old {
		r.By[bucket] += len(of)
		r.Values += len(of)
	}
	return r
}

// copyGroup is how many values ride in one transaction of a copy.
const copyGroup = 1000

// writeTo copies what was found into an empty file, as it is sealed.
func (s *salvage) writeTo(db *bbolt.DB) error {
	if err := s.writeOld(db); err != nil {
		return err
	}
	for _, bucket := range slices.Sorted(maps.Keys(s.found)) {
		of := s.found[bucket]
		keys := slices.Sorted(maps.Keys(of))
		sequence := s.sequences[bucket]
		for _, k := range keys {
			if len(k) == 8 {
				sequence = max(sequence, binary.BigEndian.Uint64([]byte(k)))
			}
		}
		for group := range slices.Chunk(keys, copyGroup) {
			err := db.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucketIfNotExists([]byte(bucket))
				if err != nil {
					return err
				}
				return errors.Join(b.SetSequence(sequence), s.copyGroup(Fill(b), of, group))
			})
			if err != nil {
				return fmt.Errorf("cannot write what was salvaged: %w", err)
			}
		}
	}
	return nil
}

func (s *salvage) copyGroup(b *bbolt.Bucket, of map[string]finding, keys []string) error {
	for _, k := range keys {
		sealed := make([]byte, of[k].size)
		if _, err := s.f.ReadAt(sealed, of[k].at); err != nil {
			return fmt.Errorf("cannot read a value again: %w", err)
		}
		if err := b.Put([]byte(k), sealed); err != nil {
			return err
		}
	}
	return nil
}

// firsts marks the first two bytes of all key ids.
func (r *ring) firsts() *[1 << 16]bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var firsts [1 << 16]bool
	for id := range r.keys {
		firsts[binary.BigEndian.Uint16(id[:])] = true
	}
	return &firsts
}
