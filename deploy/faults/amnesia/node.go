package amnesia

import (
	"context"
	"maps"
	"slices"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is how the kernel sees one inode of the disk.
type node struct {
	fs.Inode
	fs     *FS
	number uint64
}

var (
	_ fs.NodeLookuper  = (*node)(nil)
	_ fs.NodeReaddirer = (*node)(nil)
	_ fs.NodeGetattrer = (*node)(nil)
	_ fs.NodeSetattrer = (*node)(nil)
	_ fs.NodeOpener    = (*node)(nil)
	_ fs.NodeReader    = (*node)(nil)
	_ fs.NodeWriter    = (*node)(nil)
	_ fs.NodeFsyncer   = (*node)(nil)
	_ fs.NodeCreater   = (*node)(nil)
	_ fs.NodeMknoder   = (*node)(nil)
	_ fs.NodeMkdirer   = (*node)(nil)
	_ fs.NodeUnlinker  = (*node)(nil)
	_ fs.NodeRmdirer   = (*node)(nil)
	_ fs.NodeRenamer   = (*node)(nil)
	_ fs.NodeStatfser  = (*node)(nil)
)

// at gives the inode. The caller holds the lock.
func (n *node) at() (*inode, syscall.Errno) {
	i := n.fs.disk.inodes[n.number]
	if i == nil {
		return nil, syscall.ENOENT
	}
	return i, 0
}

func (i *inode) attr(out *fuse.Attr) {
	out.Ino, out.Mode, out.Nlink = i.number, i.mode, 1
	out.Size, out.Blocks, out.Blksize = uint64(len(i.live)), uint64(len(i.blocks))*block/512, block
}

// child makes what the kernel knows an inode by.
func (n *node) child(ctx context.Context, i *inode, out *fuse.EntryOut) *fs.Inode {
	i.attr(&out.Attr)
	return n.NewInode(ctx, &node{fs: n.fs, number: i.number}, fs.StableAttr{Mode: i.mode & syscall.S_IFMT, Ino: i.number})
}

// Lookup implements fs.NodeLookuper.
func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	i, errno := n.at()
	if errno != 0 {
		return nil, errno
	}
	found := n.fs.disk.inodes[i.names[name]]
	if found == nil {
		return nil, syscall.ENOENT
	}
	return n.child(ctx, found, out), 0
}

// Readdir implements fs.NodeReaddirer.
func (n *node) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	i, errno := n.at()
	if errno != 0 {
		return nil, errno
	}
	var list []fuse.DirEntry
	for _, name := range slices.Sorted(maps.Keys(i.names)) {
		to := n.fs.disk.inodes[i.names[name]]
		list = append(list, fuse.DirEntry{Name: name, Ino: to.number, Mode: to.mode & syscall.S_IFMT})
	}
	return fs.NewListDirStream(list), 0
}

// Getattr implements fs.NodeGetattrer.
func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	i, errno := n.at()
	if errno == 0 {
		i.attr(&out.Attr)
	}
	return errno
}

// Setattr implements fs.NodeSetattrer: sizes and permissions; the rest is not kept.
func (n *node) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	i, errno := n.at()
	if errno != 0 {
		return errno
	}
	if mode, ok := in.GetMode(); ok {
		i.mode = i.mode&syscall.S_IFMT | mode&0o7777
	}
	if size, ok := in.GetSize(); ok {
		if errno := n.fs.may(0); errno != 0 {
			return errno
		}
		n.fs.disk.resize(i, int64(size))
	}
	i.attr(&out.Attr)
	return 0
}

// Open implements fs.NodeOpener. What the kernel holds of the file stays: were it dropped,
// a mapping could read a page anew while a write of it is on its way, and keep the old one.
func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if _, errno := n.at(); errno != 0 {
		return nil, 0, errno
	}
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY && n.fs.readOnly {
		n.fs.count.Refused++
		return nil, 0, syscall.EROFS
	}
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

