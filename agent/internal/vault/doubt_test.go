package vault_test

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"madoguchi.example/shared/fault"
)

// A write that waits while a commit fails is built on the file as it is when it was opened
// again, not on what the failed commit shows: the system may never write that.
func TestNothingIsBuiltOnAFailedCommit(t *testing.T) {
	dir := t.TempDir()
	copyKey(t, dir)
	o := options(dir)
	var opened atomic.Int64
	o.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		opened.Add(1)
		return os.OpenFile(name, flag, mode)
	}
	failAt, begun := 0, make(chan int64, 1)
	var second sync.WaitGroup
	var next func()
	o.FailSync = func() error {
		if failAt--; failAt != 0 {
			return nil
		}
		second.Go(next)
		select { // the other has every chance to come first
		case n := <-begun:
			begun <- n
		case <-time.After(50 * time.Millisecond):
		}
		return errors.New("the disk failed")
	}
	v := openWith(t, dir, o)
	put(t, v, "a", "before")
	before := opened.Load()
	next = func() {
		if err := v.Update(func(*bbolt.Tx) error { begun <- opened.Load(); return nil }); err != nil {
			t.Error(err)
		}
	}
	failAt = 2
	if err := v.Shelf("case").Put(t.Context(), "a", []byte("after")); fault.CodeOf(err) != fault.Unknown {
		t.Errorf("got %v", err)
	}
	second.Wait()
	if n := <-begun; n == before {
		t.Error("the other write began on the handle whose commit had failed")
	}
	want(t, v, "a", "after")
}
