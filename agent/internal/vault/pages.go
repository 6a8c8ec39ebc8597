package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"

	"go.etcd.io/bbolt"
)

// The layout of a bbolt file, version 2 (bbolt internal/common). Pages are read here by
// ReadAt and never through bbolt's mapping: a damaged file is an error and not a fault of
// memory, and a walk of all pages leaves none of them in memory.
const (
	pageHeader   = 16
	elementSize  = 16
	bucketHeader = 16
	metaLength   = 64
	boltMagic    = 0xED0CDAED
	boltVersion  = 2

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketFlag   = 0x01
	noFreelist   = ^uint64(0)

	maxPages = 1 << 24 // of a file: 64 GiB of 4 KiB
	maxDepth = 64      // of pages from the root to a leaf
	maxRun   = 8 << 20 // bytes of one run of pages: a value of MaxValue, or a free list, with room
)

// meta is what a meta page tells.
type meta struct {
	pageSize uint32
	root     uint64
	freelist uint64
	pages    uint64 // pages ever used
	txid     uint64
}

// readMeta reads the meta page at an offset; ok is false where there is no good one.
func readMeta(f io.ReaderAt, at int64) (m meta, ok bool) {
	var page [pageHeader + metaLength]byte
	if _, err := f.ReadAt(page[:], at); err != nil {
		return m, false
	}
	b, n := page[pageHeader:], binary.NativeEndian
	sum := fnv.New64a()
	_, _ = sum.Write(b[:metaLength-8])
	if n.Uint32(b) != boltMagic || n.Uint32(b[4:]) != boltVersion || n.Uint64(b[56:]) != sum.Sum64() {
		return m, false
	}
	m = meta{
		pageSize: n.Uint32(b[8:]), root: n.Uint64(b[16:]), freelist: n.Uint64(b[32:]),
		pages: n.Uint64(b[40:]), txid: n.Uint64(b[48:]),
	}
	return m, m.pages <= maxPages && m.pageSize >= 1024 && m.pageSize <= 1<<20
}

// metas reads both meta pages, wherever the second lies.
func metas(f io.ReaderAt) (first, second meta, ok0, ok1 bool) {
	first, ok0 = readMeta(f, 0)
	if ok0 {
		second, ok1 = readMeta(f, int64(first.pageSize))
		return first, second, ok0, ok1
	}
	for size := int64(1024); !ok1 && size <= 64<<10; size *= 2 {
		if second, ok1 = readMeta(f, size); ok1 && int64(second.pageSize) != size {
			ok1 = false
		}
	}
	return first, second, ok0, ok1
}

// newestMeta gives the good meta page of the latest commit. alone tells that the other is
// damaged, and with it perhaps the word of a commit after this one.
func newestMeta(f io.ReaderAt) (m meta, alone, ok bool) {
	first, second, ok0, ok1 := metas(f)
	if ok0 && (!ok1 || first.txid > second.txid) {
		return first, !ok1, true
	}
	return second, !ok0, ok1
}

// image is one consistent state of the file.
type image struct {
	f io.ReaderAt
	meta
}

// imageOf gives the state that a transaction sees.
func imageOf(f io.ReaderAt, tx *bbolt.Tx) (image, bool) {
	first, second, ok0, ok1 := metas(f)
	switch id := uint64(tx.ID()); {
	case ok0 && first.txid == id:
		return image{f, first}, true
	case ok1 && second.txid == id:
		return image{f, second}, true
	}
	return image{}, false
}

func (im image) offset(id uint64) int64 { return int64(id) * int64(im.pageSize) }

