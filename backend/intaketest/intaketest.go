// Package intaketest is for tests alone: it runs the real intake over a real SQLite store in
// a folder, and lets terminals of another module reach it without a network.
//
// It promises: what crosses between a Terminal and the Server is encoded bytes, read by the
// decoders that the real edge uses; Snapshot is the store as a backup taken at that moment
// holds it; Restore is what `madoguchi-backend restore` does to a store, a new epoch
// included; Records is what is stored, in the order in which it came. Nothing but tests
// imports it.
package intaketest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/store"
	storeintake "madoguchi.example/backend/internal/store/intake"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// callbackLimit is generous: a slow machine is not what is tested.
const callbackLimit = time.Minute

// Config is what a Server is made of; all are needed.
type Config struct {
	Dir   string // the store's folder; it must exist
	Fresh []byte // a migrated, empty store: see Fresh
	Now   func() time.Time
	Rand  io.Reader
}

// Server is an intake that terminals reach in memory. It is safe for concurrent use.
type Server struct {
	cfg      Config
	receipts intake.ReceiptKey

	mu   sync.Mutex
	life *life // nil while the store is changed, and after Close
}

// life is one opening of the store.
type life struct {
	db     *store.DB
	intake *intake.Intake
	ctx    context.Context
	end    context.CancelFunc
	calls  sync.WaitGroup
}

// Fresh makes a migrated, empty store below dir and gives its bytes. It is slow: once is
// enough for all servers of a test.
func Fresh(ctx context.Context, dir string, now func() time.Time, random io.Reader) ([]byte, error) {
	path := filepath.Join(dir, "fresh.db")
	if _, err := store.Migrate(ctx, store.Config{DSN: "sqlite:" + path, Now: now, Rand: random}); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// Open begins a server with an empty store.
func Open(ctx context.Context, c Config) (*Server, error) {
	_, private, err := ed25519.GenerateKey(c.Rand)
	if err != nil {
		return nil, fmt.Errorf("cannot make the receipt key: %w", err)
	}
	s := &Server{cfg: c, receipts: intake.ReceiptKey{ID: "intaketest", Private: private}}
	if err := os.WriteFile(s.path(), c.Fresh, 0o600); err != nil {
		return nil, fmt.Errorf("cannot begin the store: %w", err)
	}
	return s, s.start(ctx)
}

// ReceiptKey is what countersigns marks: its name in profiles, and its public half.
func (s *Server) ReceiptKey() (id string, public ed25519.PublicKey) {
	return s.receipts.ID, s.receipts.Private.Public().(ed25519.PublicKey)
}

func (s *Server) path() string { return filepath.Join(s.cfg.Dir, "store.db") }

func (s *Server) start(ctx context.Context) error {
	db, err := store.Open(ctx, store.Config{DSN: "sqlite:" + s.path(), CallbackLimit: callbackLimit, Now: s.cfg.Now, Rand: s.cfg.Rand})
	if err != nil {
		return err
	}
	l := &life{db: db}
	if l.intake, err = s.intake(db); err != nil {
		return errors.Join(err, db.Close())
	}
	l.ctx, l.end = context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life = l
	return nil
}

func (s *Server) intake(db *store.DB) (*intake.Intake, error) {
	jobs, err := job.Open(db, job.Config{Now: s.cfg.Now})
	if err != nil {
		return nil, err
	}
	return intake.New(intake.Deps{
		Runner: db.Runner(), Rows: storeintake.New(db.Reads()), Queue: jobs, Log: slog.New(slog.DiscardHandler),
		Now: s.cfg.Now, Rand: s.cfg.Rand, ServerEpoch: db.ServerEpoch(), Receipts: s.receipts,
	}), nil
}

// Close ends the calls under way and closes the store.
func (s *Server) Close() error {
	s.mu.Lock()
	l := s.life
	s.life = nil
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	l.end()
	l.calls.Wait()
	return l.db.Close()
}

// use runs fn in the present life of the store; ctx ends with that life too.
func (s *Server) use(ctx context.Context, fn func(context.Context, *life) error) error {
	s.mu.Lock()
	l := s.life
	if l != nil {
		l.calls.Add(1)
	}
	s.mu.Unlock()
	if l == nil {
		return fault.New(fault.Unavailable, "the backend is not there")
	}
	defer l.calls.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	return fn(ctx, l)
}

// ServerEpoch names the present life of the store's content.
func (s *Server) ServerEpoch() string {
	epoch := ""
	_ = s.use(context.Background(), func(_ context.Context, l *life) error {
		epoch = l.db.ServerEpoch()
		return nil
	})
	return epoch
}

// Terminal is one terminal's way to the Server.
type Terminal struct {
	s   *Server
	who actor.Terminal
}

// Enrol makes a clinic's terminal with this handle known and gives its way.
func (s *Server) Enrol(ctx context.Context, id string) (*Terminal, error) {
	t := &Terminal{s: s, who: actor.Terminal{ID: id, Office: "ofc_of_" + id, Municipality: "990019", Class: "clinic"}}
	err := s.use(ctx, func(ctx context.Context, l *life) error {
		return l.db.Runner().Do(ctx, func(ctx context.Context, x tx.Tx) error {
			_, err := sqltx.Of(x).Exec(ctx, `
				INSERT INTO terminal (terminal_id, office_id, public_key, recipient, enrolled_at, disabled_at, last_contact_at)
				VALUES ($1, $2, '', '', $3, 0, 0) ON CONFLICT (terminal_id) DO NOTHING`, id, t.who.Office, sqltx.Micros(s.cfg.Now()))
			return err
		})
	})
	return t, err
}

// Batch is POST /terminal/v1/batches: the bytes of a batch, the bytes of its receipt.
func (t *Terminal) Batch(ctx context.Context, raw []byte) (receipt []byte, err error) {
	err = t.s.use(ctx, func(ctx context.Context, l *life) error {
		b, err := wire.DecodeBatch(raw)
		if err != nil {
			return err
		}
		r, err := l.intake.ReceiveDecoded(ctx, t.who, audit.TerminalOperation, b)
		if err != nil {
			return err
		}
		receipt, err = wire.EncodeReceipt(r)
		return err
	})
	return receipt, spoken(err)
}

// Answers is GET /terminal/v1/answers: the bytes of a page of answers.
func (t *Terminal) Answers(ctx context.Context, after uint64, wait time.Duration) (page []byte, err error) {
	err = t.s.use(ctx, func(ctx context.Context, l *life) error {
		a, err := l.intake.Answers(ctx, t.who, audit.TerminalOperation, after, wait)
		if err != nil {
			return err
		}
		page, err = wire.EncodeAnswers(a)
		return err
	})
	return page, spoken(err)
}

// spoken is an error as the terminal hears of it: one without a code is a 500.
func spoken(err error) error {
	if fault.CodeOf(err) == fault.Internal {
		return fault.Wrap(fault.Unavailable, err, "the backend cannot work now")
	}
	return err
}
