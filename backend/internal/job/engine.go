package job

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"madoguchi.example/backend/internal/job/schema"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
)

// The waits of the engine. Poll plus Cooldown is the longest that a configured wait keeps a
// committed job from a free worker.
const (
	Poll     = 50 * time.Millisecond
	Cooldown = 20 * time.Millisecond

	// Timeout ends the context of one run of a handler.
	Timeout = 5 * time.Minute
	// Rescue is when a job that a dead process held runs again. It is looked for twice a
	// minute.
	Rescue = 7 * time.Minute

	DefaultWorkers     = 8
	DefaultMaxAttempts = 25
	DefaultHoldTime    = 15 * time.Second

	// hardStop is how long Stop waits for handlers whose context it had to cancel.
	hardStop = 10 * time.Second
)

// Config says how to run jobs. Now must be set; the other zero values mean the defaults.
type Config struct {
	Workers     int // handlers at once in this process; default 8
	MaxAttempts int // runs of one job before it is given up; default 25
	// Retry is how long to wait after the given number of failed runs (1 …). Default: the
	// fourth power of it, in seconds.
	Retry func(failed int) time.Duration
	// Hold, when set, is asked before each run whether jobs of the kind have to wait. One that
	// has to is asked about again after HoldTime; no attempt is counted.
	Hold func(ctx context.Context, kind string) bool
	// HoldTime is how long a held job waits. Default 15 s.
	HoldTime time.Duration
	Now      func() time.Time
	Log      *slog.Logger // nil: silent
}

// Engine stores jobs and, once started, runs them. It is safe for concurrent use.
type Engine struct {
	db      *store.DB
	cfg     Config
	inserts *river.Client[*sql.Tx]

	mu       sync.Mutex // guards what follows
	workers  *river.Workers
	handlers int
	kinds    []string
	periodic []*river.PeriodicJob
	running  *river.Client[*sql.Tx]
	started  bool
	cancel   context.CancelFunc
}

var _ Queue = (*Engine)(nil)

var errStarted = errors.New("cannot register a handler: the engine has started")

// Open prepares the engine over db. It can enqueue at once; Register and Every come before
// Start. A process that only enqueues never starts it.
func Open(db *store.DB, cfg Config) (*Engine, error) {
	if cfg.Now == nil {
		return nil, errors.New("cannot open the job engine: no clock was given")
	}
	if cfg.Workers == 0 {
		cfg.Workers = DefaultWorkers
	}
	if cfg.MaxAttempts == 0 {
		cfg.MaxAttempts = DefaultMaxAttempts
	}
	if cfg.HoldTime == 0 {
		cfg.HoldTime = DefaultHoldTime
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{db: db, cfg: cfg, workers: river.NewWorkers()}
	inserts, err := river.NewClient(e.driver(), &river.Config{Logger: cfg.Log, MaxAttempts: cfg.MaxAttempts})
	if err != nil {
		return nil, fmt.Errorf("cannot open the job engine: %w", err)
	}
	e.inserts = inserts
	return e, nil
}

// Enqueue implements Queue. It may be called before Start, and for kinds that another
// process handles.
func (e *Engine) Enqueue(ctx context.Context, t tx.Tx, a Args) error {
	if err := checkArgs(a); err != nil {
		return sqltx.Of(t).Fail(fmt.Errorf("cannot enqueue: %w", err))
	}
	return sqltx.Of(t).With(ctx, func(ctx context.Context, s *sql.Tx) error {
		if _, err := e.inserts.InsertTx(ctx, s, a, options(a)); err != nil {
			return fmt.Errorf("cannot enqueue %s: %w", a.Kind(), err)
		}
		return nil
	})
}

func options(a Args) *river.InsertOpts {
	p, ok := a.(Prioritised)
	if !ok {
		return nil
	}
	return &river.InsertOpts{Priority: p.Priority()}
}

// Register names the handler of A's kind. A handler that answers an error, or panics, is
// called again later; its error text is stored and logged, so it holds no personal data.
// ctx ends after Timeout, or when Stop has waited long enough.
func Register[A Args](e *Engine, work func(ctx context.Context, a A) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.started {
		return errStarted
	}
	if err := checkKind(*new(A)); err != nil {
		return fmt.Errorf("cannot register a handler: %w", err)
	}
	run := func(ctx context.Context, j *river.Job[A]) error {
		if e.cfg.Hold != nil && e.cfg.Hold(ctx, j.Kind) {
			return river.JobSnooze(e.cfg.HoldTime)
		}
		return guarded(ctx, e.cfg.Log, j.Kind, func() error { return work(ctx, j.Args) })
	}
	if err := river.AddWorkerSafely(e.workers, river.WorkFunc(run)); err != nil {
		return fmt.Errorf("cannot register a handler: %w", err)
	}
	e.handlers++
	e.kinds = append(e.kinds, (*new(A)).Kind())
	return nil
}

// Kinds lists the kinds that have a handler, in the order of their registration.
func (e *Engine) Kinds() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.kinds)
}

