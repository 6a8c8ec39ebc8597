package amnesia

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Device is what the kernel must offer.
const Device = "/dev/fuse"

// FS is one file system. Make it with New.
type FS struct {
	dir    string
	server *fuse.Server

	mu       sync.Mutex
	coins    *rand.Rand
	disk     *disk
	capacity int64
	readOnly bool
	deaf     bool
	off      bool          // the power is gone
	cut      chan struct{} // closed when it goes
	left     int           // changes and syncs until it goes; -1: for ever
	failing  map[int]bool  // by number of the sync; true: and what it was for is lost
	count    Count
}

// Count tells what has happened since New.
type Count struct {
	Changes int // writes, sizes, names
	Syncs   int // of files and folders, failed ones too
	Failed  int // syncs that answered EIO
	Refused int // changes refused: full, read-only or without power
}

// New makes an empty file system. The coins decide what a torn restart keeps.
func New(coins *rand.Rand) *FS {
	return &FS{coins: coins, disk: newDisk(), left: -1, cut: make(chan struct{}), failing: map[int]bool{}}
}

// Possible tells why this machine cannot mount one; nil where it can.
func Possible() error {
	if os.Geteuid() != 0 {
		return errors.New("a file system of our own needs root")
	}
	f, err := os.OpenFile(Device, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("a file system of our own needs %s: %w", Device, err)
	}
	return f.Close()
}

// Mount puts the file system on an existing folder.
func (f *FS) Mount(dir string) error {
	server, err := fs.Mount(dir, &node{fs: f, number: rootNumber}, &fs.Options{
		RootStableAttr: &fs.StableAttr{Ino: rootNumber},
		MountOptions: fuse.MountOptions{DirectMountStrict: true, DisableXAttrs: true, FsName: "amnesia", Name: "amnesia",
			ExplicitDataCacheControl: true}, // see node.Open
	})
	if err != nil {
		return fmt.Errorf("cannot mount the forgetful file system: %w", err)
	}
	f.dir, f.server = dir, server
	return nil
}

// Unmount takes it off its folder. Nobody may have a file of it open.
func (f *FS) Unmount() error {
	if f.server == nil {
		return nil
	}
	if err := f.server.Unmount(); err != nil {
		return fmt.Errorf("cannot unmount the forgetful file system: %w", err)
	}
	f.server = nil
	return nil
}

// Restart is the power going, if it has not, and coming back: all that was not durable is
// forgotten, or a random part of it when torn. Programs that have files open must have been
// killed. Orders to fail syncs or to cut the power are over; full, read-only and deaf stay.
func (f *FS) Restart(torn bool) error {
	if err := f.Unmount(); err != nil {
		return err
	}
	f.mu.Lock()
	coins := f.coins
	if !torn {
		coins = nil
	}
	f.disk.forget(coins)
	f.off, f.left, f.cut, f.failing = false, -1, make(chan struct{}), map[int]bool{}
	f.mu.Unlock()
	return f.Mount(f.dir)
}

// CutAfter lets the power go after n more changes and syncs: none after them is done, each
// answers EIO. The channel is closed at the first that is not done.
func (f *FS) CutAfter(n int) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = n
	return f.cut
}

// FailSync has the n-th sync from now (1: the next) answer EIO. What it was for is lost, or
// durable all the same.
func (f *FS) FailSync(n int, lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing[f.count.Syncs+n] = lost
}

// Mend takes back what FailSync ordered and did not happen yet.
func (f *FS) Mend() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.failing)
}

// SetCapacity makes the disk so large, in bytes; 0: as large as memory.
func (f *FS) SetCapacity(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.capacity = bytes
}

// Used tells how many bytes are taken, in whole blocks of 4096.
func (f *FS) Used() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.disk.used
}

// SetReadOnly refuses every change, or not.
func (f *FS) SetReadOnly(yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readOnly = yes
}

// SetDeaf answers every sync well and does nothing for it, or not.
func (f *FS) SetDeaf(yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deaf = yes
}

// Count tells what has happened.
func (f *FS) Count() Count {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// power takes one step of those that are left, and tells whether it may be done. The caller
// holds the lock.
func (f *FS) power() bool {
	if f.left == 0 && !f.off {
		f.off = true
		close(f.cut)
	}
	if f.left > 0 {
		f.left--
	}
	return !f.off
}

// may tells whether a change that takes so many bytes anew may be done. The caller holds
// the lock.
func (f *FS) may(need int64) syscall.Errno {
	refusal := syscall.Errno(0)
	switch {
	case f.readOnly:
		refusal = syscall.EROFS
	case f.capacity > 0 && need > 0 && f.disk.used+need > f.capacity:
		refusal = syscall.ENOSPC
	case !f.power():
		refusal = syscall.EIO
	}
	if refusal != 0 {
		f.count.Refused++
		return refusal
	}
	f.count.Changes++
	return 0
}

// sync makes an inode durable, or does what was ordered.
func (f *FS) sync(n uint64) syscall.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count.Syncs++
	if !f.power() {
		f.count.Failed++
		return syscall.EIO
	}
	i := f.disk.inodes[n]
	lost, fails := f.failing[f.count.Syncs]
	switch {
	case i == nil:
		return syscall.ENOENT
	case fails && lost:
		f.disk.lose(i)
	case !f.deaf:
		f.disk.sync(i)
	}
	if fails {
		delete(f.failing, f.count.Syncs)
		f.count.Failed++
		return syscall.EIO
	}
	return 0
}
