// Package tour walks the journeys of the product through its built programs, headless:
// the citizen by the mobile API's client, the staff console and the reception desk by
// their forms, the terminal also by its command line.
//
// It promises to print one line for each step, "ok" or "FAIL", the number
// <journey>.<step> and what was to hold, and last "N passed, N failed". A step that could
// not be tried, since an earlier one of its journey failed, counts as failed. It waits for
// events and states, never for a fixed time.
package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"madoguchi.example/deploy/stage"
)

// Guide is what the journeys walk on: a stage whose backend serves and whose terminals run.
type Guide struct {
	Stage *stage.Stage
	Terminals
	Imported string    // what the import said
	Rand     io.Reader // secrets of the citizens' sign-in
	Out      io.Writer // the lines
	// StepTimeout bounds each step; 30 s when zero.
	StepTimeout time.Duration
}

// step is one thing that must hold.
type step struct {
	words string
	do    func(ctx context.Context) error
}

// journey is a list of steps, each relying on those before it.
type journey struct {
	name  string
	steps []step
}

// Result counts steps.
type Result struct{ Passed, Failed int }

// Walk walks all journeys. The error is not nil when a step failed or ctx ended.
func (g *Guide) Walk(ctx context.Context) (Result, error) {
	var r Result
	for i, make := range []func(*Guide) journey{certificate, insurance, benefitNotice, childSupport} {
		j := make(g)
		fmt.Fprintf(g.Out, "-- %d %s\n", i+1, j.name)
		g.walk(ctx, i+1, j, &r)
	}
	fmt.Fprintf(g.Out, "%d passed, %d failed\n", r.Passed, r.Failed)
	if r.Failed > 0 {
		return r, fmt.Errorf("%d of %d steps failed", r.Failed, r.Passed+r.Failed)
	}
	return r, ctx.Err()
}

func (g *Guide) walk(ctx context.Context, n int, j journey, r *Result) {
	failed := 0
	for i, s := range j.steps {
		err := errors.New("not tried: an earlier step failed")
		if failed == 0 {
			err = g.try(ctx, s)
		}
		if err == nil {
			r.Passed++
			fmt.Fprintf(g.Out, "ok %d.%d %s\n", n, i+1, s.words)
			continue
		}
		r.Failed++
		failed++
		fmt.Fprintf(g.Out, "FAIL %d.%d %s: %v\n", n, i+1, s.words, err)
	}
	if err := g.Stage.Line.Restore(); err != nil { // the next journey begins with a whole line
		fmt.Fprintln(g.Out, err)
	}
}

func (g *Guide) try(ctx context.Context, s step) error {
	limit := g.StepTimeout
	if limit == 0 {
		limit = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return s.do(ctx)
}

// every is how often a state is asked for while it is waited for.
const every = 50 * time.Millisecond

// until asks again and again until the state holds, it cannot be asked for, or ctx ends.
// The last thing that look said explains a state that never came.
func until(ctx context.Context, look func() (holds bool, seen string, err error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		holds, seen, err := look()
		if err != nil && ctx.Err() == nil {
			return err
		}
		if holds {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain, last seen: %s", seen)
		}
	}
}

// want makes an error unless ok.
func want(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// maxPage bounds a page that is read.
const maxPage = 8 << 20

// page is an answer that was read whole.
type page struct {
	status int
	header http.Header
	text   string
}

func fetch(client *http.Client, req *http.Request) (page, error) {
	resp, err := client.Do(req)
	if err != nil {
		return page{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return page{}, fmt.Errorf("cannot read the page: %w", err)
	}
	return page{resp.StatusCode, resp.Header, string(raw)}, nil
}

func getPage(ctx context.Context, client *http.Client, url string) (page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return page{}, err
	}
	return fetch(client, req)
}
