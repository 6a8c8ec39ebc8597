package oqsfolder

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Run watches the folders and gives what comes to t, until ctx ends. Where the system has
// no events to give, the scan alone does it.
func (x *Exchange) Run(ctx context.Context, t Taker) error {
	x.tidy()
	events, closeEvents := x.events()
	defer closeEvents()
	for {
		again, ok := x.scanInTime(ctx, t, events)
		if !ok {
			return nil
		}
		wait := x.config.ScanEvery
		if again {
			wait = min(wait, retryEvery)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-events.changed: // and what follows at once: a file is written in several steps
			timer.Reset(gather)
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
		}
		timer.Stop()
	}
}

// scanInTime scans once. It is false when ctx ends; a scan that a silent share holds up is
// then left behind after a while, and gives nothing to anybody any more.
func (x *Exchange) scanInTime(ctx context.Context, t Taker, e *events) (again, ok bool) {
	done := make(chan bool, 1)
	go func() {
		e.follow(x.dirs())
		done <- x.Scan(ctx, t)
	}()
	select {
	case again := <-done:
		return again, ctx.Err() == nil
	case <-ctx.Done():
	}
	timer := time.NewTimer(min(leaveAfter, x.config.Timeout))
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		x.config.Log.Warn("the folders do not answer and are left as they are")
	}
	return false, false
}

// leaveAfter is how long at most the end of the program waits for a scan.
const leaveAfter = 2 * time.Second

// gather is how long changes are gathered before the folders are read.
const gather = 30 * time.Millisecond

// events turns a watcher's events into one signal.
type events struct {
	watcher *fsnotify.Watcher
	changed chan struct{}
}

func (x *Exchange) events() (*events, func()) {
	e := &events{changed: make(chan struct{}, 1)}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		x.config.Log.Warn("the folders give no events and are scanned alone", "error", err)
		return e, func() {}
	}
	e.watcher = w
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.fold()
	}()
	return e, func() {
		_ = w.Close()
		<-ended
	}
}

// fold signals a change; more of them before it is seen are one. A watcher's error, such
// as too many events, is a change too.
func (e *events) fold() {
	for {
		var open bool
		select {
		case _, open = <-e.watcher.Events:
		case _, open = <-e.watcher.Errors:
		}
		if !open {
			return
		}
		select {
		case e.changed <- struct{}{}:
		default:
		}
	}
}

// follow watches the answer folders, those too that came back after a share was away. A
// folder that cannot be watched is scanned alone.
func (e *events) follow(dirs map[string]string) {
	if e.watcher == nil {
		return
	}
	for _, name := range []string{"res", "face"} {
		if dirs[name] != "" {
			_ = e.watcher.Add(dirs[name])
		}
	}
}
