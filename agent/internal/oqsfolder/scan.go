package oqsfolder

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/oqs"
)

// file is what is known of one answer file while it is there.
type file struct {
	dir, name string
	kind      oqs.Name
	size      int64
	modTime   time.Time
	since     time.Time // it is as it is since then, or is in fault
	triedAt   time.Time
	settled   bool // taken, foreign, or in fault for good: looked at again when it changes
	fault     string
	code      string
	id        string // whom its fault is about
}

func (f *file) path() string { return filepath.Join(f.dir, f.name) }

// recordID is the form of our records' ids: UUID version 7.
var recordID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// digest stands for the content of an answer.
type digest [sha256.Size]byte

// Scan reads the folders once and gives what is new to t. It tells whether a file should
// be tried again soon. Run calls it; at most one runs at a time.
func (x *Exchange) Scan(ctx context.Context, t Taker) (again bool) {
	x.scan.Lock()
	defer x.scan.Unlock()
	x.busy(x.config.Now())
	defer x.busy(time.Time{})
	x.recover(ctx)
	x.collected()
	there := map[string]bool{}
	for _, f := range x.listed(there) {
		if ctx.Err() != nil {
			return false
		}
		x.try(ctx, t, f)
	}
	return x.forget(there)
}

func (x *Exchange) busy(since time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.busySince, x.used = since, true
}

