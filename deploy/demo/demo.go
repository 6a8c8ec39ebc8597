// Package demo is what `make demo` runs: it starts everything on this machine with
// invented people, says where to look and what to try first, and ends all of it.
//
// It promises that nothing it started is left when it ends, however it ends: by Ctrl-C,
// because the tour is over, or because one of the programs died, which it then names and
// reports as a failure. Its state lies in one folder that is made anew each time.
package demo

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/practice/oqs"
	"madoguchi.example/deploy/stage"
	"madoguchi.example/deploy/tour"
)

// Env is what the demonstration takes from outside.
type Env struct {
	Args   []string // without the program's name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Now    func() time.Time
	Rand   io.Reader
}

// settings are the flags.
type settings struct {
	bin, state, dsn string
	tour            bool
	residents       int
	seed            uint64
}

// wished are the addresses that are taken when they are free.
const (
	publicAddress   = "127.0.0.1:8080"
	deskAddress     = "127.0.0.1:8090"
	practiceAddress = "127.0.0.1:8070"
	trainingAddress = "127.0.0.1:8091"
)

// refreshEvery is how often the terminal asks what is new: soon, for somebody who watches.
const refreshEvery = 2 * time.Second

// startTime bounds the whole start, which takes seconds.
const startTime = 3 * time.Minute

// Run starts everything and stays until ctx ends, a program dies or the tour is over.
func Run(ctx context.Context, env Env) (err error) {
	set, err := read(env)
	if err != nil {
		return err
	}
	programs := stage.Programs{Dir: set.bin}
	if err := programs.Check(); err != nil {
		return fmt.Errorf("run `make demo`, which builds them: %w", err)
	}
	held, err := emptied(set.state)
	if err != nil {
		return err
	}
	defer held.Close()
	d := &demo{Env: env, settings: set}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.start(ctx, programs); err != nil {
		return d.ending(ctx, err)
	}
	if set.tour {
		return d.ending(ctx, d.walk(ctx))
	}
	if err := d.welcome(ctx); err != nil {
		return d.ending(ctx, err)
	}
	return d.stay(ctx)
}

func read(env Env) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("madoguchi-demo", flag.ContinueOnError)
	flags.SetOutput(env.Stderr)
	flags.StringVar(&s.bin, "bin", "bin", "folder of the built programs")
	flags.StringVar(&s.state, "state", ".demo", "folder for state and logs, emptied at the start")
	flags.StringVar(&s.dsn, "dsn", "", "store of the backend; SQLite in the state folder when empty")
	flags.BoolVar(&s.tour, "tour", false, "walk the journeys without a browser, print each step, and end")
	flags.IntVar(&s.residents, "residents", 1000, "invented residents")
	flags.Uint64Var(&s.seed, "seed", 1, "the same seed and day give the same people")
	if err := flags.Parse(env.Args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, errors.New("there are arguments too many")
	}
	return s, nil
}

// marker tells that a folder is a demonstration's and may be emptied. It is locked while
// one runs there.
const marker = ".madoguchi-demo"

// emptied gives a folder with nothing in it but the marker, which stays locked until the
// file that it returns is closed: a second demonstration would take away what the first
// one stands on.
func emptied(dir string) (*os.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot use the state folder: %w", err)
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, marker)); err != nil {
			return nil, fmt.Errorf("cannot use the state folder %s: it holds something else than a demonstration", dir)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the state folder: %w", err)
	}
	held, err := os.OpenFile(filepath.Join(dir, marker), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot use the state folder: %w", err)
	}
	// The kernel gives the lock back when the process ends, however it ends.
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		held.Close()
		return nil, fmt.Errorf("cannot use the state folder %s: a demonstration runs there; end it first, or name another folder with --state", dir)
	}
	for _, e := range entries {
		if e.Name() == marker {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			held.Close()
			return nil, fmt.Errorf("cannot empty the state folder: %w", err)
		}
	}
	return held, nil
}

type demo struct {
	Env
	settings
	stage     *stage.Stage
	terminals tour.Terminals
	imported  string
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.Stdout, format+"\n", args...) }