// Read implements fs.NodeReader.
func (n *node) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	i, errno := n.at()
	if errno != 0 {
		return nil, errno
	}
	off = min(off, int64(len(i.live)))
	return fuse.ReadResultData(dest[:copy(dest, i.live[off:])]), 0
}

// Write implements fs.NodeWriter.
func (n *node) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	i, errno := n.at()
	if errno == 0 && len(data) > 0 {
		errno = n.fs.may(i.needs(off, len(data)))
	}
	if errno != 0 || len(data) == 0 {
		return 0, errno
	}
	n.fs.disk.write(i, off, data)
	return uint32(len(data)), 0
}

// Fsync implements fs.NodeFsyncer, for folders too.
func (n *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return n.fs.sync(n.number)
}

// make makes a file, folder or socket with a name.
func (n *node) make(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	i, errno := n.at()
	if errno != 0 {
		return nil, errno
	}
	if i.names[name] != 0 {
		return nil, syscall.EEXIST
	}
	if errno := n.fs.may(1); errno != 0 {
		return nil, errno
	}
	made := n.fs.disk.add(mode)
	n.fs.disk.link(entry{n.number, name, made.number})
	return n.child(ctx, made, out), 0
}

// Create implements fs.NodeCreater.
func (n *node) Create(ctx context.Context, name string, _, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	made, errno := n.make(ctx, name, syscall.S_IFREG|mode&0o7777, out)
	return made, nil, fuse.FOPEN_KEEP_CACHE, errno
}

// Mknod implements fs.NodeMknoder, for sockets.
func (n *node) Mknod(ctx context.Context, name string, mode, _ uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return n.make(ctx, name, mode, out)
}

// Mkdir implements fs.NodeMkdirer.
func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return n.make(ctx, name, syscall.S_IFDIR|mode&0o7777, out)
}

// Unlink implements fs.NodeUnlinker.
func (n *node) Unlink(_ context.Context, name string) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	i, errno := n.at()
	if errno == 0 && i.names[name] == 0 {
		errno = syscall.ENOENT
	}
	if errno == 0 {
		errno = n.fs.may(0)
	}
	if errno == 0 {
		n.fs.disk.unname(i.names[name])
		n.fs.disk.link(entry{n.number, name, 0})
	}
	return errno
}

// Rmdir implements fs.NodeRmdirer.
func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	n.fs.mu.Lock()
	i, errno := n.at()
	if errno == 0 {
		if inner := n.fs.disk.inodes[i.names[name]]; inner != nil && len(inner.names) > 0 {
			errno = syscall.ENOTEMPTY
		}
	}
	n.fs.mu.Unlock()
	if errno != 0 {
		return errno
	}
	return n.Unlink(ctx, name)
}

// Rename implements fs.NodeRenamer. A name that is there is replaced, unless the flags
// forbid it; names are not exchanged.
func (n *node) Rename(_ context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	to, ok := parent.(*node)
	if !ok || flags&^renameNoReplace != 0 {
		return syscall.EINVAL
	}
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	from, errno := n.at()
	if errno != 0 {
		return errno
	}
	into, errno := to.at()
	switch {
	case errno != 0:
		return errno
	case from.names[name] == 0:
		return syscall.ENOENT
	case flags&renameNoReplace != 0 && into.names[newName] != 0:
		return syscall.EEXIST
	}
	if errno := n.fs.may(0); errno != 0 {
		return errno
	}
	n.fs.disk.unname(into.names[newName])
	n.fs.disk.link(entry{to.number, newName, from.names[name]}, entry{n.number, name, 0})
	return 0
}

// renameNoReplace is RENAME_NOREPLACE of renameat2(2).
const renameNoReplace = 1

// Statfs implements fs.NodeStatfser.
func (n *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	all := n.fs.capacity
	if all == 0 {
		all = 1 << 30
	}
	out.Bsize, out.Frsize, out.NameLen = block, block, 255
	out.Blocks = uint64(all / block)
	out.Bfree = uint64(max(0, all-n.fs.disk.used) / block)
	out.Bavail = out.Bfree
	return 0
}