// run reads the page with this id and those that it goes on in.
func (im image) run(id uint64) (page []byte, err error) {
	if id < 2 || id >= im.pages {
		return nil, fmt.Errorf("page %d is not of this file", id)
	}
	var head [pageHeader]byte
	if _, err := im.f.ReadAt(head[:], im.offset(id)); err != nil {
		return nil, fmt.Errorf("page %d cannot be read: %w", id, err)
	}
	n := binary.NativeEndian
	more := uint64(n.Uint32(head[12:]))
	size := (more + 1) * uint64(im.pageSize)
	if n.Uint64(head[:]) != id || id+more >= im.pages || size > maxRun {
		return nil, fmt.Errorf("page %d has a damaged head", id)
	}
	page = make([]byte, size)
	if _, err := im.f.ReadAt(page, im.offset(id)); err != nil {
		return nil, fmt.Errorf("page %d cannot be read: %w", id, err)
	}
	return page, nil
}

func pageFlags(page []byte) uint16 { return binary.NativeEndian.Uint16(page[8:]) }

// freePages reads the list of free pages.
func (im image) freePages() ([]uint64, error) {
	if im.freelist == noFreelist {
		return nil, errors.New("the file has no list of free pages")
	}
	page, err := im.run(im.freelist)
	if err != nil {
		return nil, err
	}
	if pageFlags(page) != freelistPage {
		return nil, fmt.Errorf("page %d is no list of free pages", im.freelist)
	}
	n := binary.NativeEndian
	count, at := uint64(n.Uint16(page[10:])), pageHeader
	if count == 0xFFFF {
		count, at = n.Uint64(page[at:]), at+8
	}
	if count > uint64(len(page)-at)/8 {
		return nil, errors.New("the list of free pages is cut short")
	}
	free := make([]uint64, count)
	for i := range free {
		free[i] = n.Uint64(page[at+8*i:])
		if free[i] < 2 || free[i] >= im.pages || i > 0 && free[i] <= free[i-1] {
			return nil, errors.New("the list of free pages is damaged")
		}
	}
	return free, nil
}

// freeCount reads only how many pages are free.
func (im image) freeCount() (uint64, error) {
	var head [pageHeader + 8]byte
	if im.freelist == noFreelist {
		return 0, nil
	}
	if _, err := im.f.ReadAt(head[:], im.offset(im.freelist)); err != nil {
		return 0, fmt.Errorf("the list of free pages cannot be read: %w", err)
	}
	n := binary.NativeEndian
	if count := n.Uint16(head[10:]); count != 0xFFFF {
		return uint64(count), nil
	}
	return n.Uint64(head[pageHeader:]), nil
}

// element is one entry of a page.
type element struct {
	flags uint32
	child uint64 // of a branch
	key   []byte
	value []byte // of a leaf
}

// elements takes a page apart. Entries lie one after the other, as bbolt writes them;
// anything else is damage.
func elements(page []byte) ([]element, error) {
	n := binary.NativeEndian
	count, branch := int(n.Uint16(page[10:])), pageFlags(page) == branchPage
	if !branch && pageFlags(page) != leafPage {
		return nil, errors.New("it is neither branch nor leaf")
	}
	at := pageHeader + count*elementSize
	if at > len(page) || branch && count == 0 {
		return nil, errors.New("its count is damaged")
	}
	all := make([]element, count)
	for i := range all {
		head := pageHeader + i*elementSize
		h, e := page[head:head+elementSize], &all[i]
		pos, ksize, vsize := n.Uint32(h[4:]), n.Uint32(h[8:]), n.Uint32(h[12:])
		if branch {
			pos, ksize, vsize = n.Uint32(h), n.Uint32(h[4:]), 0
			e.child = n.Uint64(h[8:])
		} else {
			e.flags = n.Uint32(h)
		}
		if head+int(pos) != at || ksize == 0 || uint64(at)+uint64(ksize)+uint64(vsize) > uint64(len(page)) {
			return nil, errors.New("its entries are damaged")
		}
		e.key, e.value = page[at:at+int(ksize)], page[at+int(ksize):at+int(ksize)+int(vsize)]
		if i > 0 && bytes.Compare(all[i-1].key, e.key) >= 0 {
			return nil, errors.New("its keys are out of order")
		}
		at += int(ksize) + int(vsize)
	}
	return all, nil
}