func (d *demo) start(ctx context.Context, programs stage.Programs) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	d.say("making %d invented residents of two invented municipalities", d.residents)
	d.stage, err = stage.New(ctx, stage.Options{Programs: programs, Dir: d.state, DSN: d.dsn, Seed: d.seed, Residents: d.residents,
		AsOf:          d.Now().In(population.Japan).Format(time.DateOnly),
		PublicAddress: free(publicAddress), PracticeAddress: free(practiceAddress), RefreshEvery: refreshEvery})
	if err != nil {
		return err
	}
	d.say("loading them by madoguchi-backend import")
	out, err := d.stage.Import(ctx)
	if err != nil {
		return err
	}
	d.imported = string(out)
	d.say("starting the backend and the terminals of a clinic, of an insurer's counter and of a shelter")
	if err := d.stage.StartBackend(ctx); err != nil {
		return err
	}
	if d.terminals, err = tour.Furnish(ctx, d.stage, free(deskAddress), free(trainingAddress)); err != nil {
		return err
	}
	return d.stage.WriteFacts()
}

// free gives the address where nobody listens on it, else one with a port to be chosen.
func free(address string) string {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "127.0.0.1:0"
	}
	l.Close()
	return address
}

func (d *demo) close() error {
	if d.stage == nil {
		return nil
	}
	return d.stage.Close()
}

// ending makes Ctrl-C a good end, whatever it interrupted.
func (d *demo) ending(ctx context.Context, err error) error {
	if ctx.Err() != nil && !d.tour {
		return nil
	}
	return err
}

func (d *demo) walk(ctx context.Context) error {
	g := tour.Guide{Stage: d.stage, Terminals: d.terminals, Imported: d.imported, Rand: d.Rand, Out: d.Stdout}
	_, err := g.Walk(ctx)
	return err
}

// desks says how to come in at each terminal: a code opens one browser, once, for two
// minutes.
func (d *demo) desks(ctx context.Context) error {
	for _, one := range []struct {
		name     string
		terminal *stage.Terminal
	}{{"clinic", d.terminals.Clinic}, {"insurer's counter", d.terminals.Insurer}, {"shelter", d.terminals.Shelter}} {
		address, code, err := one.terminal.Launch(ctx)
		if err != nil {
			return err
		}
		d.say("    %-18s %s   code %s", one.name, address, code)
	}
	d.say("    by itself:         %s open --config %s", d.stage.Programs.Path(stage.Agent), d.terminals.Clinic.Config)
	return nil
}

