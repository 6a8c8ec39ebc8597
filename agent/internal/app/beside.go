package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/agent/internal/card/pcsc"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/config"
	"madoguchi.example/agent/internal/oqsfolder"
	"madoguchi.example/agent/internal/precheck"
	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/scanner/evdev"
	"madoguchi.example/agent/internal/scanner/keys"
	"madoguchi.example/agent/internal/scanner/serial"
	"madoguchi.example/shared/charge"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/oqs"
	"madoguchi.example/shared/trust"
)

// beside is what stands beside the terminal: card readers, scanners and the clinic's own
// 資格確認端末. What is not configured is nil.
type beside struct {
	cards    *counter.Counter
	scanners []scanner.Source
	folder   *oqsfolder.Exchange
	bookings *precheck.Precheck
	charges  charge.Table
	kicked   chan struct{} // there may be something to ask the clinic's own terminal
}

// besideOf opens nothing: devices and folders are reached when they run.
func (a *agent) besideOf() (beside, error) {
	b := beside{kicked: make(chan struct{}, 1)}
	var err error
	if b.charges, err = charges(a.config.Charges); err != nil {
		return b, err
	}
	c := a.config
	if c.Card.Enabled {
		b.cards = counter.New(counter.Config{
			Readers: pcsc.New(pcsc.Options{Socket: pcsc.Socket(c.Card.Socket, a.world.Getenv)}),
			Reader:  c.Card.Reader, Now: a.world.Now, Rand: a.world.Rand, Log: a.log,
			Trust: func() trust.Snapshot {
				snap, err := a.terminal.Trust(context.Background())
				if err != nil {
					return trust.Snapshot{} // believes nobody
				}
				return snap
			},
		})
	}
	b.scanners = scanners(c.Scanner, a.world, a.log, func() { a.rounds.Kick(); a.desk.Changed() }) // they run after the desk is there
	if c.OQS.Used() && a.terminal.Class().MayCheckInsurance() {
		b.folder = oqsfolder.New(folderConfig(c.OQS, a.terminal.Profile().Institution, a.world, a.log))
	}
	b.bookings = precheck.New(precheck.Config{
		Shelf: a.shelf, Online: b.asksMany(), Now: a.world.Now, NewID: a.queue.NewID,
	})
	return b, nil
}

func folderConfig(c config.OQS, institution string, w World, log *slog.Logger) oqsfolder.Config {
	encoding := oqs.UTF8
	if c.Encoding == "shift_jis" {
		encoding = oqs.ShiftJIS
	}
	return oqsfolder.Config{
		ReqDir: c.RequestDir, ResDir: c.ResultDir, FaceDir: c.FaceDir, Institution: insurance.InstitutionCode(institution),
		Encoding: encoding, Now: w.Now, Rand: w.Rand, Log: log, ScanEvery: c.ScanEvery,
	}
}

// readerFault is what is wrong with the card readers, in a word; "" for nothing.
func (b beside) readerFault() string {
	if b.cards == nil {
		return ""
	}
	return string(b.cards.Status().Fault)
}

// asksMany is the clinic's own terminal for the evening's check; a nil of its interface where
// there is none.
func (b beside) asksMany() precheck.Asker {
	if b.folder == nil {
		return nil
	}
	return b.folder
}

// asks is the clinic's own terminal for the act; a nil of its interface where there is none.
func (b beside) asks() check.Asker {
	if b.folder == nil {
		return nil
	}
	return asker{b.folder}
}

type asker struct{ *oqsfolder.Exchange }

// Health is the part of the exchange's that the act needs.
func (a asker) Health() check.Health {
	h := a.Exchange.Health()
	return check.Health{Ready: h.Ready, Fault: h.Fault, LastAnswer: h.LastAnswer}
}

// charges reads the signed table, or takes the program's own.
func charges(c config.Charges) (charge.Table, error) {
	if c.File == "" {
		return charge.Shipped(), nil
	}
	signed, err := readBounded("table of charges", c.File, charge.MaxSignedBytes)
	if err != nil {
		return charge.Table{}, fault.Wrap(fault.InvalidArgument, err, "charges.file: cannot read the table")
	}
	pem, err := readBounded("key of the charges", c.KeyFile, 16<<10)
	if err != nil {
		return charge.Table{}, fault.Wrap(fault.InvalidArgument, err, "charges.key_file: cannot read the key")
	}
	key, err := charge.ParseKey(pem)
	if err != nil {
		return charge.Table{}, fmt.Errorf("cannot use charges.key_file: %w", err)
	}
	t, err := charge.Parse(signed, []charge.Key{key})
	if err != nil {
		return charge.Table{}, fmt.Errorf("cannot use charges.file: %w", err)
	}
	return t, nil
}

