// Package command is `madoguchi-agent doctor`: what keeps this terminal from its work, and the
// mend. A running agent is asked, since it knows most; where none runs, the terminal's folder,
// its devices and its line are looked at from outside.
//
// With --json it prints one JSON array of findings, in the order of package doctor:
//
//	[{"part":"clock","ok":false,"code":14,"fault":"set_back","args":["61"],
//	  "said":{"ja":"…","ja-easy":"…","en":"…"},"mend":{"ja":"…","ja-easy":"…","en":"…"}}]
//
// fault is "" where ok is true; hint is then a word for something worth knowing. since is
// there where it is known. A part of which several things were found is there several times,
// the worst first: whether it is well is said by its first. It ends with the code of the first part that is not well; package
// doctor lists them.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/pcsc"
	"madoguchi.example/agent/internal/config"
	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/oqsfolder"
	"madoguchi.example/agent/internal/scanner/device"
	"madoguchi.example/agent/internal/scanner/evdev"
	"madoguchi.example/agent/internal/scanner/keys"
	"madoguchi.example/agent/internal/scanner/serial"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
	"madoguchi.example/shared/oqs"
)

// Usage is the command's line of help.
const Usage = "doctor [--config FILE] [--json] [--lang ja|ja-easy|en]"

// Help says what the command is for, in one line.
const Help = "name what keeps this terminal from its work, and the mend; exit 0 well, 10 to 21 by part"

// Act is what a running agent is asked for over its control socket. It answers with what
// doctor.Examine gives.
const Act = "doctor"

// askWait is how long a running agent may take to examine itself.
const askWait = doctor.DefaultPatience + 3*time.Second

// Env is what the command works with.
type Env struct {
	Args           []string // behind "doctor"
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Now            func() time.Time
	Rand           io.Reader
	// Load reads the configuration; path is the value of --config.
	Load func(path string) (config.Config, error)
	// Transport reaches the backend.
	Transport func(config.Backend) (http.RoundTripper, error)
	// Readers reaches the machine's card readers; nil: package pcsc.
	Readers func(pcsc.Options) card.Readers
}

// request is what the arguments ask for.
type request struct {
	config, lang string
	json         bool
}

func parse(args []string, getenv func(string) string) (request, error) {
	ask := request{lang: string(notice.English)}
	if locale := getenv("LC_ALL") + getenv("LANG"); strings.HasPrefix(locale, "ja") {
		ask.lang = string(notice.Japanese)
	}
	set := flag.NewFlagSet("doctor", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&ask.config, "config", "", "")
	set.StringVar(&ask.lang, "lang", ask.lang, "")
	set.BoolVar(&ask.json, "json", false, "")
	if err := set.Parse(args); err != nil {
		return ask, err
	}
	if set.NArg() > 0 {
		return ask, errors.New("it takes no further words")
	}
	if doctor.Catalogue(ask.lang) == nil {
		return ask, errors.New("--lang is ja, ja-easy or en")
	}
	return ask, nil
}

// Run carries the command out and gives its exit code.
func Run(ctx context.Context, e Env) int {
	ask, err := parse(e.Args, e.Getenv)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(e.Stdout, "usage: madoguchi-agent %s\n\n%s\n", Usage, Help)
		return doctor.ExitWell
	}
	if err != nil {
		fmt.Fprintf(e.Stderr, "madoguchi-agent doctor: %v\nusage: madoguchi-agent %s\n", err, Usage)
		return doctor.ExitUsage
	}
	findings, err := e.examine(ctx, ask)
	if err == nil {
		err = print(e.Stdout, findings, ask)
	}
	if err != nil {
		fmt.Fprintf(e.Stderr, "madoguchi-agent doctor: %v\n", err)
		return doctor.ExitFailed
	}
	return doctor.ExitCode(findings)
}

// examine asks the running agent, or looks by itself where there is none.
func (e Env) examine(ctx context.Context, ask request) ([]doctor.Finding, error) {
	c, faults := e.Load(ask.config)
	if faults != nil {
		return doctor.Examine(ctx, doctor.Parts{Now: e.Now, Configuration: func() error { return faults }}), nil
	}
	socket := c.Desk.Control
	if socket == "" {
		socket = filepath.Join(c.StateDir, control.SocketName)
	}
	asking, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	var findings []doctor.Finding
	err := control.Call(asking, socket, Act, nil, &findings)
	switch {
	case err == nil:
		return findings, nil
	case fault.CodeOf(err) == fault.Unavailable:
		parts, err := e.alone(c)
		if err != nil {
			return doctor.Examine(ctx, doctor.Parts{Now: e.Now, Configuration: func() error { return err }}), nil
		}
		return doctor.Examine(ctx, parts), nil
	}
	return nil, err
}

// alone gives the parts that can be looked at without a running agent.
func (e Env) alone(c config.Config) (doctor.Parts, error) {
	transport, err := e.Transport(c.Backend)
	if err != nil {
		return doctor.Parts{}, err
	}
	m := doctor.Machine{
		StateDir: c.StateDir, Backend: c.Backend.URL, Transport: transport, Timeout: c.Backend.Timeout, Now: e.Now, Rand: e.Rand,
		Reader: c.Card.Reader,
		Devices: []*device.Loop{
			serial.New(serial.Config{Port: c.Scanner.Serial, Baud: c.Scanner.Baud, Now: e.Now}),
			evdev.New(evdev.Config{Device: c.Scanner.Evdev, Layout: keys.Layout(c.Scanner.Layout), Now: e.Now}),
		},
	}
	if c.Card.Enabled {
		o := pcsc.Options{Socket: pcsc.Socket(c.Card.Socket, e.Getenv)}
		if m.Readers = card.Readers(pcsc.New(o)); e.Readers != nil {
			m.Readers = e.Readers(o)
		}
	}
	parts := m.Parts()
	parts.Configuration = func() error { return nil }
	if c.OQS.Used() {
		exchange := oqsfolder.New(oqsfolder.Config{
			ReqDir: c.OQS.RequestDir, ResDir: c.OQS.ResultDir, FaceDir: c.OQS.FaceDir, Encoding: oqs.Encoding(c.OQS.Encoding),
			Now: e.Now, Rand: e.Rand, Log: slog.New(slog.DiscardHandler),
		})
		parts.Folder = exchange.Probe
	}
	return parts, nil
}

func print(out io.Writer, findings []doctor.Finding, ask request) error {
	if ask.json {
		text := json.NewEncoder(out)
		text.SetEscapeHTML(false)
		text.SetIndent("", "  ")
		return text.Encode(findings)
	}
	for _, f := range findings {
		mark := "ok  "
		switch {
		case !f.OK():
			mark = fmt.Sprintf("%-4d", f.Code())
		case f.Hint != "":
			mark = "note"
		}
		line := fmt.Sprintf("%s %s: %s\n", mark, doctor.Plain(f.Part.Name(ask.lang)), doctor.Plain(f.Said(ask.lang)))
		if mend := f.Mend(ask.lang); mend != "" {
			line += "     → " + doctor.Plain(mend) + "\n"
		}
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
	return nil
}