// Drop takes the jobs of a kind that wait out of the queue, in the caller's transaction, and
// tells how many. One that runs is left alone.
func (e *Engine) Drop(ctx context.Context, t tx.Tx, kind string) (int64, error) {
	return sqltx.Of(t).Exec(ctx, `DELETE FROM river_job WHERE kind = $1 AND finalized_at IS NULL AND state <> 'running'`, kind)
}

// guarded turns a panic into an error that does not repeat the panic's value: the engine
// would log and store it.
func guarded(ctx context.Context, log *slog.Logger, kind string, work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			log.ErrorContext(ctx, "a job's handler panicked", "kind", kind, "stack", string(debug.Stack()))
			err = fmt.Errorf("the handler panicked with a %T", v)
		}
	}()
	return work()
}

// Every enqueues a at Start and then each d (a second at least), on one of all processes,
// unless the one before is still waiting or running. It is approximate: a process that
// takes over begins anew.
func (e *Engine) Every(d time.Duration, a Args) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.started {
		return errStarted
	}
	if err := checkArgs(a); err != nil {
		return err
	}
	if d < time.Second {
		return fmt.Errorf("cannot run %s every %s: a second is the least", a.Kind(), d)
	}
	alone := &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
		rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
	e.periodic = append(e.periodic, river.NewPeriodicJob(river.PeriodicInterval(d),
		func() (river.JobArgs, *river.InsertOpts) { return a, alone },
		&river.PeriodicJobOpts{RunOnStart: true}))
	return nil
}

// Start begins to run jobs. Cancelling ctx does not stop them: Stop does. An engine starts
// once.
func (e *Engine) Start(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.started {
		return errors.New("cannot start the job engine twice")
	}
	if e.handlers == 0 {
		return errors.New("cannot start the job engine: no handler is registered")
	}
	client, err := river.NewClient(e.driver(), e.riverConfig())
	if err != nil {
		return fmt.Errorf("cannot start the job engine: %w", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if err := client.Start(ctx); err != nil {
		cancel()
		return fmt.Errorf("cannot start the job engine: %w", err)
	}
	e.started, e.running, e.cancel = true, client, cancel
	return nil
}

// Stop takes no further job and waits for the handlers that run. When ctx ends before they
// do, their contexts are cancelled and ctx's error is the answer; what they did not finish
// runs again later. Stop comes before store.DB.Close. Without a Start it does nothing.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	client, cancel := e.running, e.cancel
	e.running = nil
	e.mu.Unlock()
	if client == nil {
		return nil
	}
	defer cancel()
	err := client.Stop(ctx)
	if err == nil {
		return nil
	}
	last, done := context.WithTimeout(context.WithoutCancel(ctx), hardStop)
	defer done()
	return fmt.Errorf("cannot wait for the jobs: %w", errors.Join(err, client.StopAndCancel(last)))
}

func (e *Engine) riverConfig() *river.Config {
	c := &river.Config{
		FetchPollInterval:    Poll,
		FetchCooldown:        Cooldown,
		JobTimeout:           Timeout,
		RescueStuckJobsAfter: Rescue,
		MaxAttempts:          e.cfg.MaxAttempts,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: e.cfg.Workers}},
		Workers:              e.workers,
		PeriodicJobs:         e.periodic,
		ErrorHandler:         failures{log: e.cfg.Log},
		Logger:               e.cfg.Log,
	}
	if e.cfg.Retry != nil {
		c.RetryPolicy = retries{after: e.cfg.Retry, now: e.cfg.Now}
	}
	return c
}

func (e *Engine) driver() riverdriver.Driver[*sql.Tx] {
	return schema.Driver(string(e.db.Engine()), e.db.Writer())
}

// failures logs what went wrong, and never the arguments.
type failures struct{ log *slog.Logger }

// HandleError implements river.ErrorHandler.
func (f failures) HandleError(ctx context.Context, j *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	f.log.WarnContext(ctx, "a job failed", "kind", j.Kind, "job_id", j.ID, "attempt", j.Attempt,
		"max_attempts", j.MaxAttempts, "cause", err.Error())
	return nil
}

// HandlePanic implements river.ErrorHandler for what guarded could not catch.
func (f failures) HandlePanic(ctx context.Context, j *rivertype.JobRow, v any, trace string) *river.ErrorHandlerResult {
	f.log.ErrorContext(ctx, "a job panicked", "kind", j.Kind, "job_id", j.ID, "type", fmt.Sprintf("%T", v), "stack", trace)
	return nil
}

type retries struct {
	after func(failed int) time.Duration
	now   func() time.Time
}

// NextRetry implements river.ClientRetryPolicy.
func (r retries) NextRetry(j *rivertype.JobRow) time.Time {
	return r.now().Add(r.after(len(j.Errors) + 1)).UTC()
}
