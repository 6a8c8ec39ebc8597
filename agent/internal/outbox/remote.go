package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/shared/fault"
)

// The acts of a running agent.
const (
	actFigures = "queue_figures"
	actList    = "queue_list"
	actShow    = "queue_show"
	actRetry   = "queue_retry"
	actExport  = "queue_export"
	actPart    = "queue_export_part"
	actMark    = "queue_exported"
)

// MaxPage is how many entries one answer over the socket lists.
const MaxPage = 500

// partBytes is how much of an export one answer carries: with base64 well below
// control.MaxReply.
const partBytes = 512 << 10

type listArgs struct {
	What  string `json:"what"`
	After uint64 `json:"after"`
	Limit int    `json:"limit"`
}

// made is an export that lies ready to be fetched.
type made struct {
	Export
	Number int   `json:"number"`
	Bytes  int64 `json:"bytes"`
}

type partArgs struct {
	Number int   `json:"number"`
	Offset int64 `json:"offset"`
}

// Acts answer over the control socket what Remote asks. An export is kept in dir, sealed,
// until it was fetched and the next is made; Close removes it.
type Acts struct {
	box *Box
	dir string

	mu   sync.Mutex
	file *os.File // of the last export; nil: none
	made made
}

// NewActs makes the acts of a Box.
func NewActs(b *Box, dir string) *Acts { return &Acts{box: b, dir: dir} }

// All gives the acts by their names.
func (a *Acts) All() map[string]control.Act {
	return map[string]control.Act{
		actFigures: func(ctx context.Context, _ control.Peer, _ json.RawMessage) (any, error) { return a.box.Figures(ctx) },
		actList: with(func(ctx context.Context, l listArgs) (any, error) {
			return a.box.List(ctx, l.What, l.After, min(l.Limit, MaxPage))
		}),
		actShow:   with(func(ctx context.Context, id string) (any, error) { return a.box.Show(ctx, id) }),
		actRetry:  with(func(ctx context.Context, id string) (any, error) { return nil, a.box.Retry(ctx, id) }),
		actExport: func(ctx context.Context, _ control.Peer, _ json.RawMessage) (any, error) { return a.export(ctx) },
		actPart:   with(func(_ context.Context, p partArgs) (any, error) { return a.part(p) }),
		actMark: with(func(ctx context.Context, through uint64) (any, error) {
			defer a.drop()
			return nil, a.box.MarkExported(ctx, through)
		}),
	}
}

// with decodes an act's argument.
func with[T any](act func(context.Context, T) (any, error)) control.Act {
	return func(ctx context.Context, _ control.Peer, raw json.RawMessage) (any, error) {
		var args T
		if err := json.Unmarshal(raw, &args); err != nil {
			return nil, fault.New(fault.InvalidArgument, "the act's argument is of another kind")
		}
		return act(ctx, args)
	}
}

// export writes a new export in place of the last.
func (a *Acts) export(ctx context.Context) (made, error) {
	a.drop()
	f, err := os.CreateTemp(a.dir, ".export-*.age") // mode 0600
	if err != nil {
		return made{}, fmt.Errorf("cannot make the export: %w", err)
	}
	written, err := a.box.Export(ctx, f)
	var size int64
	if err == nil {
		size, err = f.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return made{}, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.file = f
	a.made = made{Export: written, Number: a.made.Number + 1, Bytes: size}
	return a.made, nil
}

func (a *Acts) part(p partArgs) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil || p.Number != a.made.Number || p.Offset < 0 {
		return nil, fault.New(fault.NotFound, "there is no such export any more: begin again")
	}
	b := make([]byte, min(partBytes, max(a.made.Bytes-p.Offset, 0)))
	if _, err := a.file.ReadAt(b, p.Offset); err != nil {
		return nil, fmt.Errorf("cannot read the export: %w", err)
	}
	return b, nil
}

func (a *Acts) drop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file != nil {
		_ = errors.Join(a.file.Close(), os.Remove(a.file.Name())) // sealed, and made again when asked for
		a.file = nil
	}
}

// Close removes the export that lies ready.
func (a *Acts) Close() { a.drop() }

// Remote is the outbox of a running agent, over its control socket.
type Remote struct{ Socket string }

func (r Remote) call(ctx context.Context, act string, args, out any) error {
	return control.Call(ctx, r.Socket, act, args, out)
}

// Figures is Box.Figures.
func (r Remote) Figures(ctx context.Context) (f Figures, err error) {
	err = r.call(ctx, actFigures, nil, &f)
	return f, err
}

// List is Box.List, with at most MaxPage entries.
func (r Remote) List(ctx context.Context, what string, after uint64, limit int) (page []queue.Entry, err error) {
	err = r.call(ctx, actList, listArgs{what, after, limit}, &page)
	return page, err
}

// Show is Box.Show.
func (r Remote) Show(ctx context.Context, id string) (s Shown, err error) {
	err = r.call(ctx, actShow, id, &s)
	return s, err
}

// Retry is Box.Retry.
func (r Remote) Retry(ctx context.Context, id string) error {
	return r.call(ctx, actRetry, id, nil)
}

// Export is Box.Export: the agent makes the export, and its parts are fetched.
func (r Remote) Export(ctx context.Context, w io.Writer) (Export, error) {
	var m made
	if err := r.call(ctx, actExport, nil, &m); err != nil {
		return Export{}, err
	}
	for offset := int64(0); offset < m.Bytes; {
		var b []byte
		if err := r.call(ctx, actPart, partArgs{m.Number, offset}, &b); err != nil {
			return Export{}, err
		}
		if len(b) == 0 {
			return Export{}, fault.New(fault.Internal, "the agent gives no more of the export")
		}
		if _, err := w.Write(b); err != nil {
			return Export{}, fmt.Errorf("cannot write the export: %w", err)
		}
		offset += int64(len(b))
	}
	return m.Export, nil
}

// MarkExported is Box.MarkExported.
func (r Remote) MarkExported(ctx context.Context, through uint64) error {
	return r.call(ctx, actMark, through, nil)
}
