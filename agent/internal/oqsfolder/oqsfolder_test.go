package oqsfolder_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/text/encoding/japanese"

	"madoguchi.example/agent/internal/oqsfolder"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/oqs"
)

func TestARequestIsWrittenWhole(t *testing.T) {
	w := newWorld(t, nil)
	renamed := 0
	w.x.Use(oqsfolder.Disk{Move: func(from, to string) error {
		renamed++
		if filepath.Dir(from) != filepath.Dir(to) || strings.HasSuffix(from, ".xml") || strings.HasPrefix(filepath.Base(from), "OQS") {
			t.Errorf("%s is seen by the terminal while it is written", filepath.Base(from))
		}
		b, err := os.ReadFile(from)
		if err != nil || !strings.HasSuffix(strings.TrimSpace(string(b)), "</XmlMsg>") {
			t.Errorf("it is renamed before it is whole: %v", err)
		}
		return os.Rename(from, to)
	}})
	w.ask(1)
	w.ask(1)
	got := w.collect()
	if len(got) != 2 || renamed != 2 || got[0].file == got[1].file {
		t.Fatalf("%d requests, %d renamed", len(got), renamed)
	}
	for _, a := range got {
		n, ok := oqs.ParseFileName(a.file)
		if !ok || n.Kind != oqs.SingleRequest || len(a.file) > 40 {
			t.Errorf("the name %s", a.file)
		}
		if a.xml.ID != record(1) || a.xml.Day != "20261120" || len(a.xml.People) != 1 || a.xml.People[0].Insurer != "  012344" || a.xml.People[0].Symbol != "建国" {
			t.Errorf("the terminal reads %+v", a.xml)
		}
	}
	if h := w.x.Health(); h.Waiting != 1 || !h.Ready {
		t.Errorf("%+v", h)
	}
}

func TestAskingInShiftJISSaysWhatCannotBeSent(t *testing.T) {
	w := newWorld(t, func(c *oqsfolder.Config) { c.Encoding = oqs.ShiftJIS })
	w.ask(1)
	if got := w.collect(); got[0].xml.People[0].Symbol != "建国" {
		t.Errorf("the terminal reads %+v", got[0].xml)
	}
	q := inquiry(2)
	q.Symbol = "𠮷"
	err := w.x.Ask(context.Background(), q)
	u, ok := errors.AsType[*oqs.UnsendableError](err)
	if !ok || string(u.Runes) != "𠮷" || fault.PlaceOf(err) != "symbol" || len(w.names(w.req)) != 0 || !w.x.Health().Ready {
		t.Errorf("got %v", err)
	}
}

func TestBulk(t *testing.T) {
	w := newWorld(t, nil)
	ctx := context.Background()
	other := inquiry(3)
	other.VisitDay = visit.AddDays(1)
	if err := w.x.AskMany(ctx, "b1", []eligibility.Inquiry{inquiry(1), other}); fault.PlaceOf(err) != "visit_day" {
		t.Errorf("two days in one request: %v", err)
	}
	if err := w.x.AskMany(ctx, "b1", []eligibility.Inquiry{inquiry(1), inquiry(2)}); err != nil {
		t.Fatal(err)
	}
	if err := w.x.Collect(ctx, "b1", "R-7"); err != nil {
		t.Fatal(err)
	}
	got := w.collect()
	if len(got) != 2 || len(got[0].xml.People) != 2 || got[0].xml.People[1].ID != record(2) || got[0].xml.ID != "b1" || got[1].xml.Reception != "R-7" || got[1].xml.ID != "b1" {
		t.Fatalf("the terminal reads %+v", got)
	}
	reception := strings.Replace(answer("b1", "1", "1", ""), "<ErrorCode>", "<ReceptionNumber>R-7</ReceptionNumber><ErrorCode>", 1)
	w.put(w.res, strings.Replace(got[0].file, "req", "res", 1), reception, -2*time.Second)
	progress := answer("b1", "2", "", "")
	w.put(w.res, strings.Replace(got[1].file, "req", "res", 1), progress, -time.Second)
	w.scan()
	w.want("reception b1 R-7; bulk b1 in_progress0")
	if w.x.Health().Waiting != 1 {
		t.Error("a batch in progress is not waited for")
	}
	w.put(w.res, "OQSmuquc02res_2026112009300099999999.xml", answer("b1", "1", "1", "窓口"), 0)
	w.scan()
	w.want("reception b1 R-7; bulk b1 in_progress0; bulk b1 done1")
	if w.x.Health().Waiting != 0 {
		t.Error("an answered batch is waited for")
	}
}

