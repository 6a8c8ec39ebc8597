package program

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"madoguchi.example/deploy/practice/coverage"
	"madoguchi.example/deploy/practice/fhirpayer"
	"madoguchi.example/deploy/practice/loopback"
	"madoguchi.example/deploy/practice/oqs"
)

// OQSConfig is the practice 資格確認端末's. Without a Dir there is none.
type OQSConfig struct {
	Dir         string        `toml:"dir"`         // gets req, res, face and trash
	People      string        `toml:"people"`      // a folder with residents.csv and coverage.csv
	Institution string        `toml:"institution"` // 医療機関コード, 10 digits
	Encoding    oqs.Encoding  `toml:"encoding"`    // utf-8 or shift_jis
	Behaviour   oqs.Behaviour `toml:"behaviour"`   // at the start
}

// FHIRConfig is the practice insurer's FHIR server. Without People there is none.
type FHIRConfig struct {
	People    string              `toml:"people"`    // a folder with residents.csv and coverage.csv
	ClientID  string              `toml:"client_id"` // with KeyFile: only this client's tokens are taken
	KeyFile   string              `toml:"key_file"`  // a JWKS or a PEM file with the client's public key
	Behaviour fhirpayer.Behaviour `toml:"behaviour"` // at the start
}

// partners are the stand-ins that only some configurations have.
type partners struct {
	terminal *oqs.Terminal
	insurer  *fhirpayer.Server
}

func (c Config) partners(env Env, address string) (partners, error) {
	var p partners
	var faults []error
	if c.OQS.Dir != "" {
		t, err := c.OQS.terminal(env)
		if err != nil {
			faults = append(faults, fmt.Errorf("oqs: %w", err))
		}
		p.terminal = t
	}
	if c.FHIR.People != "" {
		s, err := c.FHIR.server(env, address)
		if err != nil {
			faults = append(faults, fmt.Errorf("fhir: %w", err))
		}
		p.insurer = s
	}
	return p, errors.Join(faults...)
}

func (c OQSConfig) terminal(env Env) (*oqs.Terminal, error) {
	register, err := coverage.Load(c.People)
	if err != nil {
		return nil, err
	}
	t, err := oqs.New(oqs.Config{Dir: c.Dir, Register: register, Institution: c.Institution, Encoding: c.Encoding, Now: env.Now,
		Log: slog.New(slog.NewJSONHandler(env.Stderr, nil))})
	if err != nil {
		return nil, err
	}
	return t, t.Set(c.Behaviour)
}

func (c FHIRConfig) server(env Env, address string) (*fhirpayer.Server, error) {
	register, err := coverage.Load(c.People)
	if err != nil {
		return nil, err
	}
	with := fhirpayer.Config{Register: register, Now: env.Now, Rand: env.Rand}
	if c.ClientID != "" || c.KeyFile != "" {
		raw, err := readFile(c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("key_file: %w", err)
		}
		keys, err := ParseKeys(raw)
		if err != nil {
			return nil, fmt.Errorf("key_file: %w", err)
		}
		with.Client = &fhirpayer.Client{ID: c.ClientID, Audience: "http://" + address + fhirpayer.TokenPath, Keys: keys}
	}
	s, err := fhirpayer.New(with)
	if err != nil {
		return nil, err
	}
	return s, s.Set(c.Behaviour)
}

func (p partners) mount(mux *http.ServeMux) {
	if p.terminal != nil {
		mux.Handle(oqs.Path+"/", p.terminal.Handler())
	}
	if p.insurer != nil {
		mux.Handle(fhirpayer.Path+"/", p.insurer.Handler())
	}
}

// start runs what works by itself until stop is called, which waits for its end.
func (p partners) start(ctx context.Context, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	if p.terminal != nil {
		all.Go(func() {
			if err := p.terminal.Run(ctx); err != nil {
				log.Error("the practice 資格確認端末 ended", "error", err.Error())
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

const oqsUsage = `  madoguchi-practice oqs --dir DIR --people DIR --institution CODE [--encoding utf-8|shift_jis]
                         [--listen ADDRESS] [--state-dir DIR]
      a 資格確認端末 in a folder (req, res, face), with its control on loopback:
      GET /practice/oqs/state, GET and PUT /practice/oqs/behaviour, POST /practice/oqs/face
`

// oqsCommand runs a 資格確認端末 alone, until ctx ends.
func oqsCommand(ctx context.Context, env Env, args []string) error {
	var c OQSConfig
	flags := flag.NewFlagSet("oqs", flag.ContinueOnError)
	flags.SetOutput(env.Stderr)
	flags.StringVar(&c.Dir, "dir", "", "folder of the exchange")
	flags.StringVar(&c.People, "people", "", "folder with residents.csv and coverage.csv")
	flags.StringVar(&c.Institution, "institution", "", "医療機関コード, 10 digits")
	encoding := flags.String("encoding", "", "of answers: utf-8 or shift_jis")
	listen := flags.String("listen", "127.0.0.1:0", "loopback address of the control")
	state := flags.String("state-dir", "", "folder for the bound address")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || c.Dir == "" || c.People == "" {
		return errors.New("--dir, --people and --institution are needed, and nothing else")
	}
	c.Encoding = cmp.Or(oqs.Encoding(*encoding), oqs.UTF8)
	t, err := c.terminal(env)
	if err != nil {
		return err
	}
	l, err := loopback.Listen(*listen)
	if err != nil {
		return err
	}
	defer l.Close()
	log := slog.New(slog.NewJSONHandler(env.Stderr, nil))
	if err := tellAddress(log, *state, l.Addr().String()); err != nil {
		return err
	}
	p := partners{terminal: t}
	mux := http.NewServeMux()
	p.mount(mux)
	defer p.start(ctx, log)()
	return serveUntil(ctx, l, loopback.Guard(mux))
}
