package amnesia

import (
	"maps"
	"math/rand/v2"
	"slices"
	"syscall"
)

// sector is what a disk writes whole or not at all, in bytes.
const sector = 512

// block is the unit in which space is given out, in bytes.
const block = 4096

// inode is one file, folder or socket.
type inode struct {
	number uint64
	mode   uint32 // with the kind

	live, durable []byte
	pending       []change          // of the content, since it was last synced, in order
	blocks        map[int64]bool    // that hold something
	nameless      bool              // removed, though a program may have it open: takes no space
	names, kept   map[string]uint64 // of a folder: live and durable
}

// change is one write, or a change of size.
type change struct {
	at   int64 // or the size
	data []byte
	size bool
}

// entry is a name that now leads to an inode, or to none (0).
type entry struct {
	folder uint64
	name   string
	to     uint64
}

// disk is the state of the file system. The caller holds FS.mu.
type disk struct {
	inodes  map[uint64]*inode
	last    uint64
	journal [][]entry // changes of names that are not durable, in order; those of one act together
	used    int64     // bytes in blocks
}

const rootNumber = 1

func newDisk() *disk {
	d := &disk{inodes: map[uint64]*inode{}}
	d.add(syscall.S_IFDIR | 0o700)
	return d
}

func (d *disk) add(mode uint32) *inode {
	d.last++
	i := &inode{number: d.last, mode: mode, blocks: map[int64]bool{}}
	if mode&syscall.S_IFMT == syscall.S_IFDIR {
		i.names, i.kept = map[string]uint64{}, map[string]uint64{}
	}
	d.inodes[i.number] = i
	return i
}

// link does one act on names.
func (d *disk) link(act ...entry) {
	for _, e := range act {
		set(d.inodes[e.folder].names, e)
	}
	d.journal = append(d.journal, act)
}

func set(names map[string]uint64, e entry) {
	if e.to == 0 {
		delete(names, e.name)
	} else {
		names[e.name] = e.to
	}
}

// settle makes acts on names durable.
func (d *disk) settle(acts [][]entry) {
	for _, act := range acts {
		for _, e := range act {
			set(d.inodes[e.folder].kept, e)
		}
	}
}

// needs gives the bytes of blocks that a write would take anew.
func (i *inode) needs(at int64, n int) int64 {
	need := int64(0)
	for b := at / block; n > 0 && b <= (at+int64(n)-1)/block; b++ {
		if !i.blocks[b] {
			need += block
		}
	}
	return need
}

func (d *disk) write(i *inode, at int64, data []byte) {
	d.take(i, i.needs(at, len(data)))
	for b := at / block; b <= (at+int64(len(data))-1)/block; b++ {
		i.blocks[b] = true
	}
	c := change{at: at, data: slices.Clone(data)}
	i.live = c.apply(i.live)
	i.pending = append(i.pending, c)
}

// take counts space that an inode takes or gives back.
func (d *disk) take(i *inode, bytes int64) {
	if !i.nameless {
		d.used += bytes
	}
}

// unname gives back the space of an inode that has lost its name, if there is one.
func (d *disk) unname(n uint64) {
	if i := d.inodes[n]; i != nil {
		d.take(i, -int64(len(i.blocks))*block)
		i.nameless = true
	}
}

func (d *disk) resize(i *inode, size int64) {
	for b := range i.blocks {
		if b*block >= size {
			delete(i.blocks, b)
			d.take(i, -block)
		}
	}
	c := change{at: size, size: true}
	i.live = c.apply(i.live)
	i.pending = append(i.pending, c)
}

// apply gives the content after the change.
func (c change) apply(content []byte) []byte {
	end := c.at + int64(len(c.data))
	if c.size && end < int64(len(content)) {
		return slices.Clip(content[:end])
	}
	if grow := end - int64(len(content)); grow > 0 {
		content = append(content, make([]byte, grow)...)
	}
	copy(content[c.at:], c.data)
	return content
}

// sync makes durable what belongs to the inode: its content, or its names.
func (d *disk) sync(i *inode) {
	for _, c := range i.pending {
		i.durable = c.apply(i.durable)
	}
	i.pending = nil
	own := func(act []entry) bool {
		return slices.ContainsFunc(act, func(e entry) bool { return e.folder == i.number })
	}
	rest := d.journal[:0:0]
	for _, act := range d.journal {
		if own(act) {
			d.settle([][]entry{act})
		} else {
			rest = append(rest, act)
		}
	}
	d.journal = rest
}

// lose drops what a sync of the inode would have made durable. It is still read.
func (d *disk) lose(i *inode) {
	i.pending = nil
	d.journal = slices.DeleteFunc(d.journal, func(act []entry) bool {
		return slices.ContainsFunc(act, func(e entry) bool { return e.folder == i.number })
	})
}

// forget is the loss of power: live becomes what is durable. With coins, a random part of
// the rest is kept.
func (d *disk) forget(coins *rand.Rand) {
	if coins != nil && len(d.journal) > 0 {
		d.settle(d.journal[:coins.IntN(len(d.journal)+1)])
	}
	d.journal, d.used = nil, 0
	for _, n := range slices.Sorted(maps.Keys(d.inodes)) {
		i := d.inodes[n]
		for _, c := range i.pending {
			i.durable = c.tear(i.durable, coins)
		}
		i.pending, i.live = nil, slices.Clone(i.durable)
		i.names = maps.Clone(i.kept)
		i.blocks, i.nameless = map[int64]bool{}, false
		for b := int64(0); b*block < int64(len(i.live)); b++ {
			i.blocks[b] = true
			d.used += block
		}
	}
	d.sweep()
}

// tear applies a random part of the change, or nothing without coins.
func (c change) tear(content []byte, coins *rand.Rand) []byte {
	if coins == nil {
		return content
	}
	if c.size {
		if coins.IntN(2) == 0 {
			return content
		}
		return c.apply(content)
	}
	for from := int64(0); from < int64(len(c.data)); {
		to := min(int64(len(c.data)), from+sector-(c.at+from)%sector)
		if coins.IntN(2) == 0 {
			content = change{at: c.at + from, data: c.data[from:to]}.apply(content)
		}
		from = to
	}
	return content
}

// sweep drops what no name leads to any more.
func (d *disk) sweep() {
	reached := map[uint64]bool{}
	var walk func(n uint64)
	walk = func(n uint64) {
		reached[n] = true
		for _, to := range d.inodes[n].names {
			walk(to)
		}
	}
	walk(rootNumber)
	maps.DeleteFunc(d.inodes, func(n uint64, i *inode) bool {
		if !reached[n] {
			d.used -= int64(len(i.blocks)) * block
		}
		return !reached[n]
	})
}
