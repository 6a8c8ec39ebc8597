package inspect

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shlink"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/trust"
)

// Exit codes of the command.
const (
	ExitValid = 0
	ExitOther = 1 // any outcome but valid
	ExitUsage = 2 // wrong arguments, or something that cannot be read at all
)

// maxPasscodeLine bounds what is read for a passcode, in bytes.
const maxPasscodeLine = 1 << 10

// Usage is the command's line of help.
const Usage = "usage: madoguchi-agent verify [--config FILE] [--trust DIR] [--at RFC3339] [--json] [--fetch [--passcode CODE]] FILE|-"

// help stands behind Usage.
const help = `
FILE is the text of a QR code (the parts of a split one a line each), a card file, a document,
a link, or a picture; - is the standard input.

  --trust DIR      whom to believe: a folder with shc/*.json, hcert/*.pem, hcert/revocation.json,
                   vdsnc/*.pem, vdsnc/*.crl, sdjwt/*.json and snapshot.json, as
                   docs/certificates.md tells; without it, this terminal's own snapshot
  --at RFC3339     the time to judge at; without it, now
  --json           {"format","outcome","findings":[],"certificate":{…}} instead of a sentence
  --fetch          follow a SMART Health Link over the network; nothing else opens a connection
  --passcode CODE  the link's passcode
  --config FILE    the agent's configuration

Ends with 0 when valid, 1 at any other outcome, 2 where there was nothing to judge.
`

// Command is `madoguchi-agent verify`.
type Command struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Now            func() time.Time
	// Snapshot gives the terminal's own snapshot, asked for without --trust. Config is
	// the value of --config, "" where it was not given.
	Snapshot func(ctx context.Context, config string) (trust.Snapshot, error)
	// Links gives what follows links, asked for with --fetch and only then.
	Links func(config string) (Fetcher, error)
}

// request is what the arguments ask for.
type request struct {
	config, trust, at, file, passcode string
	json, fetch                       bool
}

// Run carries the command out with the arguments behind "verify" and gives its exit code.
// Asked for help it prints that, and judges nothing.
func (c Command) Run(ctx context.Context, args []string) int {
	v, asJSON, err := c.verdict(ctx, args)
	if errors.Is(err, flag.ErrHelp) {
		if _, err := io.WriteString(c.Stdout, Usage+"\n"+help); err != nil {
			return ExitUsage
		}
		return ExitValid
	}
	if err != nil {
		fmt.Fprintf(c.Stderr, "madoguchi-agent verify: %v\n", err)
		return ExitUsage
	}
	line := []byte(verify.Sentence(v) + "\n")
	if asJSON {
		if line, err = verify.JSON(v); err != nil {
			fmt.Fprintf(c.Stderr, "madoguchi-agent verify: %v\n", err)
			return ExitUsage
		}
	}
	if _, err := c.Stdout.Write(line); err != nil {
		return ExitUsage
	}
	if v.Outcome != cert.Valid {
		return ExitOther
	}
	return ExitValid
}

func (c Command) verdict(ctx context.Context, args []string) (cert.Verdict, bool, error) {
	ask, err := parse(args)
	if err != nil {
		return cert.Verdict{}, false, err
	}
	content, err := c.read(ask.file)
	if err != nil {
		return cert.Verdict{}, false, err
	}
	snap, err := c.snapshot(ctx, ask)
	if err != nil {
		return cert.Verdict{}, false, err
	}
	for _, note := range snap.Notes() {
		fmt.Fprintf(c.Stderr, "madoguchi-agent verify: left out of the trust list: %s: %s\n", note.Place, note.Reason)
	}
	clock, err := c.clock(ask, snap)
	if err != nil {
		return cert.Verdict{}, false, err
	}
	if ask.fetch {
		v, err := c.follow(ctx, ask, content, snap, clock)
		return v, ask.json, err
	}
	if ask.at != "" {
		return Bytes(content, snap, clock.At), ask.json, nil
	}
	return Now(content, snap, clock), ask.json, nil
}

// clock gives the time to judge at: the one that was named, or the machine's, which is not
// believed where it is behind the time at which the trust list was made.
func (c Command) clock(ask request, snap trust.Snapshot) (clockfloor.Reading, error) {
	if ask.at == "" {
		return clockfloor.Read(c.Now(), snap.AsOf()), nil
	}
	at, err := time.Parse(time.RFC3339, ask.at)
	if err != nil {
		return clockfloor.Reading{}, errors.New("cannot read --at: not a time of RFC 3339, as 2024-06-01T00:00:00Z")
	}
	return clockfloor.Reading{At: at}, nil
}

// follow follows a link, asking for a passcode where one is needed and can be asked for.
func (c Command) follow(ctx context.Context, ask request, content []byte, snap trust.Snapshot, clock clockfloor.Reading) (cert.Verdict, error) {
	links, err := c.Links(ask.config)
	if err != nil {
		return cert.Verdict{}, err
	}
	v := Bytes(content, snap, clock.At)
	if slices.Contains(v.Findings, shlink.Passcode) && ask.passcode == "" && ask.file != "-" {
		fmt.Fprint(c.Stderr, "passcode of the link: ")
		line, err := bufio.NewReader(io.LimitReader(c.Stdin, maxPasscodeLine)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return cert.Verdict{}, fmt.Errorf("cannot read the passcode: %w", err)
		}
		ask.passcode = strings.TrimSpace(line)
	}
	judge := func(at time.Time) cert.Verdict { return Bytes(content, snap, at) }
	if slices.Contains(v.Findings, cert.NeedsNetwork) {
		judge = load(ctx, links, content, ask.passcode, snap, clock.At)
	}
	if ask.at != "" {
		return judge(clock.At), nil
	}
	return timed(clock, judge), nil
}

// parse takes flags before and behind the file.
func parse(args []string) (request, error) {
	var ask request
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&ask.config, "config", "", "")
	flags.StringVar(&ask.trust, "trust", "", "")
	flags.StringVar(&ask.at, "at", "", "")
	flags.BoolVar(&ask.json, "json", false, "")
	flags.BoolVar(&ask.fetch, "fetch", false, "")
	flags.StringVar(&ask.passcode, "passcode", "", "")
	var files []string
	for {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return ask, err
		} else if err != nil {
			return ask, fmt.Errorf("%w\n%s", err, Usage)
		}
		if flags.NArg() == 0 {
			break
		}
		files = append(files, flags.Arg(0))
		args = flags.Args()[1:]
	}
	if len(files) != 1 || (ask.passcode != "" && !ask.fetch) {
		return ask, errors.New(Usage)
	}
	ask.file = files[0]
	return ask, nil
}

func (c Command) read(name string) ([]byte, error) {
	in := c.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("cannot open the file: %w", err)
		}
		defer f.Close()
		in = f
	}
	content, err := io.ReadAll(io.LimitReader(in, MaxInput+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the file: %w", err)
	}
	if len(content) > MaxInput {
		return nil, fmt.Errorf("cannot read the file: larger than %d bytes", MaxInput)
	}
	return content, nil
}

func (c Command) snapshot(ctx context.Context, ask request) (trust.Snapshot, error) {
	if ask.trust != "" {
		return verify.LoadTrust(os.DirFS(ask.trust))
	}
	snap, err := c.Snapshot(ctx, ask.config)
	if err != nil {
		return trust.Snapshot{}, fmt.Errorf("cannot read the terminal's trust list (--trust DIR names another): %w", err)
	}
	return snap, nil
}