// collected notes which requests still lie in their folder. One that is gone shows that
// the terminal takes them away.
func (x *Exchange) collected() {
	entries, err := x.disk.list(x.config.ReqDir)
	if err != nil {
		return
	}
	lies := map[string]bool{}
	for _, e := range entries {
		lies[e.Name()] = true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.untaken = 0
	for key, r := range x.requests.all() {
		switch {
		case !lies[r.file]:
			x.collects = true
			x.requests.drop(key)
		case x.config.Now().Sub(r.at) > x.config.Timeout:
			x.untaken++
		}
	}
	if !x.collects {
		x.untaken = 0
	}
}

// recover tries the request folder again after it could not be used, with a file that is
// not kept.
func (x *Exchange) recover(ctx context.Context) {
	was := x.faultOf("req")
	if word := x.disk.folder(x.config.ReqDir); word != "" {
		x.setFolder("req", word)
	} else if was != "" {
		_ = x.write(ctx, "", "", nil) // notes the outcome itself
	}
}

// listed gives the answer files that wait to be read, in the order in which they were
// written, and marks all that are there.
func (x *Exchange) listed(there map[string]bool) []*file {
	var waiting []*file
	seen := map[string]bool{}
	for _, folder := range []string{"res", "face"} {
		dir := x.dirs()[folder]
		if dir == "" || seen[dir] {
			continue
		}
		seen[dir] = true
		entries, err := x.disk.list(dir)
		x.setFolder(folder, faultWord(err, FaultNotReadable))
		if err != nil {
			x.keep(dir, there)
			continue
		}
		for _, e := range entries {
			if f := x.known(dir, e); f != nil {
				there[f.path()] = true
				if x.due(f) {
					waiting = append(waiting, f)
				}
			}
		}
		x.sweep(dir)
	}
	slices.SortFunc(waiting, func(a, b *file) int {
		return cmp.Or(a.modTime.Compare(b.modTime), cmp.Compare(a.name, b.name))
	})
	return waiting
}

// sweep notes that a folder was listed: what lay there from long ago is not read, but what
// comes from now on is new, whatever this machine's clock says.
func (x *Exchange) sweep(dir string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.swept[dir] = true
}

// keep holds on to what is known of a folder that cannot be read now.
func (x *Exchange) keep(dir string, there map[string]bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for path, f := range x.files {
		if f.dir == dir {
			there[path] = true
		}
	}
}

// known gives what is known of an entry, brought up to date; nil for what is no answer.
func (x *Exchange) known(dir string, e fs.DirEntry) *file {
	name, ok := oqs.ParseFileName(e.Name())
	if !ok || !e.Type().IsRegular() {
		return nil
	}
	switch name.Kind {
	case oqs.SingleResult, oqs.FaceResult, oqs.BulkReception, oqs.BulkResult:
	default:
		return nil
	}
	info, err := e.Info()
	now, keep := x.config.Now(), keepAnswers
	if name.Kind == oqs.FaceResult {
		keep = keepFaces
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	f := x.files[filepath.Join(dir, e.Name())]
	switch {
	case err != nil: // it went away between the two
		return nil
	case f == nil:
		old := !x.swept[dir] && now.Sub(info.ModTime()) > keep
		f = &file{dir: dir, name: e.Name(), kind: name, since: now, settled: old}
		x.files[f.path()] = f
	case f.size == info.Size() && f.modTime.Equal(info.ModTime()):
		return f
	default: // it is being written, or was written anew
		f.settled, f.fault, f.code, f.since = false, "", "", now
	}
	f.size, f.modTime = info.Size(), info.ModTime()
	return f
}

// due tells whether a file is to be read now. One in fault is tried again now and then:
// not every share tells that a file changed.
func (x *Exchange) due(f *file) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !f.settled || f.readable() && x.config.Now().Sub(f.triedAt) >= 3*x.config.Timeout
}

// readable tells whether a fault may go away without the file's changing.
func (f *file) readable() bool {
	switch f.fault {
	case FaultUnreadable, FaultEncoding, FaultRefused:
		return true
	}
	return false
}

// try reads one file and gives it to t.
func (x *Exchange) try(ctx context.Context, t Taker, f *file) {
	limit := int64(oqs.MaxBytes)
	if f.kind.Kind == oqs.BulkResult {
		limit = oqs.MaxBulkBytes
	}
	switch {
	case f.kind.Zip:
		x.fail(f, FaultZip, "")
		return
	case f.size > limit:
		x.fail(f, FaultTooLarge, "")
		return
	}
	b, err := x.disk.read(f.path(), limit)
	if errors.Is(err, fs.ErrNotExist) { // the receipt computer was faster
		x.gone(f)
		return
	}
	if err != nil { // another program holds it
		x.unreadable(f, FaultUnreadable)
		return
	}
	if ctx.Err() != nil { // reading took long, and the program ends
		return
	}
	err = x.give(ctx, t, f, b)
	switch code := fault.CodeOf(err); {
	case err == nil, code == fault.NotFound:
		x.settle(f)
	case errors.Is(err, errDocument):
		x.unreadable(f, documentFault(oqs.WordOf(err)))
	case errors.Is(err, errOtherDay):
		x.fail(f, FaultOtherDay, "")
	case code == fault.Conflict:
		x.fail(f, FaultSecond, "")
	default: // our own trouble: it is given again
		x.config.Log.Warn("an answer could not be taken yet", "file", f.name, "error", err)
	}
}

// What stands in the way of an answer, beside the taker's own refusals.
var (
	errDocument = errors.New("the document is not read")
	errOtherDay = errors.New("the answer is for another day than the question")
)

func documentFault(word string) string {
	switch word {
	case oqs.RefusedIncomplete, oqs.RefusedMarkup:
		return FaultUnreadable
	case oqs.RefusedEncoding:
		return FaultEncoding
	case oqs.RefusedTooLarge:
		return FaultTooLarge
	case oqs.RefusedZip:
		return FaultZip
	}
	return FaultRefused
}

// give parses a file by its kind and hands it over.
func (x *Exchange) give(ctx context.Context, t Taker, f *file, b []byte) error {
	switch f.kind.Kind {
	case oqs.BulkReception:
		r, err := oqs.ParseReception(b)
		if err != nil {
			return errors.Join(errDocument, err)
		}
		return x.taken(f, r.Identifier, false, t.TakeReception(ctx, r))
	case oqs.BulkResult:
		r, err := oqs.ParseBulkResult(b)
		if err != nil {
			return errors.Join(errDocument, err)
		}
		return x.taken(f, r.Identifier, r.Segment != oqs.InProgress, t.TakeBulk(ctx, r))
	}
	r, err := oqs.ParseResult(b)
	if err != nil {
		return errors.Join(errDocument, err)
	}
	if f.kind.Kind == oqs.FaceResult {
		return x.taken(f, "", false, t.TakeFace(ctx, f.name, r))
	}
	return x.giveOnline(ctx, t, f, r)
}

// giveOnline hands over a single answer that is ours. The first one with a word counts for
// its record: the same word again is passed over, another is a fault to see.
func (x *Exchange) giveOnline(ctx context.Context, t Taker, f *file, r oqs.Result) error {
	if !recordID.MatchString(r.Identifier) {
		return nil // another program's
	}
	word, decisive := decision(r)
	x.mu.Lock()
	first, decided := x.decided.get(r.Identifier)
	q, out := x.waiting.get(r.Identifier)
	x.mu.Unlock()
	switch {
	case out && !r.ForDay.IsZero() && r.ForDay != q.day:
		return errOtherDay
	case decided && (!decisive || word == first):
		return nil
	case decided:
		return fault.New(fault.Conflict, "another answer was taken first")
	}
	if err := x.taken(f, r.Identifier, r.Segment != oqs.InProgress, t.TakeOnline(ctx, r)); err != nil {
		return err
	}
	if r.Segment == oqs.Abnormal || r.Segment == oqs.OtherEnd {
		x.note(f, r.Identifier, r.ErrorCode)
	}
	if decisive {
		x.decide(r.Identifier, word)
	}
	return nil
}

// decision gives what an answer says of the coverage, and whether it says anything.
func decision(r oqs.Result) (digest, bool) {
	a, ok := r.Answer(r.Identifier, r.ForDay)
	if !ok || a.Validity == eligibility.CheckFailed {
		return digest{}, false
	}
	a.Notes, a.Consents = nil, nil // they may come and go while the word stays
	b, err := json.Marshal(a)
	return sha256.Sum256(b), err == nil
}

// taken passes the taker's error on and notes an answer that was taken.
func (x *Exchange) taken(f *file, id string, final bool, err error) error {
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lastAnswer = x.config.Now()
	if final {
		x.waiting.drop(id)
	}
	f.fault, f.code = "", ""
	return nil
}

// decide remembers the first word for a record and clears what its earlier ends left.
func (x *Exchange) decide(id string, word digest) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.decided.put(id, word)
	for _, f := range x.files {
		if f.id == id && f.fault == FaultAbnormal {
			f.fault, f.code = "", ""
		}
	}
}

