package faults_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"madoguchi.example/agent/agenttest"
	"madoguchi.example/deploy/faults/amnesia"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Where a terminal lives that this program is started as, and on which day.
const (
	lifeVariable = "MADOGUCHI_FAULTS_LIFE"
	dayVariable  = "MADOGUCHI_FAULTS_DAY"
)

// How such a life ends.
const (
	lived   = iota
	refused // the disk refused something
	amiss   // what was confirmed is not there
)

// ready is said when a record was confirmed; then a line is read that tells what to do. At the
// input's end the life ends.
const (
	ready     = "ready"
	keepUp    = "upkeep"
	recordOn  = "records" // whatever the disk says
	recordsOn = 3         // so many
)

// resealed is after how long upkeep seals everything anew and deletes the older day keys.
const resealed = 20 * 24 * time.Hour

// noLine is a line that is down.
type noLine struct{}

func (noLine) Dial() error                                     { return fault.New(fault.Unavailable, "the line is down") }
func (l noLine) Batch(context.Context, []byte) ([]byte, error) { return nil, l.Dial() }
func (l noLine) Answers(context.Context, uint64, time.Duration) ([]byte, error) {
	return nil, l.Dial()
}

// liveOnce is a terminal's life. Its input begins with what was confirmed before, up to an
// empty line; it says what it confirms itself. A file system that is served by the program
// that maps its files would stand still, so this is another program.
func liveOnce(dir string) int {
	days, err := time.ParseDuration(os.Getenv(dayVariable))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return amiss
	}
	var later atomic.Int64
	now := func() time.Time { return time.Now().Add(days + time.Duration(later.Load())) }
	ctx, input := context.Background(), bufio.NewScanner(os.Stdin)
	known := map[string]string{}
	for input.Scan() && input.Text() != "" {
		id, digest, _ := strings.Cut(input.Text(), " ")
		known[id] = digest
	}
	t, err := agenttest.Open(ctx, agenttest.Config{
		Dir: dir, ID: "trm_1", Line: noLine{}, Now: now, Rand: rand.Reader, Durable: true,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return refused
	}
	if path := t.PutAside(); path != "" {
		fmt.Fprintln(os.Stderr, isAside, filepath.Base(path))
	}
	for id, digest := range known {
		r, ok, err := t.Find(ctx, id)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return refused
		}
		if !ok || digestOf(r) != digest {
			fmt.Fprintf(os.Stderr, "record %s is there: %v\n", id, ok)
			return amiss
		}
	}
	if err := confirm(ctx, t); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return refused
	}
	fmt.Println(ready)
	for input.Scan() {
		for range recordsOn - 1 {
			if input.Text() == recordOn {
				_ = confirm(ctx, t)
			}
		}
		if input.Text() == keepUp {
			later.Add(int64(resealed))
			err = t.Upkeep(ctx)
		}
		if err == nil {
			err = confirm(ctx, t)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return refused
		}
	}
	return lived
}

func digestOf(r wire.Record) string { d := wire.Digest(r); return fmt.Sprintf("%x", d[:]) }

func confirm(ctx context.Context, t *agenttest.Terminal) error {
	r, err := t.Record(ctx, wire.KindCertificateVerification, map[string]string{"made": time.Now().String()})
	if err == nil {
		fmt.Println(r.ID, digestOf(r))
	}
	return err
}

// lives is a folder in which one terminal lives again and again.
type lives struct {
	t         *testing.T
	ctx       context.Context
	disk      *amnesia.FS
	dir       string
	n         int
	confirmed []string // each with its digest
	said      string   // by the last one, of what went wrong
}

