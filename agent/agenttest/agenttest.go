// Package agenttest is for tests alone: it runs a terminal's real queue, vault and uplink in
// a folder, over a Line that the test makes, and crashes it.
//
// It promises: what goes over the Line is encoded bytes, read by the decoders that the real
// client uses; a crash drops everything but the files, as they are or as they were when the
// vault last asked for them to be synced; each sync is counted, and none is issued unless
// Config.Durable asks for it. Nothing but tests imports it.
package agenttest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

// Line is the way to a backend, in bytes. Errors are faults, as the real client makes them.
type Line interface {
	// Dial tells whether there is a line at all, before anything is encoded for it.
	Dial() error
	// Batch is POST /terminal/v1/batches: a batch, and its receipt.
	Batch(ctx context.Context, raw []byte) (receipt []byte, err error)
	// Answers is GET /terminal/v1/answers.
	Answers(ctx context.Context, after uint64, wait time.Duration) (page []byte, err error)
}

// The queue's and the uplink's own words, for packages that cannot name them.
type (
	Stats      = queue.Stats
	Confirmed  = queue.Confirmed
	DeadLetter = queue.DeadLetter
	LineState  = uplink.Line
)

// Config is what a Terminal is made of. Dir, ID, Line, Now and Rand are needed.
type Config struct {
	Dir  string // must exist; each life of the terminal has a folder of its own below it
	ID   string // the terminal's handle
	Line Line
	Now  func() time.Time // the terminal's wall clock
	Rand io.Reader

	MaxRecords   int                  // of the queue; 0: its default
	KeepAccepted time.Duration        // of the queue; 0: its default
	Cap          time.Duration        // of the uplink's wait after failures; 0: its default
	Spread       func() time.Duration // within which a backlog begins after an outage; nil: at once
	// ReceiptKeys are the backend's, as a profile brings them; nil: marks are not verified.
	ReceiptKeys []profile.ReceiptKey
	// Images keeps the files as they were at each sync, for Image. It costs a copy each.
	Images bool
	// Durable issues the syncs, for a disk that loses power.
	Durable bool
	Log     *slog.Logger // nil: none
}

// Terminal is a running terminal. Its methods are not safe for concurrent use, but for
// Record, Syncs and what only reads.
type Terminal struct {
	cfg  Config
	key  uint32 // how often the key was changed
	life int

	vault  *vault.Vault
	queue  *queue.Queue
	uplink *uplink.Uplink
	stop   context.CancelFunc
	done   chan struct{}

	syncs  atomic.Int64
	mu     sync.Mutex // guards synced
	synced Image
}

// Image is what lies in a terminal's folder: names below it and their content.
type Image map[string][]byte

// FirstLife is the folder below Config.Dir of the life that Open begins.
const FirstLife = "1"

// Open starts a terminal on what lies in the folder of its first life, if anything does.
func Open(ctx context.Context, c Config) (*Terminal, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	t := &Terminal{cfg: c}
	return t, t.open(ctx, Image{}, t.source(), nil)
}

func (t *Terminal) dir() string { return filepath.Join(t.cfg.Dir, strconv.Itoa(t.life)) }

// open puts the image into a new folder and starts the terminal there.
func (t *Terminal) open(ctx context.Context, from Image, key, before vault.KeySource) error {
	t.life++
	if err := from.write(t.dir()); err != nil {
		return err
	}
	v, err := vault.Open(ctx, t.dir(), t.options(key, before))
	if err != nil {
		return err
	}
	limits := queue.Limits{MaxRecords: t.cfg.MaxRecords, KeepAccepted: t.cfg.KeepAccepted}
	q, err := queue.Open(v, limits, handle.Source{Now: t.cfg.Now, Rand: t.cfg.Rand})
	if err != nil {
		return errors.Join(err, v.Close())
	}
	t.vault, t.queue = v, q
	t.start()
	return nil
}

