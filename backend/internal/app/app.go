// Package app puts the backend together: its commands, its wiring, and the only
// random source of the program. Its clock comes from the main package.
//
// It promises that a command which fails says what to mend, that check-config names every
// fault at once, and that serve ends with nothing left running.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/shared/settings"
)

// ErrUsage is in the chain of errors about the command line itself.
var ErrUsage = errors.New("see madoguchi-backend --help")

const help = `madoguchi-backend serves citizens, terminals and offices of one cell.

  madoguchi-backend serve        [--config FILE]                  serve until a signal
  madoguchi-backend migrate      [--config FILE]                  bring the store's schema up to date
  madoguchi-backend check-config [--config FILE]                  name every fault of the configuration
  madoguchi-backend import       [--config FILE] [--json] PATH…   take in CSV files and FHIR bundles, or a folder of them
  madoguchi-backend terminal code [--config FILE] --office REF [--municipality CODE]
                                                                  print a one-time enrolment code
  madoguchi-backend terminal import-export [--config FILE] FILE|- take in the sealed export of a terminal's queue
  madoguchi-backend keys list     [--config FILE] [--json]        show the keys that sign certificates
  madoguchi-backend keys rotate   [--config FILE] --format shc|hcert|sdjwt|vdsnc [--now]
                                  [--certificate FILE (--key FILE | --key-label NAME)]
                                                                  publish the next key; it signs one cache lifetime later.
                                                                  --now: the key in force is compromised
  madoguchi-backend keys withdraw [--config FILE] ID              take a compromised key out of use at once
  madoguchi-backend backup          [--config FILE] --to FILE [--recipient AGE | --unsealed] [--json]
                                                                  write all of the store to one sealed file, while it serves
  madoguchi-backend backup verify   [--identity FILE] [--json] FILE
                                                                  prove that a backup is whole and can be read
  madoguchi-backend restore         [--config FILE] --from FILE [--identity FILE] [--without-keys]
                                                                  fill an empty store; nothing goes out before reconcile
  madoguchi-backend restore --adopt [--config FILE] [--at RFC3339] [--without-keys]
                                                                  fence a store that came back by other means
  madoguchi-backend restore status  [--config FILE] [--json]      tell what is to be looked at before the fence lifts
  madoguchi-backend restore reconcile [--config FILE] --by NAME [--sent LIST]… [--not-sent LIST]… [--paid FILE] --pushes keep|drop
                                                                  say what was found; with the last open list the fence lifts
  madoguchi-backend benefit evaluate [--programs DIR] FILE|-      decide benefits, JSON Lines in and out

Settings come from the file and from MADOGUCHI_BACKEND_… variables, which win.
COMMAND --help tells the flags of one command.
`

// program is one run of the command line.
type program struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
	rand           io.Reader
}

// Run does what the arguments say, by the clock now, and returns when it is done or ctx ends.
// Asked for a command's help it prints that and does nothing else.
func Run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer, now func() time.Time) error {
	p := &program{getenv: getenv, stdin: os.Stdin, stdout: stdout, stderr: stderr, now: now, rand: rand.Reader}
	if err := p.command(ctx, args); !errors.Is(err, flag.ErrHelp) {
		return err
	}
	return nil
}

func (p *program) command(ctx context.Context, args []string) error {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "serve":
		return p.serve(ctx, args)
	case "migrate":
		return p.migrate(ctx, args)
	case "check-config":
		return p.checkConfig(args)
	case "import":
		return p.importFiles(ctx, args)
	case "backup":
		return p.backup(ctx, args)
	case "restore":
		return p.restore(ctx, args)
	case "terminal", "keys", "benefit":
		return p.group(ctx, name, args)
	case "help", "--help", "-h":
		_, err := io.WriteString(p.stdout, help)
		return err
	}
	return fmt.Errorf("cannot tell what to do: name a command: %w", ErrUsage)
}

// group runs a command of two words.
func (p *program) group(ctx context.Context, name string, args []string) error {
	switch {
	case len(args) > 0 && asksForHelp(args[0]):
		p.usage(name, nil)
		return nil
	case name == "terminal":
		return p.terminal(ctx, args)
	case name == "keys":
		return p.signingKeys(ctx, args)
	}
	return p.benefit(ctx, args)
}

// asksForHelp tells whether a word asks how a command is used.
func asksForHelp(word string) bool { return word == "--help" || word == "-help" || word == "-h" }

// usage prints the lines of help that begin with a command's name, those that go on behind
// them, and the command's flags.
func (p *program) usage(name string, f *flag.FlagSet) {
	within := false
	for line := range strings.Lines(help) {
		if begins := strings.HasPrefix(line, "  madoguchi-backend "); begins || strings.TrimSpace(line) == "" {
			within = begins && strings.HasPrefix(line, "  madoguchi-backend "+name)
		}
		if within {
			io.WriteString(p.stdout, line)
		}
	}
	if f != nil {
		fmt.Fprintln(p.stdout)
		f.SetOutput(p.stdout)
		f.PrintDefaults()
	}
}

// flags reads a command's flags; each command has --config.
func (p *program) flags(name string, args []string, more func(*flag.FlagSet)) (file string, rest []string, err error) {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&file, "config", "", "the TOML file")
	if more != nil {
		more(f)
	}
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		p.usage(name, f)
		return "", nil, err
	} else if err != nil {
		return "", nil, fmt.Errorf("cannot read the flags of %s: %w", name, ErrUsage)
	}
	return file, f.Args(), nil
}

// load reads the settings and tells every fault at once.
func (p *program) load(file string, validate func(config.Config) error) (config.Config, error) {
	c, err := config.Load(file, p.getenv)
	faults := settings.Faults(err, validate(c))
	if len(faults) > 0 {
		return c, errors.New("cannot use the configuration:\n  " + strings.Join(faults, "\n  "))
	}
	return c, nil
}

func (p *program) storeConfig(c config.Config) store.Config {
	return store.Config{DSN: c.Store.DSN, Migrate: c.Store.Migrate, Now: p.now, Rand: p.rand}
}

func (p *program) checkConfig(args []string) error {
	file, rest, err := p.flags("check-config", args, nil)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("check-config takes no arguments: %w", ErrUsage)
	}
	if _, err := p.load(file, checkConfig); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, "the configuration is in order")
	return err
}

func (p *program) migrate(ctx context.Context, args []string) error {
	file, _, err := p.flags("migrate", args, nil)
	if err != nil {
		return err
	}
	c, err := p.load(file, config.Config.ValidateData)
	if err != nil {
		return err
	}
	applied, err := store.Migrate(ctx, p.storeConfig(c))
	for _, name := range applied {
		fmt.Fprintln(p.stdout, "applied", name)
	}
	if err == nil && len(applied) == 0 {
		fmt.Fprintln(p.stdout, "the schema was up to date")
	}
	return err
}
