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
		events.follow(x.dirs())
		wait := x.config.ScanEvery
		if x.Scan(ctx, t) {
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