func (t *Terminal) options(key, before vault.KeySource) vault.Options {
	return vault.Options{
		Key: key, Before: before, Now: t.cfg.Now, Rand: t.cfg.Rand, Terminal: t.cfg.ID, NoSync: !t.cfg.Durable, Synced: t.note,
	}
}

func (t *Terminal) start() {
	t.uplink = uplink.New(uplink.Config{
		Queue: t.queue, Backend: &backend{t}, Handler: &desk{t}, Now: t.cfg.Now, Rand: t.cfg.Rand,
		Log: t.cfg.Log, Cap: t.cfg.Cap, Terminal: t.cfg.ID, Spread: t.cfg.Spread,
		ReceiptKeys: func() []profile.ReceiptKey { return t.cfg.ReceiptKeys },
	})
	ctx, cancel := context.WithCancel(context.Background())
	t.stop, t.done = cancel, make(chan struct{})
	go func(u *uplink.Uplink, done chan struct{}) {
		defer close(done)
		_ = u.Run(ctx)
	}(t.uplink, t.done)
}

// Close ends the terminal in order.
func (t *Terminal) Close() error {
	t.stop()
	<-t.done
	return errors.Join(t.queue.Close(), t.vault.Close())
}

// Record stores a record and tells the uplink. When it returns without an error, the person
// at the terminal has seen that it is recorded.
func (t *Terminal) Record(ctx context.Context, kind wire.Kind, body any) (wire.Record, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return wire.Record{}, fmt.Errorf("cannot write the body: %w", err)
	}
	r, err := t.queue.Append(ctx, queue.Draft{Kind: kind, Body: raw, At: t.cfg.Now()})
	t.uplink.Kick()
	return r, err
}

// Restart drops the terminal where it stands and starts it from an Image of its files: as
// they are (the process was killed), or as they were at the last sync (power was cut).
func (t *Terminal) Restart(ctx context.Context, from Image) error {
	if err := t.Close(); err != nil { // what it still writes is in the folder of a life that is over
		return err
	}
	return t.open(ctx, from, t.source(), nil)
}

// Rotate ends the terminal in order and starts it under a new key-encryption key.
func (t *Terminal) Rotate(ctx context.Context) error {
	if err := t.Close(); err != nil {
		return err
	}
	image, err := read(t.dir())
	if err != nil {
		return err
	}
	before := t.source()
	t.key++
	return t.open(ctx, image, t.source(), before)
}

// Clone starts another terminal from a copy of this one's files, under the same handle.
func (t *Terminal) Clone(ctx context.Context, c Config) (*Terminal, error) {
	image, err := t.Image(false)
	if err != nil {
		return nil, err
	}
	c.ID = t.cfg.ID
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	twin := &Terminal{cfg: c, key: t.key}
	return twin, twin.open(ctx, image, twin.source(), nil)
}

