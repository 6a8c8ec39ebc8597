package syncmodel_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/agent/agenttest"
	"madoguchi.example/backend/intaketest"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// The bubble's clock begins in the year 2000; the house lives in 2026.
const era = 26*365*24*time.Hour + 331*24*time.Hour

func houseTime() time.Time { return time.Now().Add(era) }

// stream gives bytes that look random and are the same for the same seed.
type stream struct {
	mu  sync.Mutex
	rng *mathrand.ChaCha8
}

func newStream(seed uint64) *stream {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return &stream{rng: mathrand.NewChaCha8(key)}
}

func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.Read(p)
}

// fresh is a migrated, empty store. Ask for it outside of any bubble first: it also lets
// the compression make its channels there, which bubbles then share.
var fresh = sync.OnceValues(func() ([]byte, error) {
	raw, err := wire.EncodeBatch(wire.Batch{Version: wire.Version, Terminal: "trm_0"})
	if err != nil {
		return nil, err
	}
	if _, err := wire.DecodeBatch(raw); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(folders(), "madoguchi-fresh-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return intaketest.Fresh(context.Background(), dir, houseTime, newStream(0))
})

// folders is where files lie that need no disk below them: in memory, where there is such
// a place. No sync is what is tested here.
func folders() string {
	const memory = "/dev/shm"
	if i, err := os.Stat(memory); err == nil && i.IsDir() {
		return memory
	}
	return ""
}

// newFolder makes a folder that is gone when the test ends.
func newFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(folders(), "madoguchi-syncmodel-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// world is a backend, its terminals, and what people saw confirmed. It lives in a bubble.
type world struct {
	dir       string
	random    io.Reader
	server    *intaketest.Server
	seats     []*seat
	snapshots []snapshot
	handles   int
	change    func(*agenttest.Config) // of every terminal
	restored  bool
}

// snapshot is a backup and when it was taken.
type snapshot struct {
	store intaketest.Snapshot
	at    time.Time
}

// seat is one terminal as a person sits at it. A copy of a terminal's disk is another seat
// with the same handle.
type seat struct {
	*agenttest.Terminal
	name   string // names the seat
	handle string
	link   *link
	skew   atomic.Int64 // the terminal's clock less the house's

	mu        sync.Mutex    // guards confirmed
	confirmed []wire.Record // what the person saw confirmed, in order
	twins     bool          // there is another seat with this handle
}

func (s *seat) now() time.Time { return houseTime().Add(time.Duration(s.skew.Load())) }

func newWorld(ctx context.Context, dir string, seed uint64) (*world, error) {
	empty, err := fresh()
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, random: newStream(seed)}
	store := filepath.Join(dir, "backend")
	if err := os.Mkdir(store, 0o700); err != nil {
		return nil, err
	}
	w.server, err = intaketest.Open(ctx, intaketest.Config{Dir: store, Fresh: empty, Now: houseTime, Rand: w.random})
	return w, err
}

// sit makes a seat with a line to the backend, and what its terminal is made of.
func (w *world) sit(handle string, change func(*agenttest.Config)) (*seat, agenttest.Config, error) {
	to, err := w.server.Enrol(context.Background(), handle)
	if err != nil {
		return nil, agenttest.Config{}, err
	}
	s := &seat{name: "seat" + strconv.Itoa(len(w.seats)), handle: handle, link: &link{to: to}}
	key, public := w.server.ReceiptKey()
	c := agenttest.Config{
		Dir: filepath.Join(w.dir, s.name), ID: handle, Line: s.link, Now: s.now, Rand: w.random,
		ReceiptKeys: []profile.ReceiptKey{{ID: key, PublicKey: public}},
	}
	if change != nil {
		change(&c)
	}
	w.seats = append(w.seats, s)
	return s, c, os.Mkdir(c.Dir, 0o700)
}

// enrol starts a new terminal.
func (w *world) enrol(ctx context.Context, change func(*agenttest.Config)) (*seat, error) {
	w.handles++
	s, c, err := w.sit("trm_"+strconv.Itoa(w.handles), change)
	if err != nil {
		return nil, err
	}
	s.Terminal, err = agenttest.Open(ctx, c)
	return s, err
}

// copyDisk starts another terminal from a copy of the seat's disk.
func (w *world) copyDisk(ctx context.Context, from *seat, change func(*agenttest.Config)) error {
	s, c, err := w.sit(from.handle, change)
	if err != nil {
		return err
	}
	s.skew.Store(from.skew.Load())
	s.twins, from.twins = true, true
	s.Terminal, err = from.Clone(ctx, c)
	return err
}

// close ends everything, so that the bubble can end.
func (w *world) close() error {
	var first error
	for _, s := range w.seats {
		if s.Terminal == nil {
			continue
		}
		if err := s.Close(); err != nil && first == nil {
			first = err
		}
	}
	if err := w.server.Close(); err != nil && first == nil {
		first = err
	}
	return first
}

// kinds of records that a person makes, by number.
const (
	aVerification = iota // kept, no answer comes
	aCheck               // asks a payer, an answer comes
	aBadOne              // the backend refuses it
)

// record lets the person record something and notes what they saw.
func (s *seat) record(ctx context.Context, kind int) error {
	k, body := content(kind, s.now())
	r, err := s.Record(ctx, k, body)
	switch fault.CodeOf(err) {
	case "":
		s.mu.Lock()
		defer s.mu.Unlock()
		s.confirmed = append(s.confirmed, r)
		return nil
	case fault.QueueFull:
		return nil // refused, and the person was told
	}
	return fmt.Errorf("%s could not record: %w", s.name, err)
}

// strangeKind is one that no backend knows.
const strangeKind wire.Kind = "strange.kind"

// sealed is an age file that nobody can read.
var sealed = sync.OnceValue(func() []byte {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		panic(err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, id.Recipient())
	if err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
})

func content(kind int, now time.Time) (wire.Kind, any) {
	switch kind {
	case aCheck:
		return wire.KindEligibilityCheck, wire.EligibilityCheck{
			Payer: "registry", VisitDay: civil.In(now), Cause: string(eligibility.CauseLineBefore),
			Evidence: string(eligibility.EvidenceCertificate), Operator: "op_1", ElapsedMS: 3, Sealed: sealed(),
		}
	case aBadOne:
		return strangeKind, struct{}{}
	}
	return wire.KindCertificateVerification, wire.CertificateVerification{Format: "shc", Outcome: "valid", Day: civil.In(now)}
}