// walk visits every value of an image and notes the pages that it came by.
type walk struct {
	image
	seen  []bool
	visit func(bucket string, sequence uint64, key, value []byte) error // of values; may be nil
}

// errPages is in the chain of a walk's error that means damage.
var errPages = errors.New("a page check failed")

func pageFault(id uint64, err error) error { return fmt.Errorf("%w: page %d: %w", errPages, id, err) }

// checkImage walks every page: each is whole, in use once or free, and keys are in order.
func checkImage(im image, visit func(bucket string, sequence uint64, key, value []byte) error) error {
	w := &walk{image: im, seen: make([]bool, im.pages), visit: visit}
	if err := w.page("", 0, im.root, nil, nil, 0); err != nil {
		return err
	}
	free, err := im.freePages()
	if err != nil {
		return pageFault(im.freelist, err)
	}
	if _, err := w.take(im.freelist); err != nil {
		return err
	}
	for _, id := range free {
		if w.seen[id] {
			return pageFault(id, errors.New("it is in use and free"))
		}
		w.seen[id] = true
	}
	for id := uint64(2); id < im.pages; id++ {
		if !w.seen[id] {
			return pageFault(id, errors.New("nothing leads to it"))
		}
	}
	return nil
}

// take reads a run of pages that nothing else may have led to.
func (w *walk) take(id uint64) ([]byte, error) {
	page, err := w.run(id)
	if err != nil {
		return nil, pageFault(id, err)
	}
	for i := range uint64(len(page)) / uint64(w.pageSize) {
		if w.seen[id+i] {
			return nil, pageFault(id+i, errors.New("it is in use twice"))
		}
		w.seen[id+i] = true
	}
	return page, nil
}

// page walks a page and all below it; keys lie from low up to but not at high.
func (w *walk) page(bucket string, sequence, id uint64, low, high []byte, depth int) error {
	if depth > maxDepth {
		return pageFault(id, errors.New("the file is too deep"))
	}
	page, err := w.take(id)
	if err != nil {
		return err
	}
	all, err := elements(page)
	if err != nil {
		return pageFault(id, err)
	}
	for i, e := range all {
		if low != nil && bytes.Compare(e.key, low) < 0 || high != nil && bytes.Compare(e.key, high) >= 0 {
			return pageFault(id, errors.New("a key is out of its place"))
		}
		switch next := high; {
		case pageFlags(page) == branchPage:
			if i+1 < len(all) {
				next = all[i+1].key
			}
			err = w.page(bucket, sequence, e.child, e.key, next, depth+1)
		default:
			err = w.leaf(bucket, sequence, id, e, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leaf visits a value, or walks the bucket that stands in its place.
func (w *walk) leaf(bucket string, sequence, id uint64, e element, depth int) error {
	if e.flags&bucketFlag == 0 {
		if w.visit == nil {
			return nil
		}
		return w.visit(bucket, sequence, e.key, e.value)
	}
	root, sequence, inline, ok := bucketOf(e.value)
	if !ok {
		return pageFault(id, errors.New("a bucket is cut short"))
	}
	name := string(e.key)
	if bucket != "" {
		name = bucket + "/" + name
	}
	if root != 0 {
		return w.page(name, sequence, root, nil, nil, depth+1)
	}
	all, err := elements(inline)
	if err != nil {
		return pageFault(id, err)
	}
	for _, e := range all {
		if err := w.leaf(name, sequence, id, e, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// bucketOf reads the header of a bucket: the page of its root, or the page in its place.
func bucketOf(value []byte) (root, sequence uint64, inline []byte, ok bool) {
	if len(value) < bucketHeader {
		return 0, 0, nil, false
	}
	n := binary.NativeEndian
	root, sequence, inline = n.Uint64(value), n.Uint64(value[8:]), value[bucketHeader:]
	return root, sequence, inline, root != 0 || len(inline) >= pageHeader
}
