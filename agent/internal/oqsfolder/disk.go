package oqsfolder

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// disk is what the exchange does to folders.
type disk interface {
	folder(dir string) (fault string)
	create(path string) (whole, error)
	move(from, to string) error
	remove(path string) error
	list(dir string) ([]fs.DirEntry, error)
	read(path string, limit int64) ([]byte, error)
	there(path string) bool
}

// whole is a file that is being written.
type whole interface {
	io.WriteCloser
	Sync() error
}

type realDisk struct{}

// folder tells whether a folder is there and can be listed.
func (realDisk) folder(dir string) string {
	f, err := os.Open(dir)
	if err != nil {
		return faultWord(err, FaultNotReadable)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.IsDir() {
		return FaultNoFolder
	}
	if _, err := f.Readdirnames(1); err != nil && !errors.Is(err, io.EOF) {
		return faultWord(err, FaultNotReadable)
	}
	return ""
}

// create makes a file that was not there.
func (realDisk) create(path string) (whole, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o660)
}

// move gives a file its name and never takes another's place. The folder's entry is
// brought to the disk where the file system can; network shares cannot.
func (realDisk) move(from, to string) error {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return fs.ErrExist
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if dir, err := os.Open(filepath.Dir(to)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}

func (realDisk) remove(path string) error { return os.Remove(path) }

func (realDisk) list(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }

// read opens for shared reading and gives at most limit bytes and one more.
func (realDisk) read(path string, limit int64) ([]byte, error) {
	f, err := openShared(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // it was exchanged since the folder was listed
		return nil, fs.ErrInvalid
	}
	return io.ReadAll(io.LimitReader(f, limit+1))
}

func (realDisk) there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// faultWord names why a folder cannot be used.
func faultWord(err error, otherwise string) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrNotExist):
		return FaultNoFolder
	case isFull(err):
		return FaultFull
	}
	return otherwise
}