func (d *demo) welcome(ctx context.Context) error {
	c := d.stage.Cast
	d.say(`
Madoguchi runs. Everybody in it is invented; nothing leaves this machine.

  citizen app     %[1]s/app/
  office console  %[1]s/office
  reception desks (type the code there; choose 受付１ and any PIN of your own; "desk" here gives new codes)`, d.stage.Public.URL())
	if err := d.desks(ctx); err != nil {
		return err
	}
	d.say(`
Try first
  1. citizen app: sign in, choose %[1]s (★ at the top of the list), 証明書, issue one for
     herself and one for her child. As %[2]s or %[3]s the app names the counter to go to.
     As %[4]s, for overseas, with the passport's lines
       %[5]s
       %[6]s
     doses of both towns stand in three codes. Say there that a record is wrong: 山辺 千夏 answers in the office console, 証明書.
  2. reception desk of the clinic: insurer %[7]s, symbol %[8]s, number %[9]s, branch %[10]s, born %[11]s, Enter.
     A practice 資格確認端末 answers. Type "silent" here and record another: it is late, never invalid; "answer" mends it.
     At the insurer's counter the payer behind the backend answers: "cut" and record: it waits as 送信待ち; "restore".
     The old card of somebody who changed jobs: %[12]s, %[13]s, %[14]s, %[15]s, born %[16]s.
     "face" puts %[1]s's card on the face reader. F10 lists the month; the help leads to a desk for practising.`,
		c.Parent.Name, c.Nobody.Name, c.Ambiguous.Name, c.Moved.Name, c.Moved.MRZ[0], c.Moved.MRZ[1],
		c.Insured.InsurerNumber, c.Insured.Symbol, c.Insured.Number, c.Insured.Branch, c.Insured.BirthDate,
		c.Changed.InsurerNumber, or(c.Changed.Symbol, "(none)"), c.Changed.Number, c.Changed.Branch, c.Changed.BirthDate)
	d.say(`  3. office console: sign in as 窓口 文香 (clerk), お知らせ, write to %[1]s and %[2]s, preview, send;
     then look into the citizen app again. As 山辺 千夏 of the other town you do not see it.
  4. office console: as 起草 直 (clerk), 給付, a run of 物価高対応子育て応援手当 for 2026年2月; count, start. In the
     citizen app as %[3]s read why, or refuse. Type "later 22" here: three weeks have gone by. As
     決裁 正敏 make the list, as 審査 律子 approve it.
  5. office console: as 子安 みのり (child officer), こども支援: assess a case and propose an offer; as 見守 宏 approve
     it; answer in the citizen app as %[4]s. What must not be sent waits for 庇護 和 (protector).

Commands: %[5]s. State and logs: %[6]s
`, c.Parent.ResidentRef, c.Single.ResidentRef, c.LastMinute.Name, c.Offered.Name, commands, d.state)
	return nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// stay takes commands until it is time to end.
func (d *demo) stay(ctx context.Context) error {
	lines := make(chan string)
	go func() {
		// Reading a terminal cannot be interrupted; the goroutine ends with the process.
		for scan := bufio.NewScanner(d.Stdin); scan.Scan(); {
			select {
			case lines <- scan.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			d.say("ending")
			return nil
		case p := <-d.stage.Watch():
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("%s ended by itself (%v); its log is in %s", p.Name, p.Err(), filepath.Join(d.state, "logs"))
		case line := <-lines:
			if d.command(ctx, strings.TrimSpace(line)) {
				d.say("ending")
				return nil
			}
		}
	}
}

// commands are what can be typed.
const commands = "cut, restore (the terminals' line) · silent, answer, face (the 資格確認端末) · desk (new codes) · later DAYS (the clock) · quit, or Ctrl-C"

// command does what was typed and tells whether to end.
func (d *demo) command(ctx context.Context, words string) (end bool) {
	if days, ok := strings.CutPrefix(words, "later "); ok {
		d.later(strings.TrimSpace(days))
		return false
	}
	done, err := "", error(nil)
	switch words {
	case "":
		return false
	case "cut":
		d.stage.Line.Cut()
		done = "the terminals' line is cut"
	case "restore":
		done, err = "the terminals' line is whole", d.stage.Line.Restore()
	case "silent":
		done, err = "the practice 資格確認端末 takes questions and says nothing", d.stage.Behave(ctx, oqs.Behaviour{Silent: true})
	case "answer":
		done, err = "the practice 資格確認端末 answers", d.stage.Behave(ctx, oqs.Behaviour{})
	case "face":
		parent := d.stage.Cast.Parent
		done = parent.Name + " was at the face reader"
		err = d.stage.Face(ctx, oqs.Card{Resident: parent.ResidentRef, Municipality: parent.MunicipalityCode})
	case "desk":
		done, err = "each code opens one browser within two minutes", d.desks(ctx)
	case "quit", "exit":
		return true
	default:
		done = "commands: " + commands
	}
	if err != nil {
		done = err.Error()
	}
	d.say("%s", done)
	return false
}

// maxLater bounds one move of the clock, in days.
const maxLater = 3660

// later puts the clock of all programs forward.
func (d *demo) later(days string) {
	n, err := strconv.Atoi(days)
	if err != nil || n < 1 || n > maxLater {
		d.say("later takes whole days, 1 to %d", maxLater)
		return
	}
	if err := d.stage.Clock.Advance(time.Duration(n) * 24 * time.Hour); err != nil {
		d.say("%v", err)
		return
	}
	d.say("it is %s now; officers sign in again", d.stage.Clock.Now().In(population.Japan).Format("2006-01-02 15:04"))
}
