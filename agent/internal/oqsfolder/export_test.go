package oqsfolder

import "io/fs"

// Disk is what a test may put in the place of the file system.
type Disk struct {
	Create func(path string) (Whole, error)
	Move   func(from, to string) error
	Read   func(path string) // called before a file is opened
	List   func(dir string)  // called before a folder is listed
}

// Whole is a file that is being written.
type Whole = whole

// Use makes the exchange call the functions that are set.
func (x *Exchange) Use(d Disk) { x.disk = testDisk{d} }

type testDisk struct{ with Disk }

func (d testDisk) folder(dir string) string { return realDisk{}.folder(dir) }

func (d testDisk) create(path string) (whole, error) {
	if d.with.Create != nil {
		return d.with.Create(path)
	}
	return realDisk{}.create(path)
}

func (d testDisk) move(from, to string) error {
	if d.with.Move != nil {
		return d.with.Move(from, to)
	}
	return realDisk{}.move(from, to)
}

func (d testDisk) remove(path string) error { return realDisk{}.remove(path) }

func (d testDisk) list(dir string) ([]fs.DirEntry, error) {
	if d.with.List != nil {
		d.with.List(dir)
	}
	return realDisk{}.list(dir)
}

func (d testDisk) there(path string) bool { return realDisk{}.there(path) }

func (d testDisk) read(path string, limit int64) ([]byte, error) {
	if d.with.Read != nil {
		d.with.Read(path)
	}
	return realDisk{}.read(path, limit)
}