// note keeps an abnormal end in sight, though it was taken.
func (x *Exchange) note(f *file, id, code string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f.fault, f.code, f.id, f.since = FaultAbnormal, code, id, x.config.Now()
}

func (x *Exchange) settle(f *file) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f.settled = true
	if f.fault != FaultAbnormal {
		f.fault = ""
	}
}

// unreadable is not yet a fault while the file may still be being written.
func (x *Exchange) unreadable(f *file, word string) {
	x.mu.Lock()
	now := x.config.Now()
	f.triedAt = now
	patience := now.Sub(f.since) < x.config.Timeout && f.fault == ""
	x.mu.Unlock()
	if !patience {
		x.fail(f, word, "")
	}
}

// fail puts a file's fault in sight. Files of other programs are none of ours to complain
// about: only answers to our file names, and what the card reader writes, are told.
func (x *Exchange) fail(f *file, word, code string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f.settled, f.triedAt = true, x.config.Now()
	if f.fault == word || word != FaultSecond && word != FaultOtherDay && f.kind.Kind != oqs.FaceResult && !ourSuffix.MatchString(f.kind.Suffix) {
		return
	}
	f.fault, f.code, f.since = word, code, x.config.Now()
	x.config.Log.Warn("an answer file cannot be taken", "file", f.name, "fault", word)
}

// gone counts an answer that went away before it was read.
func (x *Exchange) gone(f *file) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lost++
	delete(x.files, f.path())
	x.config.Log.Info("an answer was taken away before it was read", "file", f.name)
}

// forget drops files that are not there any more and tells whether one of the others is
// still waiting.
func (x *Exchange) forget(there map[string]bool) (again bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for path, f := range x.files {
		switch {
		case there[path]:
			again = again || !f.settled
		default:
			if !f.settled {
				x.lost++
			}
			delete(x.files, path)
		}
	}
	return again
}

// trouble lists the files in fault. The caller holds mu.
func (x *Exchange) trouble() []Trouble {
	var all []Trouble
	for _, f := range x.files {
		old := x.config.Now().Sub(f.since) > keepTrouble
		if f.fault == "" || old && f.fault == FaultAbnormal {
			continue
		}
		all = append(all, Trouble{File: f.name, Fault: f.fault, Code: f.code, Since: f.since})
	}
	slices.SortFunc(all, func(a, b Trouble) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.File, b.File)) })
	return all[:min(len(all), maxTrouble)]
}
