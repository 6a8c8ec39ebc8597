package oqsfolder

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"time"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/oqs"
)

// Place is fault.Error.Place of what the folder does not let be done; Message is then one
// of the folder's faults. Faults of the inquiry itself name its field.
const Place = "folder"

// Our file names: the day and second in Japan and eight random digits, so that they are
// told from the receipt computer's, and the name of a file that is being written.
var (
	ourSuffix = regexp.MustCompile(`^\d{22}$`)
	ourRest   = regexp.MustCompile(`^\.madoguchi-\d{22}\.tmp$`)
)

// Ask writes the request for one inquiry. Asking again for the same record writes a new
// file with the same identifier, unless the earlier one still lies there and the terminal
// is known to take requests away when it reads them: then the question is out. A character that Shift_JIS cannot carry is an
// oqs.UnsendableError.
func (x *Exchange) Ask(ctx context.Context, q eligibility.Inquiry) error {
	b, err := oqs.RequestOf(x.config.Institution, q, x.config.Ceiling).Encode(x.config.Encoding)
	if err != nil {
		return err
	}
	return x.ask(ctx, oqs.SingleRequest, q.RecordID, q.VisitDay, b)
}

// AskMany writes one bulk request, for inquiries of one visit day. batch comes back with
// the reception and the answers, each record id with its person's.
func (x *Exchange) AskMany(ctx context.Context, batch string, qs []eligibility.Inquiry) error {
	r := oqs.BulkRequest{Institution: x.config.Institution, Identifier: batch}
	for i, q := range qs {
		if i == 0 {
			r.Day = q.VisitDay
		}
		if q.VisitDay != r.Day {
			return fault.At(fault.InvalidArgument, "visit_day", "must be one day in a bulk request")
		}
		r.Searches = append(r.Searches, oqs.SearchOf(q, x.config.Ceiling))
	}
	b, err := r.Encode(x.config.Encoding)
	if err != nil {
		return err
	}
	return x.ask(ctx, oqs.BulkAsk, batch, civil.Date{}, b)
}

// Collect writes the request for the answers to an accepted batch.
func (x *Exchange) Collect(ctx context.Context, batch, reception string) error {
	r := oqs.BulkCollect{Institution: x.config.Institution, Identifier: batch, Reception: reception}
	b, err := r.Encode(x.config.Encoding)
	if err != nil {
		return err
	}
	return x.ask(ctx, oqs.BulkCollection, batch, civil.Date{}, b)
}

func (x *Exchange) ask(ctx context.Context, kind oqs.Kind, id string, day civil.Date, b []byte) error {
	if err := x.write(ctx, kind, id, b); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiting.put(id, question{x.config.Now(), day})
	return nil
}

// write brings one request into the folder, and notes how the folder is. It returns after
// Config.Timeout even where the file system hangs; what hangs is then not tried a second
// time until it ends. Without a kind it only tries.
func (x *Exchange) write(ctx context.Context, kind oqs.Kind, id string, b []byte) error {
	suffix, err := x.suffix()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, x.config.Timeout)
	defer cancel()
	select {
	case x.writing <- struct{}{}:
	case <-ctx.Done():
		return x.unwritten(ctx.Err())
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-x.writing }()
		done <- x.put(suffix, kind, id, b)
	}()
	select {
	case err := <-done:
		return x.unwritten(err)
	case <-ctx.Done():
		return x.unwritten(ctx.Err())
	}
}

// unwritten notes the outcome and makes it a fault.
func (x *Exchange) unwritten(err error) error {
	word := faultWord(err, FaultNotWritable)
	switch {
	case errors.Is(err, context.Canceled): // by the caller: says nothing of the folder
		return err
	case errors.Is(err, context.DeadlineExceeded):
		word = FaultSilent
	}
	x.setFolder("req", word)
	if err == nil {
		return nil
	}
	f := fault.At(fault.Unavailable, Place, "%s", word)
	f.Cause = err
	return f
}

// put writes a file whole, brings it to the disk and gives it its name; where any of it
// fails, nothing of it stays.
func (x *Exchange) put(suffix string, kind oqs.Kind, id string, b []byte) (err error) {
	if x.lies(kind, id) {
		return nil
	}
	rest := filepath.Join(x.config.ReqDir, ".madoguchi-"+suffix+".tmp")
	f, err := x.disk.create(rest)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil || kind == "" {
			_ = x.disk.remove(rest)
		}
	}()
	if _, err = f.Write(b); err != nil {
		_ = f.Close()
		return err
	}
	if err = f.Sync(); err != nil {
		_ = f.Close()
		return err
	}
	if err = f.Close(); err != nil || kind == "" {
		return err
	}
	name := oqs.FileName(kind, suffix)
	if err = x.disk.move(rest, filepath.Join(x.config.ReqDir, name)); err == nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.requests.put(string(kind)+id, request{name, x.config.Now()})
	}
	return err
}

// lies tells whether an earlier request under the same identifier waits for a terminal that
// would have taken it away had it read it: a second one would be asked twice.
func (x *Exchange) lies(kind oqs.Kind, id string) bool {
	x.mu.Lock()
	earlier, known := x.requests.get(string(kind) + id)
	collects := x.collects
	x.mu.Unlock()
	return known && collects && x.disk.there(filepath.Join(x.config.ReqDir, earlier.file))
}

func (x *Exchange) suffix() (string, error) {
	var b [4]byte
	if _, err := io.ReadFull(x.config.Rand, b[:]); err != nil {
		return "", fmt.Errorf("cannot name a request: %w", err)
	}
	now := x.config.Now().In(civil.Japan)
	return now.Format("20060102150405") + fmt.Sprintf("%08d", binary.BigEndian.Uint32(b[:])%1e8), nil
}

// tidy takes away what an earlier run of this program had not finished writing when it was
// cut off. Fresh files may be another desk's and stay.
func (x *Exchange) tidy() {
	entries, err := x.disk.list(x.config.ReqDir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !ourRest.MatchString(e.Name()) || !info.Mode().IsRegular() || x.config.Now().Sub(info.ModTime()) < time.Hour {
			continue
		}
		if err := x.disk.remove(filepath.Join(x.config.ReqDir, e.Name())); err != nil {
			x.config.Log.Warn("an unfinished request stays", "file", e.Name(), "error", err)
		}
	}
}
