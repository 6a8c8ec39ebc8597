// Package command is `madoguchi-agent card`: what lies in this machine's card readers, and
// with a PIN, who a My Number Card names.
//
//	madoguchi-agent card [--json] [--reader NAME] [--socket PATH] [--watch]
//	madoguchi-agent card --pin-stdin [--json] [--reader NAME] [--socket PATH] [--trust DIR | --config FILE]
//
// The PIN is the first line of the standard input, never an argument, which others on the
// machine could see. Without one nothing is tried. The roots of JPKI come from DIR, laid out
// as docs/certificates.md tells (folder jpki), or are this terminal's own.
//
// With --json it prints one line, whatever happens but a wrong use:
//
//	{"reader":"…","card":"my_number","pin_left":3,
//	 "person":{"name_kanji":"…","address":"…","birth_date":"1980-04-01","sex":"2","proven":true},
//	 "certificate":"good","expires_at":"2030-04-01T14:59:59Z","unproven":"",
//	 "place":"","fault":"","readers":[{"name":"…","state":"present"}]}
//
// reader is where the card lies, or the only reader. card is none, my_number,
// my_number_phone, my_number_no_pin, other or mute. pin_left is the fewer tries of the card's
// two PINs, -1 unknown. person is null where none was read. certificate is good, expired,
// not_yet_valid, untrusted or not_read; expires_at is empty where it was not read. unproven
// says why person.proven is false: skipped, no_certificate, pin_differs, pin_left_low,
// certificate_expired, certificate_not_yet or certificate_untrusted. fault is a word of package card, empty where
// there is none, and place its place: pcscd, reader, card or pin. What lies there without
// being a card that can be read is no fault until a PIN is given. With --watch it prints such
// a line at once and at each change, until it is interrupted.
//
// Exit codes: 0 told, or read; 1 another failure; 2 wrong use; 3 the service that knows the
// readers; 4 the reader; 5 the card; 6 the PIN.
package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/agent/internal/card/pcsc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/trust"
)

// Exit codes.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
	ExitPCSCD  = 3
	ExitReader = 4
	ExitCard   = 5
	ExitPIN    = 6
)

// Usage is the command's line of help.
const Usage = "card [--json] [--reader NAME] [--socket PATH] [--watch | --pin-stdin [--trust DIR] [--config FILE]]"

// Help says what the command is for, in one line.
const Help = "say what lies in the card readers, and who a My Number Card names when its PIN stands on the standard input; exit 3 service, 4 reader, 5 card, 6 PIN"

const (
	maxPINLine = 64               // bytes of the line with the PIN
	lookWait   = 20 * time.Second // for the readers and what lies in them
)

// Env is what the command works with.
type Env struct {
	Args           []string // behind "card"
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Now            func() time.Time
	Rand           io.Reader
	// Snapshot gives the terminal's own trust snapshot, asked for with a PIN and without
	// --trust. Config is the value of --config.
	Snapshot func(ctx context.Context, config string) (trust.Snapshot, error)
	// Readers reaches the machine's readers; nil: package pcsc.
	Readers func(pcsc.Options) card.Readers
}

// nothing is a reading of no card.
var nothing = counter.Reading{PINLeft: -1, Certificate: counter.NotRead}

// request is what the arguments ask for.
type request struct {
	reader, socket, trust, config string
	json, pin, watch              bool
}

// Run carries the command out and gives its exit code.
func Run(ctx context.Context, e Env) int {
	ask, err := parse(e.Args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(e.Stdout, "usage: madoguchi-agent %s\n\n%s\n", Usage, Help)
		return ExitOK
	}
	if err != nil {
		fmt.Fprintf(e.Stderr, "madoguchi-agent card: %v\nusage: madoguchi-agent %s\n", err, Usage)
		return ExitUsage
	}
	if e.Readers == nil {
		e.Readers = func(o pcsc.Options) card.Readers { return pcsc.New(o) }
	}
	readers := e.Readers(pcsc.Options{Socket: pcsc.Socket(ask.socket, e.Getenv)})
	c := counter.Config{Readers: readers, Reader: ask.reader, Now: e.Now, Rand: e.Rand}
	if ask.pin {
		snap, err := e.snapshot(ctx, ask)
		if err != nil {
			fmt.Fprintf(e.Stderr, "madoguchi-agent card: no trust list, so nothing is proven: %v\n", err)
		}
		c.Trust = func() trust.Snapshot { return snap }
	}
	x := counter.New(c)
	if ask.watch {
		return e.watch(ctx, x, ask)
	}
	reading := nothing
	looking, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	if err = x.Look(looking); err == nil {
		reading, err = e.read(ctx, x, ask)
	}
	return e.tell(ask, x.Status(), reading, err)
}

