package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/config"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/door"
	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/agent/internal/linkfetch"
	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/agent/internal/outbox"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/reception"
	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/logmask"
)

// keepCases is how many days answered cases stay on the terminal.
const keepCases = 40

// runAgent serves the desk and syncs until ctx ends.
func runAgent(ctx context.Context, w World, args []string) error {
	set, path := flags("run")
	if err := parse(set, args); err != nil {
		return err
	}
	c, err := load(w, *path)
	if err != nil {
		return err
	}
	noCoreFiles()
	a, err := open(ctx, c, w)
	if err != nil {
		return err
	}
	return errors.Join(a.serve(ctx), a.close())
}

// agent is the wired program.
type agent struct {
	config    config.Config
	world     World
	log       *slog.Logger
	terminal  *terminal.Terminal
	vault     *vault.Vault
	queue     *queue.Queue
	book      *casebook.Book
	floor     *clockfloor.Floor
	uplink    *uplink.Uplink
	desk      *check.Desk
	beside    beside
	scans     scans
	rounds    *doctor.Rounds
	probe     *doctor.Probe
	operators *operator.Book
	lan       door.LAN
	door      *door.Door
	practice  practice
	handler   http.Handler // of the desk, behind the door
	box       *outbox.Box
	acts      *outbox.Acts
	stronger  func() string // the class of a better key source than the one in use; "" for none
	renew     chan struct{} // the profile is to be asked for at once
}