func scanners(c config.Scanner, w World, log *slog.Logger, changed func()) []scanner.Source {
	var all []scanner.Source
	if c.Serial != "" {
		all = append(all, serial.New(serial.Config{Port: c.Serial, Baud: c.Baud, Now: w.Now, Log: log, Changed: changed}))
	}
	if c.Evdev != "" && runtime.GOOS == "linux" {
		layout := keys.US
		if c.Layout == "jis" {
			layout = keys.JIS
		}
		all = append(all, evdev.New(evdev.Config{Device: c.Evdev, Layout: layout, Now: w.Now, Log: log, Changed: changed}))
	}
	return all
}

// hours tells whether the clinic's own terminal is on.
func hours(c config.OQS) func(time.Time) bool {
	return func(t time.Time) bool {
		now := t.In(civil.Japan).Format("15:04")
		return now >= c.Opens && now < c.Closes
	}
}

// chaseEvery is how often what is out is looked through; what is new is asked at once.
const chaseEvery = 5 * time.Second

func (b beside) kick() {
	select {
	case b.kicked <- struct{}{}:
	default:
	}
}

// run watches readers, scanners and folders, asks what is due and has the evening's check
// made, until ctx ends.
func (a *agent) runBeside(ctx context.Context) {
	b := a.beside
	var work sync.WaitGroup
	if b.cards != nil {
		work.Go(func() { _ = b.cards.Run(ctx) })
	}
	for _, s := range b.scanners {
		work.Go(func() { _ = s.Run(ctx, a.scanned) })
	}
	if b.folder != nil {
		work.Go(func() {
			b.folder.Probe(ctx) // a share that does not answer is found out before a person waits for it
			_ = b.folder.Run(ctx, taker{a.desk, b.bookings})
		})
	}
	work.Go(func() { a.chase(ctx) })
	work.Wait()
}

// taker hands answers to whoever asked.
type taker struct {
	*check.Desk
	bookings *precheck.Precheck
}

func (t taker) TakeReception(ctx context.Context, r oqs.Reception) error {
	return t.bookings.TakeReception(ctx, r)
}

func (t taker) TakeBulk(ctx context.Context, r oqs.Result) error { return t.bookings.TakeBulk(ctx, r) }

// chase asks the clinic's own terminal what is due, at once when there is something new and
// on a tick, and has tomorrow's patients checked in the evening.
func (a *agent) chase(ctx context.Context) {
	tick := time.NewTicker(chaseEvery)
	defer tick.Stop()
	var checked civil.Date
	for {
		a.complain(ctx, "what is due could not be asked", a.desk.Chase(ctx))
		a.complain(ctx, "the booked patients could not be asked for", a.beside.bookings.Chase(ctx))
		if now := a.world.Now(); eveningHasCome(a.config.Bookings.CheckAt, now) && checked != civil.In(now) {
			checked = civil.In(now)
			a.evening(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-a.beside.kicked:
		}
	}
}

func eveningHasCome(at string, now time.Time) bool {
	return at != "" && now.In(civil.Japan).Format("15:04") >= at
}

// evening reads the list of bookings, if one is there, and asks for tomorrow's patients.
func (a *agent) evening(ctx context.Context) {
	if file := a.config.Bookings.File; file != "" {
		if list, err := readBounded("list of bookings", file, precheck.MaxBytes); err == nil {
			_, err = a.beside.bookings.Load(ctx, list)
			a.complain(ctx, "the list of bookings was not taken", err)
		} else if !errors.Is(err, fs.ErrNotExist) {
			a.complain(ctx, "the list of bookings could not be read", err)
		}
	}
	a.complain(ctx, "tomorrow's patients could not be checked", a.beside.bookings.Run(ctx))
}

func (a *agent) complain(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		a.log.Warn(what, "code", fault.CodeOf(err))
	}
}

// route tells who is asked.
func (b beside) route() eligibility.Route {
	if b.folder != nil {
		return eligibility.RouteTerminal
	}
	return eligibility.RoutePayer
}

// scanned keeps the newest scan for the desk's pages and tells them.
func (a *agent) scanned(s scanner.Scan) {
	a.scans.put(s, a.world.Now())
	a.desk.Changed()
}

// scanLife is how long a scan waits for a page. One that nobody took, at a locked desk say,
// is not shown to whoever comes next.
const scanLife = 30 * time.Second

// scans is the newest code that a device delivered. Nobody else keeps it, and whoever takes
// it within scanLife has it alone.
type scans struct {
	now func() time.Time

	mu     sync.Mutex
	newest *scanner.Scan
	at     time.Time
	count  uint64
}

func (s *scans) put(scan scanner.Scan, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest, s.at, s.count = &scan, at, s.count+1
}

// Take gives the newest scan once.
func (s *scans) Take() (scanner.Scan, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest == nil {
		return scanner.Scan{}, false
	}
	scan, age := *s.newest, s.now().Sub(s.at)
	s.newest = nil
	if age < 0 || age >= scanLife {
		return scanner.Scan{}, false
	}
	return scan, true
}

// Count tells how many scans came since the start.
func (s *scans) Count() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}
