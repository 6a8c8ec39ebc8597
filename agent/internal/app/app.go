// Package app is the agent as a value: its commands, and how its parts are wired.
//
// A test builds the same program that main runs, with another World.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	cardreader "madoguchi.example/agent/internal/card/command"
	"madoguchi.example/agent/internal/config"
	doctorcommand "madoguchi.example/agent/internal/doctor/command"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/settings"
)

// World is everything outside the program that it may touch.
type World struct {
	Getenv  func(string) string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Now     func() time.Time
	Rand    io.Reader
	Version string
}

// Exit codes. Verify uses ExitFailed for every outcome but valid.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// command is one of the agent's verbs.
type command struct {
	name, usage, help string
	run               func(ctx context.Context, w World, args []string) error
}

func commands() []command {
	return []command{
		{"run", "run [--config FILE]", "serve the reception desk and sync with the backend", runAgent},
		{"open", "open [--config FILE] [--print] [--browser PROGRAM] [--reset-pin OPERATOR]", "open the running agent's desk in the browser; --print gives the address and a one-time code instead", openDesk},
		{"enroll", "enroll [--config FILE] --code CODE [--backend URL]", "make this terminal's keys and enrol it with a one-time code", enroll},
		{"verify", "verify [--config FILE] [--trust DIR] [--at RFC3339] [--json] [--fetch [--passcode CODE]] FILE|-", "verify a certificate without a network (--fetch follows a SMART Health Link); exit 0 only when it is valid", verifyCertificate},
		{"card", cardreader.Usage, cardreader.Help, readCard},
		{"practice", practiceUsage, "open a desk for practising with invented people, apart from any terminal", practise},
		{"doctor", doctorcommand.Usage, doctorcommand.Help, examine},
		{"queue", queueUsage, queueHelp, queueCommand},
		{"uninstall", uninstallUsage, uninstallHelp, uninstall},
		{"check-config", "check-config [--config FILE]", "print every fault of the configuration at once", checkConfig},
		{"version", "version", "print the version", printVersion},
	}
}

// Main runs the command that args name and gives the exit code. Errors are printed to
// w.Stderr, one a line.
func Main(ctx context.Context, args []string, w World) int {
	if len(args) == 0 || args[0] == "--help" || args[0] == "-h" || args[0] == "help" {
		printUsage(w.Stdout)
		return ExitOK
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		err := c.run(ctx, w, args[1:])
		return exitCode(w, c, err)
	}
	fmt.Fprintf(w.Stderr, "madoguchi-agent: there is no such command; try --help\n")
	return ExitUsage
}

func printUsage(out io.Writer) {
	fmt.Fprintln(out, "madoguchi-agent keeps a counter working while the network is out.")
	fmt.Fprintln(out)
	for _, c := range commands() {
		fmt.Fprintf(out, "  %s\n        %s\n", c.usage, c.help)
	}
	fmt.Fprintf(out, "\nEvery key of the configuration can be set in the environment, %s_DESK_LISTEN for [desk] listen.\n", config.Prefix)
}

// errUsage marks errors of how a command was called.
var errUsage = errors.New("usage")

// errSaid and errSaidUsage mark failures that the command has already told in its own words.
var (
	errSaid      = errors.New("already said")
	errSaidUsage = errors.New("already said: usage")
)

// saidCode is errSaid with an exit code of the command's own.
type saidCode int

func (c saidCode) Error() string { return errSaid.Error() }

func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}

func exitCode(w World, c command, err error) int {
	if code, own := errors.AsType[saidCode](err); own {
		return int(code)
	}
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(w.Stdout, "madoguchi-agent %s\n        %s\n", c.usage, c.help)
		return ExitOK
	case errors.Is(err, errSaid):
		return ExitFailed
	case errors.Is(err, errSaidUsage):
		return ExitUsage
	case errors.Is(err, errUsage):
		fmt.Fprintf(w.Stderr, "madoguchi-agent: %v\nusage: madoguchi-agent %s\n", err, c.usage)
		return ExitUsage
	}
	for _, line := range settings.Faults(err) {
		fmt.Fprintf(w.Stderr, "madoguchi-agent: %s\n", line)
	}
	return ExitFailed
}

// flags makes a flag set that prints nothing by itself and knows --config.
func flags(name string) (*flag.FlagSet, *string) {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	return set, set.String("config", "", "configuration file (TOML)")
}

func parse(set *flag.FlagSet, args []string) error {
	if err := set.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return usage("%v", err)
	}
	return nil
}

// load reads the configuration; without a file the defaults and the environment count.
func load(w World, path string) (config.Config, error) {
	var text []byte
	if path != "" {
		var err error
		text, err = readBounded("configuration", path, settings.MaxBytes)
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w: run this as the agent's own user", err)
		}
		if err != nil {
			return config.Config{}, err
		}
	}
	return config.Load(text, w.Getenv)
}

func readBounded(what, path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the %s: %w", what, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the %s: %w", what, err)
	}
	if int64(len(text)) > limit {
		return nil, fault.At(fault.TooLarge, what+" file", "is larger than %d bytes", limit)
	}
	return text, nil
}

func checkConfig(_ context.Context, w World, args []string) error {
	set, path := flags("check-config")
	if err := parse(set, args); err != nil {
		return err
	}
	if _, err := load(w, *path); err != nil {
		return err
	}
	fmt.Fprintln(w.Stdout, "the configuration holds no fault")
	return nil
}

func printVersion(_ context.Context, w World, _ []string) error {
	_, err := fmt.Fprintln(w.Stdout, w.Version)
	return err
}