// open wires the agent's parts. It uses no network.
func open(ctx context.Context, c config.Config, w World) (*agent, error) {
	a := &agent{config: c, world: w, log: logmask.New(w.Stderr, c.Log.SlogLevel()), renew: make(chan struct{}, 1)}
	a.scans.now = w.Now
	var err error
	floor := func() *clockfloor.Floor { return a.floor } // no call is made before it is there
	if a.terminal, err = loadTerminal(c, w, a.log, floor); err != nil {
		return nil, err
	}
	if a.vault, a.queue, err = openQueue(ctx, c, w, a.terminal, a.log, true); err != nil {
		return nil, err
	}
	if r := a.vault.Report(); r.PutAside != "" {
		a.log.Error("the terminal's file was damaged and put aside", "file", r.PutAside, "reason", r.Reason, "values", r.Salvaged.Values, "lost", r.Salvaged.Lost)
	}
	a.stronger = a.lookForTPM()
	a.floor = a.openFloor(ctx)
	a.book = casebook.New(a.vault.Shelf(casebook.ShelfName))
	if a.beside, err = a.besideOf(); err != nil {
		return nil, errors.Join(err, a.close())
	}
	a.desk = check.New(check.Config{
		Queue: a.queue, Book: a.book, Profile: a.terminal.Profile, Now: w.Now,
		Line: func() uplink.Line { return a.uplink.Line() },
		Kick: func() { a.uplink.Kick(); a.beside.kick() },
		Seal: terminal.SealTo, Open: a.terminal.Open,
		Online: a.beside.asks(), Route: a.beside.route, Hours: hours(c.OQS), Charges: a.beside.charges,
		Reader: a.beside.readerFault, Bookings: a.beside.bookings, Shelf: a.shelf, CopyOrder: c.Desk.CopyOrder,
		Rejected: func(id string, cause error) {
			a.log.Warn("an answer could not be taken", "record", id, "code", fault.CodeOf(cause))
		},
	})
	a.uplink = uplink.New(uplink.Config{
		Queue: a.queue, Backend: a.terminal, Handler: a.desk, Now: w.Now, Rand: w.Rand, Log: a.log,
		OnLine: func(uplink.Line) { a.desk.Changed() },
		Clock:  bootClock(), Health: a.health, Spread: a.spread, Beat: c.Sync.Beat,
		Terminal: a.terminal.ID(), ReceiptKeys: func() []profile.ReceiptKey { return a.terminal.Profile().ReceiptKeys }, UnknownKey: a.renewProfile,
	})
	a.box = &outbox.Box{
		Queue: a.queue, Recipient: func() string { return a.terminal.Profile().ExportRecipient }, Now: a.figures,
		Retried: func() { a.uplink.Kick(); a.desk.Changed() },
	}
	a.acts = outbox.NewActs(a.box, c.StateDir)
	a.probe = &doctor.Probe{URL: a.terminal.State().Backend, Now: w.Now, Timeout: c.Backend.Timeout}
	if a.probe.Transport, err = transport(c.Backend); err != nil {
		return nil, errors.Join(err, a.close())
	}
	a.rounds = doctor.NewRounds(a.parts, 0, a.desk.Changed)
	if err = errors.Join(a.openDoor(ctx), a.openPractice()); err == nil {
		a.handler, err = reception.New(a.reception())
	}
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// openDoor reads the operators and the sessions that were open.
func (a *agent) openDoor(ctx context.Context) error {
	c, w := a.config.Desk, a.world
	var err error
	a.operators, err = operator.Open(ctx, operator.Config{Shelf: a.vault.Shelf(operator.ShelfName), Now: w.Now, Rand: w.Rand, First: c.Operators})
	if err != nil {
		return err
	}
	if n := a.operators.Unreadable(); n > 0 {
		a.log.Error("operators cannot be read any more", "count", n)
	}
	if c.LAN.Listen != "" {
		if a.lan, err = door.OpenLAN(filepath.Join(a.config.StateDir, "lan"), c.LAN.Names, w.Now, w.Rand, a.log); err != nil {
			return err
		}
	}
	a.door, err = door.New(door.Config{
		Operators: a.operators, Sessions: a.vault.Shelf(door.SessionShelf), Devices: a.vault.Shelf(door.DeviceShelf), LockAfter: c.LockAfter,
		Pending: func() int { return a.queue.Stats().Pending }, Office: func() string { return a.terminal.Profile().OfficeName },
		LAN: a.lan, Now: w.Now, Rand: w.Rand, Log: a.log,
	})
	return err
}

// reception is what the desk's pages are made of. A part that there is none of stays a nil of
// its interface.
func (a *agent) reception() reception.Config {
	c := reception.Config{
		Desk: a.desk, Verifier: a.reader(), Profile: a.terminal.Profile,
		Line: a.uplink.Line, Stats: a.queue.Stats, Damage: a.damage, Now: a.world.Now, Rand: a.world.Rand, Log: a.log,
		Bookings: a.beside.bookings, PracticeURL: a.practice.address.get, Outbox: a.box,
		Findings: func(context.Context) []doctor.Finding { return a.rounds.Latest() },
	}
	if a.beside.cards != nil {
		c.Cards = a.beside.cards
	}
	if len(a.beside.scanners) > 0 {
		c.Scans = &a.scans
	}
	if asks := a.beside.asks(); asks != nil {
		c.Folder = asks.Health
	}
	return c
}

func (a *agent) shelf(name string) casebook.Shelf { return a.vault.Shelf(name) }

// openFloor opens the last trusted time: the backend's word, the trust list's and the newest
// record's.
func (a *agent) openFloor(ctx context.Context) *clockfloor.Floor {
	return clockfloor.Open(ctx, clockfloor.Config{
		Shelf: a.vault.Shelf(clockfloor.ShelfName), Now: a.world.Now,
		Backend: []func() time.Time{func() time.Time {
			snap, err := a.terminal.Trust(context.Background())
			if err != nil {
				return time.Time{}
			}
			return snap.AsOf()
		}},
		Own:    []func() time.Time{a.queue.NewestAt},
		Failed: func(err error) { a.log.Warn("the last trusted time", "error", err) },
	})
}

// reader is what certificates are read with. It follows links only when it is asked to.
func (a *agent) reader() *inspect.Reader {
	return inspect.NewReader(inspect.ReaderConfig{
		Snapshot: a.terminal.Trust, Clock: a.floor.Read,
		Links: links(a.config.Links, a.world, func() string { return a.terminal.Profile().OfficeName }),
	})
}

// links follows links under the name of the office, which may come later.
func links(c config.Links, w World, office func() string) inspect.Fetcher {
	return linkfetch.New(linkfetch.Config{
		Recipient: func() string {
			switch name := office(); {
			case c.Recipient != "":
				return c.Recipient
			case name != "":
				return name
			}
			return "madoguchi"
		},
		Now: w.Now, Timeout: c.Timeout, AllowLocal: c.AllowLocal,
	})
}

// damage counts what the terminal's disk has lost.
func (a *agent) damage() reception.Damage {
	r := a.vault.Report()
	files, lost := lostOf(r)
	d := reception.Damage{Files: files, Rows: lost + a.book.Unreadable(), Closed: r.Unopened.Path != ""}
	if d.Closed {
		d.Files--
	}
	return d
}

// reconcile brings the desk's rows up to what the queue knows.
func (a *agent) reconcile(ctx context.Context) {
	if err := a.desk.Reconcile(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("the list could not be brought up to the queue", "error", err)
	}
}

// loadTerminal reads the enrolled terminal. floor keeps the times of the backend's answers; it
// may be nil.
func loadTerminal(c config.Config, w World, log *slog.Logger, floor func() *clockfloor.Floor) (*terminal.Terminal, error) {
	o, err := terminalOptions(c, w, log)
	if err != nil {
		return nil, err
	}
	if floor != nil {
		o.Heard = func(at time.Time) { floor().Heard(at) }
		o.Known = func() time.Time { return floor().Backend() }
	}
	return terminal.Load(o)
}

func terminalOptions(c config.Config, w World, log *slog.Logger) (terminal.Options, error) {
	transport, err := transport(c.Backend)
	return terminal.Options{
		StateDir: c.StateDir, HTTP: transport, Now: w.Now, Rand: w.Rand, Timeout: c.Backend.Timeout, Log: log,
	}, err
}

func transport(b config.Backend) (http.RoundTripper, error) {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: 60 * time.Second,
		TLSHandshakeTimeout: b.Timeout, DialContext: (&net.Dialer{Timeout: b.Timeout}).DialContext,
	}
	if b.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(b.CAFile)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidArgument, err, "backend.ca_file: cannot read the certificates")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fault.At(fault.InvalidArgument, "backend.ca_file", "holds no certificate")
	}
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return t, nil
}