func TestAnswersAreTakenOnceAndNeverTouched(t *testing.T) {
	w := newWorld(t, nil)
	w.ask(1)
	path := w.put(w.res, strings.Replace(w.collect()[0].file, "req", "res", 1), answer(record(1), "1", "1", "窓口　花子"), 0)
	before, _ := os.Stat(path)
	for range 3 {
		w.scan()
		w.pass(time.Minute)
	}
	w.want("online 01 done valid")
	after, err := os.Stat(path)
	if err != nil || !after.ModTime().Equal(before.ModTime()) || after.Size() != before.Size() || len(w.names(w.res)) != 1 {
		t.Errorf("the terminal's file was touched: %v", err)
	}
	if h := w.x.Health(); h.Waiting != 0 || h.LastAnswer.IsZero() {
		t.Errorf("%+v", h)
	}
}

func TestForeignAnswersAreLeftAlone(t *testing.T) {
	w := newWorld(t, nil)
	w.taker.fail = map[string]error{"09": fault.New(fault.NotFound, "not ours")}
	w.put(w.res, "OQSsiquc01res_202611200001.xml", answer("RECEIPT-COMPUTER-1", "1", "2", "他人"), 0)
	w.put(w.res, "OQSsiquc01res_202611200002.xml", answer(record(9), "1", "2", "他人"), 0) // a record of another desk
	w.put(w.res, "OQSsiquc01res_202611200003.xml", "<XmlMsg><broken", 0)
	w.put(w.res, "OQSsiquc01res_202611200004.zip", "PK\x03\x04", 0)
	w.put(w.res, "OQSsiimm01res_202611200005.xml", "of another kind", 0)
	w.put(w.res, "notes.txt", "x", 0)
	if err := os.Mkdir(filepath.Join(w.res, "OQSsiquc01res_202611200006.xml"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.scan()
	w.pass(time.Hour)
	w.scan()
	w.want("")
	if len(w.names(w.res)) != 7 {
		t.Error("a foreign file is gone")
	}
	if strings.Contains(w.log.String(), "他人") {
		t.Error("a name is in the log")
	}
}

func TestAHalfWrittenAnswerIsTriedAgain(t *testing.T) {
	w := newWorld(t, nil)
	whole := answer(record(1), "1", "1", "窓口")
	for n := 0; n < len(whole); n += 97 {
		w.put(w.res, ours(1), whole[:n], time.Duration(n)*time.Millisecond)
		if !w.scan() {
			t.Fatalf("after %d bytes it is not tried again", n)
		}
		w.want("")
		w.pass(time.Second)
	}
	w.put(w.res, ours(1), whole, 0)
	if w.scan() {
		t.Error("it is tried again though it was taken")
	}
	w.want("online 01 done valid")
}

func TestAnAnswerThatStaysHalfIsAFaultInSight(t *testing.T) {
	w := newWorld(t, nil)
	whole := answer(record(1), "1", "1", "窓口")
	path := w.put(w.res, ours(1), whole[:200], 0)
	w.scan()
	w.want("")
	w.pass(11 * time.Second)
	if w.scan() {
		t.Error("it is tried at every turn for ever")
	}
	w.want("", oqsfolder.FaultUnreadable)
	// It is whole after all, with the same time and size, as some shares tell it.
	info, _ := os.Stat(path)
	if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	w.pass(31 * time.Second)
	w.scan()
	w.want("online 01 done valid")
}

func TestAFaultGoesWithItsFile(t *testing.T) {
	w := newWorld(t, nil)
	path := w.put(w.res, strings.Replace(ours(1), ".xml", ".zip", 1), "PK\x03\x04", 0)
	w.scan()
	w.want("", oqsfolder.FaultZip)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.scan()
	w.want("")
}

func TestFaultsOfFiles(t *testing.T) {
	sjis, err := japanese.ShiftJIS.NewEncoder().String(answer(record(1), "1", "1", "窓口"))
	if err != nil {
		t.Fatal(err)
	}
	good := answer(record(1), "1", "1", "窓口")
	for name, c := range map[string]struct{ content, want string }{
		"Shift_JIS called UTF-8": {sjis, oqsfolder.FaultEncoding},
		"an entity bomb":         {strings.Replace(good, "<XmlMsg>", `<!DOCTYPE a [<!ENTITY b "c">]><XmlMsg>`, 1), oqsfolder.FaultRefused},
		"two words":              {strings.Replace(good, "<QualificationValidity>", "<QualificationValidity>2</QualificationValidity><QualificationValidity>", 1), oqsfolder.FaultRefused},
		"another document":       {"<html></html>", oqsfolder.FaultRefused},
		"not a document":         {"no markup at all", oqsfolder.FaultUnreadable},
		"an archive":             {"PK\x03\x04 under the name of a document", oqsfolder.FaultZip},
		"too large":              {good + strings.Repeat(" ", oqs.MaxBytes), oqsfolder.FaultTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.put(w.res, ours(1), c.content, 0)
			w.scan()
			w.pass(11 * time.Second)
			w.scan()
			w.want("", c.want)
			if strings.Contains(w.log.String(), "窓口") {
				t.Error("a name is in the log")
			}
		})
	}
}

func TestTheReceiptComputerIsFaster(t *testing.T) {
	w := newWorld(t, nil)
	w.ask(1)
	path := w.put(w.res, ours(1), answer(record(1), "1", "1", "窓口"), 0)
	w.x.Use(oqsfolder.Disk{Read: func(p string) {
		if err := os.Rename(p, filepath.Join(w.fac, "taken.xml")); err != nil {
			t.Error(err)
		}
	}})
	w.scan()
	w.want("")
	if h := w.x.Health(); h.Lost != 1 || h.Waiting != 1 || !h.Ready {
		t.Errorf("%+v", h)
	}
	w.x.Use(oqsfolder.Disk{})
	// One that goes away while it is half-written is lost too.
	w.put(w.res, ours(2), "<XmlMsg>", 0)
	w.scan()
	if err := os.Remove(filepath.Join(w.res, ours(2))); err != nil {
		t.Fatal(err)
	}
	w.scan()
	if h := w.x.Health(); h.Lost != 2 {
		t.Errorf("%+v", h)
	}
	// Asked again, it comes.
	w.ask(1)
	w.put(w.res, filepath.Base(path), answer(record(1), "1", "1", "窓口"), 0)
	w.scan()
	w.want("online 01 done valid")
}

func TestInProgressAndAbnormalEnds(t *testing.T) {
	w := newWorld(t, nil)
	w.ask(1)
	w.put(w.res, ours(1), answer(record(1), "2", "2", ""), -3*time.Second)
	w.scan()
	w.want("online 01 in_progress ")
	if w.x.Health().Waiting != 1 {
		t.Error("a check in progress is not waited for")
	}
	w.put(w.res, ours(2), answer(record(1), "9", "2", ""), -2*time.Second)
	w.scan()
	w.want("online 01 in_progress ; online 01 abnormal error", "abnormal E0042")
	w.put(w.res, ours(3), answer(record(1), "1", "1", ""), -time.Second)
	w.scan()
	w.want("online 01 in_progress ; online 01 abnormal error; online 01 done valid")
	w.put(w.res, ours(4), answer(record(1), "9", "2", ""), 0) // of an earlier question, late
	w.scan()
	w.want("online 01 in_progress ; online 01 abnormal error; online 01 done valid")
}

func TestTheFirstWordCounts(t *testing.T) {
	w := newWorld(t, nil)
	w.put(w.res, ours(1), answer(record(1), "1", "2", ""), -time.Second)
	w.put(w.res, ours(2), answer(record(1), "1", "1", ""), -2*time.Second) // listed later, written earlier
	w.put(w.res, ours(3), answer(record(1), "1", "1", ""), 0)              // the same word again
	w.scan()
	w.want("online 01 done valid", oqsfolder.FaultSecond)
	if got := w.x.Health().Trouble[0].File; got != ours(1) {
		t.Errorf("the fault is told of %s", got)
	}
}

func TestTheTakersOwnRefusals(t *testing.T) {
	w := newWorld(t, nil)
	w.taker.fail = map[string]error{"01": fault.New(fault.Conflict, "another answer"), "02": errOurs}
	w.put(w.res, ours(1), answer(record(1), "1", "1", ""), 0)
	w.put(w.res, ours(2), answer(record(2), "1", "1", ""), 0)
	if !w.scan() {
		t.Error("what could not be stored is not given again")
	}
	w.want("", oqsfolder.FaultSecond)
	w.taker.mu.Lock()
	w.taker.fail = nil
	w.taker.mu.Unlock()
	w.pass(time.Hour) // however long our own trouble lasts
	w.scan()
	w.want("online 02 done valid", oqsfolder.FaultSecond)
}

func TestFaceResults(t *testing.T) {
	w := newWorld(t, nil)
	name := "OQSsiquc01res_face_1311234568AbC_20261120093000.xml"
	w.put(w.fac, name, answer("Abc=", "1", "1", "窓口"), 0)
	w.put(w.fac, "OQSsiquc01res_face_1311234568AbD_20261118093000.xml", answer("Abc=", "1", "1", "昔"), -48*time.Hour)
	w.put(w.fac, "OQSsiquc01res_face_1311234568AbE_20261120093001.xml", "<XmlMsg>", 0)
	w.scan()
	w.pass(11 * time.Second)
	w.scan()
	w.want("face "+name+" done", oqsfolder.FaultUnreadable)
}

func TestAfterAStartWhatIsThereIsGivenAgain(t *testing.T) {
	w := newWorld(t, nil)
	w.put(w.res, ours(1), answer(record(1), "1", "1", ""), 0)
	w.put(w.res, ours(2), answer(record(2), "1", "1", ""), -41*24*time.Hour)
	w.scan()
	w.want("online 01 done valid")
	again := oqsfolder.New(oqsfolder.Config{ReqDir: w.req, ResDir: w.res, Institution: "1311234568", Now: w.clock, Rand: &counter{}, Log: discard()})
	again.Scan(context.Background(), w.taker)
	w.want("online 01 done valid; online 01 done valid")
}

func TestAClockThatRunsYearsAhead(t *testing.T) {
	w := newWorld(t, nil)
	w.put(w.res, ours(1), answer(record(1), "1", "1", ""), 0)
	w.pass(10 * 365 * 24 * time.Hour)
	w.scan()
	w.want("") // left from long ago, as it seems
	w.put(w.res, ours(2), answer(record(2), "1", "1", ""), -10*365*24*time.Hour)
	w.scan()
	w.want("online 02 done valid")
}

func TestAFullDiskLeavesNothingHalf(t *testing.T) {
	for _, where := range []string{"write", "sync", "close"} {
		w := newWorld(t, nil)
		w.x.Use(oqsfolder.Disk{Create: func(path string) (oqsfolder.Whole, error) {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			return &fullFile{f, where}, err
		}})
		err := w.x.Ask(context.Background(), inquiry(1))
		f, _ := errors.AsType[*fault.Error](err)
		if f == nil || f.Code != fault.Unavailable || f.Place != oqsfolder.Place || f.Message != oqsfolder.FaultFull {
			t.Fatalf("%s: got %v", where, err)
		}
		if left := w.names(w.req); len(left) > 0 {
			t.Errorf("%s: %v stays", where, left)
		}
		if h := w.x.Health(); h.Ready || h.Fault != oqsfolder.FaultFull || h.Folder != "req" || h.Waiting != 0 {
			t.Errorf("%s: %+v", where, h)
		}
		// Room again: the next look finds out by itself.
		w.x.Use(oqsfolder.Disk{})
		w.scan()
		if h := w.x.Health(); !h.Ready || len(w.names(w.req)) > 0 {
			t.Errorf("%s: %+v", where, h)
		}
	}
}

type fullFile struct {
	*os.File
	where string
}

func (f *fullFile) Write(b []byte) (int, error) {
	if f.where == "write" {
		n, _ := f.File.Write(b[:len(b)/2])
		return n, &os.PathError{Op: "write", Err: syscall.ENOSPC}
	}
	return f.File.Write(b)
}

func (f *fullFile) Sync() error {
	if f.where == "sync" {
		return &os.PathError{Op: "sync", Err: syscall.EDQUOT}
	}
	return f.File.Sync()
}

func (f *fullFile) Close() error {
	err := f.File.Close()
	if f.where == "close" {
		return &os.PathError{Op: "close", Err: syscall.ENOSPC}
	}
	return err
}

func TestAFolderThatGoesAndComesBack(t *testing.T) {
	w := newWorld(t, nil)
	w.scan()
	away := w.req + ".away"
	for _, dir := range []string{w.req, w.res} {
		if err := os.Rename(dir, dir+".away"); err != nil {
			t.Fatal(err)
		}
	}
	err := w.x.Ask(context.Background(), inquiry(1))
	if f, _ := errors.AsType[*fault.Error](err); f == nil || f.Place != oqsfolder.Place || f.Message != oqsfolder.FaultNoFolder {
		t.Errorf("got %v", err)
	}
	w.scan()
	if h := w.x.Health(); h.Ready || h.Fault != oqsfolder.FaultNoFolder || h.Folder != "req" || h.Since.IsZero() {
		t.Errorf("%+v", h)
	}
	for _, dir := range []string{w.req, w.res} {
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
	}
	w.scan()
	if h := w.x.Health(); !h.Ready || h.Fault != "" {
		t.Errorf("%+v", h)
	}
	if _, err := os.Stat(away); err == nil {
		t.Error("a folder was made")
	}
	w.ask(1)
}

func TestAnAnswerIsNotGivenTwiceWhenItsFolderComesBack(t *testing.T) {
	w := newWorld(t, nil)
	name := "OQSsiquc01res_face_1311234568AbC_20261120093000.xml"
	w.put(w.fac, name, answer("Abc=", "1", "1", ""), 0)
	w.scan()
	if err := os.Rename(w.fac, w.fac+".away"); err != nil {
		t.Fatal(err)
	}
	w.scan()
	if err := os.Rename(w.fac+".away", w.fac); err != nil {
		t.Fatal(err)
	}
	w.scan()
	w.want("face " + name + " done")
}

func TestHealthBeforeTheFirstUse(t *testing.T) {
	w := newWorld(t, nil)
	if h := w.x.Health(); !h.Ready || h.Fault != "" {
		t.Errorf("%+v", h)
	}
	gone := newWorld(t, func(c *oqsfolder.Config) { c.ReqDir += "/none" })
	if h := gone.x.Health(); h.Ready || h.Fault != oqsfolder.FaultNoFolder {
		t.Errorf("%+v", h)
	}
	face := newWorld(t, func(c *oqsfolder.Config) { c.FaceDir += "/none" })
	if h := face.x.Health(); !h.Ready || h.Fault != oqsfolder.FaultNoFolder || h.Folder != "face" {
		t.Errorf("%+v", h)
	}
	file := newWorld(t, func(c *oqsfolder.Config) { c.ReqDir += "/file" })
	if err := os.WriteFile(filepath.Join(file.req, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if h := file.x.Health(); h.Ready || h.Fault != oqsfolder.FaultNoFolder {
		t.Errorf("a file in its place: %+v", h)
	}
}

func TestProbe(t *testing.T) {
	w := newWorld(t, nil)
	if h := w.x.Probe(context.Background()); !h.Ready || len(w.names(w.req)) != 0 {
		t.Errorf("%+v %v", h, w.names(w.req))
	}
	w.x.Use(oqsfolder.Disk{Create: func(string) (oqsfolder.Whole, error) {
		return nil, &os.PathError{Op: "open", Err: syscall.EACCES}
	}})
	if h := w.x.Probe(context.Background()); h.Ready || h.Fault != oqsfolder.FaultNotWritable {
		t.Errorf("%+v", h)
	}
}

func TestASilentShareHoldsNobodyUp(t *testing.T) {
	w := newWorld(t, func(c *oqsfolder.Config) { c.Timeout = 50 * time.Millisecond })
	release, wrote := make(chan struct{}), make(chan struct{})
	w.x.Use(oqsfolder.Disk{Create: func(path string) (oqsfolder.Whole, error) {
		<-release
		defer close(wrote)
		return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}})
	for n := range 2 {
		err := w.x.Ask(context.Background(), inquiry(n))
		if f, _ := errors.AsType[*fault.Error](err); f == nil || f.Message != oqsfolder.FaultSilent {
			t.Errorf("got %v", err)
		}
	}
	if h := w.x.Health(); h.Ready || h.Fault != oqsfolder.FaultSilent {
		t.Errorf("%+v", h)
	}
	close(release)
	<-wrote
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.x.Ask(ctx, inquiry(1)); !errors.Is(err, context.Canceled) && err != nil {
		t.Errorf("got %v", err)
	}
}

func TestRestsOfAnEarlierRunAreTakenAway(t *testing.T) {
	w := newWorld(t, nil)
	old := ".madoguchi-2026112009300000000001.tmp"
	w.put(w.req, old, "half", -2*time.Hour)
	w.put(w.req, ".madoguchi-2026112009300000000002.tmp", "another desk's", 0)
	w.put(w.req, "OQSsiquc01req_202611200001.xml", "the receipt computer's", -2*time.Hour)
	w.put(w.req, "x.tmp", "anybody's", -2*time.Hour)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.x.Run(ctx, w.taker); err != nil {
		t.Fatal(err)
	}
	if left := w.names(w.req); len(left) != 3 || slices.Contains(left, old) {
		t.Errorf("%v", left)
	}
}

func TestARequestThatStillLiesThereIsNotWrittenTwice(t *testing.T) {
	w := newWorld(t, nil)
	w.ask(1)
	w.pass(time.Hour)
	w.scan()
	w.ask(1) // whether this terminal takes requests away is not known yet
	if n := len(w.names(w.req)); n != 2 || w.x.Health().Untaken != 0 {
		t.Errorf("%d requests, %d untaken", n, w.x.Health().Untaken)
	}
	w.collect()
	w.scan()
	w.ask(1) // it does, and has the earlier ones: a new question
	w.ask(2)
	w.pass(11 * time.Second)
	w.ask(1)
	w.scan()
	if n := len(w.names(w.req)); n != 2 || w.x.Health().Untaken != 2 {
		t.Errorf("%d requests, %d untaken", n, w.x.Health().Untaken)
	}
	w.collect()
	w.scan()
	w.ask(1)
	if n := len(w.names(w.req)); n != 1 || w.x.Health().Untaken != 0 {
		t.Errorf("%d requests, %d untaken", n, w.x.Health().Untaken)
	}
}

func TestAnAnswerForAnotherDay(t *testing.T) {
	w := newWorld(t, nil)
	w.ask(1)
	w.put(w.res, ours(1), strings.Replace(answer(record(1), "1", "2", ""), "20261120", "20261121", 1), 0)
	w.scan()
	w.want("", oqsfolder.FaultOtherDay)
	if w.x.Health().Waiting != 1 {
		t.Error("the question is not out any more")
	}
}