func newLives(t *testing.T, d time.Duration) *lives {
	t.Helper()
	if err := amnesia.Possible(); err != nil {
		t.Skip(err) // also where everything else must be there: a container may have no such device
	}
	l := &lives{t: t, ctx: limit(t, d), disk: amnesia.New(mathrand.New(mathrand.NewPCG(4, 2))), dir: t.TempDir()}
	state := filepath.Join(l.dir, agenttest.FirstLife)
	if err := errors.Join(os.Mkdir(state, 0o700), l.disk.Mount(state)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.disk.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// live lets the terminal live once: until a record was confirmed, and where between is given,
// on as it says.
func (l *lives) live(between func() (then string)) (end int) {
	l.t.Helper()
	l.n++
	cmd := exec.CommandContext(l.ctx, os.Args[0])
	cmd.Env = append(os.Environ(), lifeVariable+"="+l.dir, dayVariable+"="+(time.Duration(l.n)*resealed).String())
	var said bytes.Buffer
	cmd.Stderr = &said
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		l.t.Fatal(err)
	}
	for _, line := range append(slices.Clone(l.confirmed), "") {
		_, _ = io.WriteString(in, line+"\n") // a life that has ended already reads nothing
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch {
		case lines.Text() != ready:
			l.confirmed = append(l.confirmed, lines.Text())
		case between == nil:
			_ = in.Close()
		default:
			_, _ = io.WriteString(in, between()+"\n")
			_ = in.Close()
		}
	}
	_ = cmd.Wait() // its exit code says more
	l.said = said.String()
	return cmd.ProcessState.ExitCode()
}

// whole lets the terminal live with all its power, and fails the test when anything is amiss.
func (l *lives) whole(between func() string) {
	l.t.Helper()
	l.restart(nil, l.live(between), false)
}

// restart lets the power go, if it has not, and come back. It fails the test when the life
// that ended has missed anything, or had no reason to end.
func (l *lives) restart(gone <-chan struct{}, end int, torn bool) (wasCut bool) {
	l.t.Helper()
	select {
	case <-gone:
		wasCut = true
	default:
	}
	if end != lived && (end != refused || !wasCut) {
		l.t.Fatalf("life %d ended with %d, power cut: %v: %s", l.n, end, wasCut, l.said)
	}
	restart(l.t, l.disk, torn)
	return wasCut
}

// damage clears the head of every page that holds values, durably.
func (l *lives) damage() {
	l.t.Helper()
	f, err := os.OpenFile(filepath.Join(l.dir, agenttest.FirstLife, "agent.db"), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return // what takes its place lies beside it
	}
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		l.t.Fatal(err)
	}
	size := os.Getpagesize()
	for p := 2; (p+1)*size <= len(content); p++ {
		page := content[p*size:]
		if leaf := binary.NativeEndian.Uint16(page[8:]) == 2; !leaf || binary.NativeEndian.Uint64(page) != uint64(p) {
			continue
		}
		if _, err := f.WriteAt(make([]byte, 16), int64(p*size)); err != nil {
			l.t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		l.t.Fatal(err)
	}
}

// isAside is said by a life that put a file aside.
const isAside = "put aside"

// The power goes at every step of an upkeep (at some, in the small count): while everything is sealed anew, old day
// keys are deleted and the file is copied into another that takes its place.
func TestThePowerMayGoAtEveryStepOfTheUpkeep(t *testing.T) {
	l := newLives(t, 10*time.Minute)
	for after, wasCut := 0, true; wasCut; after += counts(t).UpkeepStep {
		var gone <-chan struct{}
		end := l.live(func() string { gone = l.disk.CutAfter(after); return keepUp })
		if strings.Contains(l.said, isAside) {
			t.Errorf("before step %d: %s", after, l.said)
		}
		if wasCut = l.restart(gone, end, l.n%2 == 1); !wasCut {
			t.Logf("an upkeep and a record need %d steps; %d records were confirmed", after, len(l.confirmed))
		}
	}
	l.whole(nil)
}

// The power goes at every step at which a damaged file is put aside and what could be
// salvaged of it takes its place.
func TestThePowerMayGoWhileADamagedFileIsReplaced(t *testing.T) {
	l := newLives(t, 10*time.Minute)
	l.whole(func() string { return keepUp })
	for after, wasCut := 0, true; wasCut; after += counts(t).UpkeepStep {
		l.damage()
		gone := l.disk.CutAfter(after)
		end := l.live(nil)
		aside := strings.Contains(l.said, isAside)
		if wasCut = l.restart(gone, end, l.n%2 == 1); !wasCut {
			t.Logf("a start on a damaged file and a record need %d steps; %d records were confirmed", after, len(l.confirmed))
			if !aside {
				t.Error("nothing was put aside")
			}
		}
	}
	l.whole(nil)
}

// A sync fails whose commit is read all the same, and never written; and the power goes at any
// step of what follows. The next commits may not use again what the last one that was written
// needs.
func TestThePowerMayGoAfterASyncThatFailed(t *testing.T) {
	l := newLives(t, 10*time.Minute)
	for after, wasCut := 0, true; wasCut; after += counts(t).UpkeepStep {
		var gone <-chan struct{}
		end := l.live(func() string {
			l.disk.FailSync(syncsOfACommit, true)
			gone = l.disk.CutAfter(after)
			return recordOn
		})
		if strings.Contains(l.said, isAside) {
			t.Errorf("before step %d: %s", after, l.said)
		}
		if wasCut = l.restart(gone, end, l.n%2 == 1); !wasCut {
			t.Logf("%d records after a sync that failed need %d steps; %d were confirmed", recordsOn, after, len(l.confirmed))
		}
	}
	l.whole(nil)
}

// syncsOfACommit is how many syncs a commit needs; the last makes it the one that counts.
const syncsOfACommit = 2

// Control: on a disk that answers every sync well and keeps nothing, the next life must find
// that out.
func TestTheNextLifeFindsADiskThatDoesNotSync(t *testing.T) {
	l := newLives(t, time.Minute)
	l.whole(nil)
	l.disk.SetDeaf(true)
	l.whole(nil)
	l.disk.SetDeaf(false)
	if end := l.live(nil); end != amiss {
		t.Errorf("it ended with %d: %s", end, l.said)
	}
}