// opening says how the terminal's file is opened.
type opening struct {
	choice  vault.Choice
	options vault.Options
}

// openingOf chooses the key. A program that must start gets a stand-in where the key is not
// to be had.
func openingOf(c config.Config, w World, t *terminal.Terminal, mustStart bool) (o opening, err error) {
	o.choice = vault.Choice{
		Kind: c.Vault.Key, Dir: c.StateDir, Terminal: t.ID(), TPM: c.Vault.TPM, CredentialsDir: w.Getenv("CREDENTIALS_DIRECTORY"),
		PassphraseFile: c.Vault.PassphraseFile, KeyFile: c.Vault.KeyFile, Rand: w.Rand,
	}
	key, err := vault.Choose(o.choice)
	if err != nil {
		return o, err
	}
	o.options = vault.Options{Key: key, Before: vault.Earlier(o.choice, key), StandIn: mustStart, Now: w.Now, Rand: w.Rand, Terminal: t.ID()}
	return o, nil
}

// openQueue opens file and queue, and takes in what a stand-in of before holds.
func openQueue(ctx context.Context, c config.Config, w World, t *terminal.Terminal, log *slog.Logger, mustStart bool) (*vault.Vault, *queue.Queue, error) {
	o, err := openingOf(c, w, t, mustStart)
	if err != nil {
		return nil, nil, err
	}
	v, err := vault.Open(ctx, c.StateDir, o.options)
	if err != nil {
		return nil, nil, err
	}
	limits := queue.Limits{MaxRecords: c.Queue.MaxRecords, MaxBytes: c.Queue.MaxBytes, MaxAge: c.Queue.MaxAge, KeepAccepted: c.Queue.KeepAccepted}
	q, err := queue.Open(v, limits, handle.Source{Now: w.Now, Rand: w.Rand})
	if err != nil {
		return nil, nil, errors.Join(err, v.Close())
	}
	if there := v.Report().Unopened; there.Path != "" {
		log.Error("the terminal's file cannot be opened with this key; it stays as it is, and a stand-in is used until the key is back",
			"file", there.Path, "kept_under", there.Class, "given", there.Given, "error", there.Cause)
		return v, q, nil
	}
	o.takeIn(ctx, v, q, log)
	o.removeEarlier(v, log)
	return v, q, nil
}