// Image copies the terminal's files as they are, or as they were at the last sync (which
// Config.Images must keep).
func (t *Terminal) Image(synced bool) (Image, error) {
	if !synced {
		return read(t.dir())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.synced == nil {
		return nil, errors.New("cannot cut the power: no image was kept")
	}
	return t.synced, nil
}

// note counts a sync, and keeps the files as they are.
func (t *Terminal) note() {
	t.syncs.Add(1)
	if !t.cfg.Images {
		return
	}
	image, err := read(t.dir())
	if err != nil {
		image = nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.synced = image
}

// Syncs counts the syncs that would have been issued.
func (t *Terminal) Syncs() int64 { return t.syncs.Load() }

// Upkeep does what is due in the queue and the vault, and compacts the file though it is small.
func (t *Terminal) Upkeep(ctx context.Context) error {
	if _, err := t.queue.Maintain(ctx); err != nil {
		return err
	}
	_, err := t.vault.Compact(ctx)
	return err
}

// PutAside is the damaged file that the terminal put aside when it was started, or "".
func (t *Terminal) PutAside() string { return t.vault.Report().PutAside }

// Stats tells how the queue stands.
func (t *Terminal) Stats() Stats { return t.queue.Stats() }

// Pending is how many records the backend has not settled.
func (t *Terminal) Pending() int { return t.queue.Pending() }

// DeadLetters lists what a person must look at.
func (t *Terminal) DeadLetters(ctx context.Context) ([]DeadLetter, error) {
	return t.queue.DeadLetters(ctx)
}

// Confirmed is what the backend last countersigned.
func (t *Terminal) Confirmed() Confirmed { return t.queue.Confirmed() }

// LineState tells how the line is, as the desk shows it.
func (t *Terminal) LineState() LineState { return t.uplink.Line() }

// Epoch names this life of the queue's file.
func (t *Terminal) Epoch() string { return t.queue.Epoch() }

// Find gives a record that is still in the file.
func (t *Terminal) Find(ctx context.Context, id string) (wire.Record, bool, error) {
	return t.queue.Find(ctx, id)
}

// answerShelf holds the answers that came, by record.
const answerShelf = "agenttest/answers"

// Answered lists the answers that came, by record id.
func (t *Terminal) Answered(ctx context.Context) (map[string]wire.Answer, error) {
	found := map[string]wire.Answer{}
	err := t.vault.Shelf(answerShelf).Each(ctx, func(key string, value []byte) error {
		var a wire.Answer
		if err := json.Unmarshal(value, &a); err != nil {
			return fmt.Errorf("cannot read the answer to %s: %w", key, err)
		}
		found[key] = a
		return nil
	})
	return found, err
}

// desk keeps the answers in the commit of their cursor, as the real one does.
type desk struct{ t *Terminal }

func (d *desk) Settled(context.Context, wire.Receipt) error { return nil }

func (d *desk) Take(ctx context.Context, answers []wire.Answer, cursor uint64) error {
	puts := make([]vault.Put, len(answers))
	for i, a := range answers {
		raw, err := json.Marshal(a)
		if err != nil {
			return err
		}
		puts[i] = vault.Put{Shelf: answerShelf, Key: a.RecordID, Value: raw}
	}
	return d.t.queue.SaveAnswers(ctx, cursor, puts)
}

// backend carries the uplink's calls over the Line as bytes.
type backend struct{ t *Terminal }

func (b *backend) Send(ctx context.Context, batch wire.Batch) (wire.Receipt, error) {
	if err := b.t.cfg.Line.Dial(); err != nil {
		return wire.Receipt{}, err
	}
	batch.Version, batch.Terminal, batch.SentAt = wire.Version, b.t.cfg.ID, b.t.cfg.Now().UTC()
	raw, err := wire.EncodeBatch(batch)
	if err != nil {
		return wire.Receipt{}, err
	}
	receipt, err := b.t.cfg.Line.Batch(ctx, raw)
	if err != nil {
		return wire.Receipt{}, err
	}
	return wire.DecodeReceipt(receipt)
}

func (b *backend) Answers(ctx context.Context, after uint64, wait time.Duration) (wire.Answers, error) {
	if err := b.t.cfg.Line.Dial(); err != nil {
		return wire.Answers{}, err
	}
	page, err := b.t.cfg.Line.Answers(ctx, after, wait)
	if err != nil {
		return wire.Answers{}, err
	}
	return wire.DecodeAnswers(page)
}

// key is a key source in memory.
type key [vault.KeySize]byte

func (k key) Key(context.Context) ([vault.KeySize]byte, error) { return k, nil }

// Class is what the real one of a file says.
func (key) Class() vault.Class { return vault.KeyFile("").Class() }

func (t *Terminal) source() vault.KeySource {
	return key(sha256.Sum256(fmt.Appendf(nil, "agenttest %s %d", t.cfg.ID, t.key)))
}

// read copies a folder's files.
func read(dir string) (Image, error) {
	image := Image{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		image[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot copy the terminal's files: %w", err)
	}
	return image, nil
}

func (i Image) write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the terminal's folder: %w", err)
	}
	for name, content := range i {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			return fmt.Errorf("cannot write the terminal's files: %w", err)
		}
	}
	return nil
}