func parse(args []string) (request, error) {
	var ask request
	set := flag.NewFlagSet("card", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.BoolVar(&ask.json, "json", false, "")
	set.BoolVar(&ask.pin, "pin-stdin", false, "")
	set.BoolVar(&ask.watch, "watch", false, "")
	set.StringVar(&ask.reader, "reader", "", "")
	set.StringVar(&ask.socket, "socket", "", "")
	set.StringVar(&ask.trust, "trust", "", "")
	set.StringVar(&ask.config, "config", "", "")
	switch err := set.Parse(args); {
	case err != nil:
		return ask, err
	case set.NArg() > 0:
		return ask, errors.New("there is an argument too many")
	case ask.watch && ask.pin:
		return ask, errors.New("--watch and --pin-stdin do not go together")
	}
	return ask, nil
}

func (e Env) snapshot(ctx context.Context, ask request) (trust.Snapshot, error) {
	if ask.trust != "" {
		return verify.LoadTrust(os.DirFS(ask.trust))
	}
	if e.Snapshot == nil {
		return trust.Snapshot{}, errors.New("this terminal has none")
	}
	return e.Snapshot(ctx, ask.config)
}

// read reads the card where a PIN was given.
func (e Env) read(ctx context.Context, x *counter.Counter, ask request) (counter.Reading, error) {
	if !ask.pin {
		return nothing, nil
	}
	line := make([]byte, maxPINLine)
	defer clear(line)
	n, err := readLine(e.Stdin, line)
	if err != nil {
		return nothing, err
	}
	return x.Read(ctx, line[:n], counter.Proof{})
}

// readLine fills line up to the first line feed and gives how much there is of it without
// the line's end. It reads byte by byte and keeps nothing elsewhere, as it is a PIN.
func readLine(in io.Reader, line []byte) (int, error) {
	for n := range line {
		_, err := io.ReadFull(in, line[n:n+1])
		switch {
		case errors.Is(err, io.EOF), err == nil && line[n] == '\n':
			return len(bytes.TrimSuffix(line[:n], []byte("\r"))), nil
		case err != nil:
			return 0, fmt.Errorf("cannot read the PIN: %w", err)
		}
	}
	return len(line), nil
}

// watch tells each change until ctx ends.
func (e Env) watch(ctx context.Context, x *counter.Counter, ask request) int {
	changed, stop := x.Watch()
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	for {
		select {
		case <-changed:
			if code := e.tell(ask, x.Status(), nothing, nil); code == ExitFailed {
				return code
			}
		case <-ended:
			return ExitOK
		}
	}
}

// told is the line of --json.
type told struct {
	Reader      string       `json:"reader"`
	Card        counter.Kind `json:"card"`
	PINLeft     int          `json:"pin_left"`
	Person      *person      `json:"person"`
	Certificate string       `json:"certificate"`
	ExpiresAt   string       `json:"expires_at"`
	Unproven    string       `json:"unproven"`
	Place       string       `json:"place"`
	Fault       string       `json:"fault"`
	Readers     []reader     `json:"readers"`
}

type person struct {
	NameKanji string `json:"name_kanji"`
	Address   string `json:"address"`
	BirthDate string `json:"birth_date"`
	Sex       string `json:"sex"`
	Proven    bool   `json:"proven"`
}

type reader struct {
	Name  string           `json:"name"`
	State card.ReaderState `json:"state"`
}

// lineOf puts together what is known.
func lineOf(s counter.Status, r counter.Reading, err error) told {
	t := told{Reader: s.Reader, Card: s.Card, PINLeft: s.PINLeft, Certificate: string(r.Certificate), Unproven: string(r.Unproven), Readers: []reader{}}
	if err == nil && r.Person.NameKanji != "" {
		p := r.Person
		t.Person = &person{p.NameKanji, p.Address, p.BirthDate.String(), p.Sex, p.Proven}
	}
	if r.PINLeft >= 0 {
		t.PINLeft = r.PINLeft
	}
	if !r.ExpiresAt.IsZero() {
		t.ExpiresAt = r.ExpiresAt.UTC().Format(time.RFC3339)
	}
	if err == nil && s.Fault != "" {
		err = s.Fault.Fault(nil)
	}
	if word := card.WordOf(err); word != "" {
		t.Fault, t.Place = string(word), word.Place()
	} else if err != nil {
		t.Fault = string(fault.CodeOf(err))
	}
	for _, x := range s.Readers {
		t.Readers = append(t.Readers, reader{x.Name, x.State})
	}
	return t
}

// tell prints what is known and gives the exit code.
func (e Env) tell(ask request, s counter.Status, r counter.Reading, err error) int {
	t := lineOf(s, r, err)
	var text []byte
	if ask.json {
		line, wrong := json.Marshal(t)
		if wrong != nil {
			return ExitFailed
		}
		text = append(line, '\n')
	} else {
		text = []byte(t.words())
	}
	if _, err := e.Stdout.Write(text); err != nil {
		return ExitFailed
	}
	return t.exit()
}

func (t told) exit() int {
	switch {
	case t.Fault == "":
		return ExitOK
	case t.Place == card.PlacePCSCD:
		return ExitPCSCD
	case t.Place == card.PlaceReader:
		return ExitReader
	case t.Place == card.PlaceCard:
		return ExitCard
	case t.Place == card.PlacePIN:
		return ExitPIN
	}
	return ExitFailed
}