// notTaken are the shelves of a stand-in that stay there: who was let in without the
// operators' PINs stays outside.
var notTaken = []string{operator.ShelfName, door.SessionShelf, door.DeviceShelf, clockfloor.ShelfName}

// takeIn brings over what the stand-in of before holds. What fails is tried again at the next
// start.
func (o opening) takeIn(ctx context.Context, v *vault.Vault, q *queue.Queue, log *slog.Logger) {
	own, err := vault.OpenStandIn(ctx, o.choice.Dir, o.options)
	if err == nil && own == nil {
		return
	}
	var taken queue.Taken
	if err == nil {
		taken, err = q.TakeIn(ctx, own, notTaken...)
		err = errors.Join(err, own.Close())
	}
	switch {
	case err != nil:
	case taken.Lost == 0:
		err = vault.RemoveStandIn(o.choice.Dir)
	default:
		err = vault.KeepStandIn(o.choice.Dir, o.options.Now())
	}
	if err != nil {
		log.Error("what the stand-in holds could not be taken in; it stays for the next start", "error", err)
		return
	}
	log.Warn("the terminal's file opens again, and has what its stand-in held", "records", taken.Records, "values", taken.Values, "lost", taken.Lost)
}

// removeEarlier removes the key file of a class that was left.
func (o opening) removeEarlier(v *vault.Vault, log *slog.Logger) {
	removed, err := vault.RemoveEarlier(o.choice, v)
	for _, path := range removed {
		log.Warn("an earlier key was removed: nothing is under it any more", "file", path, "class", v.Class())
	}
	if err != nil {
		log.Error("an earlier key could not be removed", "error", err)
	}
}

func (a *agent) close() error {
	if a.acts != nil {
		a.acts.Close()
	}
	return errors.Join(a.queue.Close(), a.vault.Close())
}

// refresh asks for profile and trust snapshot at the start and then every RefreshEvery;
// what is in use stays in use when it cannot.
func (a *agent) refresh(ctx context.Context) {
	tick := time.NewTicker(a.config.Backend.RefreshEvery)
	defer tick.Stop()
	for {
		changed, err := a.terminal.RefreshProfile(ctx)
		fresh, trustErr := a.terminal.RefreshTrust(ctx)
		if err := errors.Join(err, trustErr); err != nil && ctx.Err() == nil {
			a.log.Warn("profile or trust snapshot could not be refreshed", "code", fault.CodeOf(err))
		}
		if changed || fresh {
			a.desk.Changed()
		}
		a.reconcile(ctx)
		_, err = a.desk.Trim(ctx, civil.In(a.world.Now()).AddDays(-keepCases))
		a.complain(ctx, "old cases could not be removed", err)
		_, err = a.beside.bookings.Trim(ctx)
		a.complain(ctx, "old bookings could not be removed", err)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-a.renew:
		}
	}
}

// enroll makes the terminal's keys and enrols it, then fetches profile and trust.
func enroll(ctx context.Context, w World, args []string) error {
	set, path := flags("enroll")
	code := set.String("code", "", "one-time code from the office")
	backend := set.String("backend", "", "the backend's address")
	if err := parse(set, args); err != nil {
		return err
	}
	if *code == "" {
		return usage("--code is missing: the office console or `madoguchi-backend terminal code` gives one")
	}
	c, err := load(w, *path)
	if err != nil {
		return err
	}
	if *backend != "" {
		c.Backend.URL = *backend
		if err := c.Validate(); err != nil {
			return err
		}
	}
	o, err := terminalOptions(c, w, nil)
	if err != nil {
		return err
	}
	t, err := terminal.Enrol(ctx, c.Backend.URL, *code, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(w.Stdout, "enrolled as %s\n", t.ID())
	_, err = t.RefreshProfile(ctx)
	_, trustErr := t.RefreshTrust(ctx)
	if err := errors.Join(err, trustErr); err != nil {
		return fmt.Errorf("enrolled, but profile or trust snapshot could not be fetched; the agent will try again: %w", err)
	}
	return nil
}
