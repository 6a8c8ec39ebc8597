// Package program is madoguchi-practice as a value: its subcommands, flags and lifetime.
//
// It promises to listen on loopback alone, to say where it listens in one JSON line
// {"msg":"listening","address":…} and in the file "address" of the state folder, and to
// end within five seconds of its context.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"madoguchi.example/deploy/practice/card"
	"madoguchi.example/deploy/practice/fcm"
	"madoguchi.example/deploy/practice/loopback"
	"madoguchi.example/deploy/practice/oidc"
	"madoguchi.example/deploy/practice/people"
)

// Env is what the program takes from outside.
type Env struct {
	Args   []string // without the program's name
	Getenv func(string) string
	Stdout io.Writer
	Stderr io.Writer
	Now    func() time.Time
	Rand   io.Reader
}

// Usage is what --help prints.
const Usage = `madoguchi-practice: loopback-only stand-ins of partners, for practice and tests

  madoguchi-practice serve [--config FILE] [--listen ADDRESS] [--state-dir DIR] [--people FILE]
      an OpenID provider shaped like デジタル認証アプリ, and FCM HTTP v1; where the
      configuration names them, a 資格確認端末 in a folder and an insurer's FHIR server
  madoguchi-practice check-config [--config FILE]
      prints every fault of the configuration
  madoguchi-practice population --help
` + card.Usage + oqsUsage

// Run runs one subcommand until it is done or ctx ends.
func Run(ctx context.Context, env Env) error {
	if len(env.Args) == 0 {
		fmt.Fprint(env.Stderr, Usage)
		return errors.New("a subcommand is needed")
	}
	switch env.Args[0] {
	case "serve":
		return serve(ctx, env, env.Args[1:])
	case "check-config":
		return checkConfig(env, env.Args[1:])
	case "card":
		return card.Command(ctx, env.Args[1:], env.Stderr, env.Now, env.Rand)
	case "oqs":
		return oqsCommand(ctx, env, env.Args[1:])
	case "help", "-h", "--help":
		fmt.Fprint(env.Stdout, Usage)
		return nil
	}
	fmt.Fprint(env.Stderr, Usage)
	return errors.New("there is no such subcommand")
}

func loadConfig(env Env, name string, args []string) (Config, error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(env.Stderr)
	file := flags.String("config", "", "TOML file")
	listen := flags.String("listen", "", "loopback address to listen on")
	state := flags.String("state-dir", "", "folder for the bound address")
	who := flags.String("people", "", "practice-people.json")
	if err := flags.Parse(args); err != nil {
		return Config{}, err
	}
	if flags.NArg() > 0 {
		return Config{}, errors.New("there are arguments too many")
	}
	var raw []byte
	if *file != "" {
		var err error
		if raw, err = readFile(*file); err != nil {
			return Config{}, fmt.Errorf("cannot read the configuration: %w", err)
		}
	}
	c, err := ParseConfig(raw, env.Getenv)
	for flagged, into := range map[*string]*string{listen: &c.Listen, state: &c.StateDir, who: &c.PeopleFile} {
		if *flagged != "" {
			*into = *flagged
		}
	}
	return c, err
}

func checkConfig(env Env, args []string) error {
	c, err := loadConfig(env, "check-config", args)
	_, clientsErr := c.clients()
	_, partnersErr := c.partners(env, c.Listen)
	if err := errors.Join(err, clientsErr, partnersErr); err != nil {
		return err
	}
	fmt.Fprintln(env.Stdout, "the configuration is in order")
	return nil
}

func serve(ctx context.Context, env Env, args []string) error {
	c, err := loadConfig(env, "serve", args)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(env.Stderr, nil))
	l, err := loopback.Listen(c.Listen)
	if err != nil {
		return err
	}
	defer l.Close()
	with, err := c.partners(env, l.Addr().String())
	if err != nil {
		return err
	}
	handler, err := handler(env, c, l.Addr().String(), with)
	if err != nil {
		return err
	}
	if err := tellAddress(log, c.StateDir, l.Addr().String()); err != nil {
		return err
	}
	defer with.start(ctx, log)()
	return serveUntil(ctx, l, handler)
}

func handler(env Env, c Config, address string, with partners) (http.Handler, error) {
	clients, err := c.clients()
	if err != nil {
		return nil, err
	}
	var who []people.Person
	if c.PeopleFile != "" {
		if who, err = people.Load(c.PeopleFile); err != nil {
			return nil, err
		}
	}
	provider, err := oidc.New(oidc.Config{Issuer: "http://" + address + oidc.Path, Clients: clients,
		People: who, Now: env.Now, Rand: env.Rand})
	if err != nil {
		return nil, fmt.Errorf("cannot start the practice provider: %w", err)
	}
	push, err := fcm.New(fcm.Config{Project: c.FCM.Project, RequireBearer: c.FCM.RequireBearer, Now: env.Now, Rand: env.Rand})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(oidc.Path+"/", provider.Handler())
	mux.Handle("/v1/", push.Handler())
	mux.Handle("/practice/fcm/", push.Handler())
	with.mount(mux)
	return loopback.Guard(mux), nil
}

func tellAddress(log *slog.Logger, stateDir, address string) error {
	if stateDir != "" {
		if err := os.MkdirAll(stateDir, 0o700); err != nil {
			return fmt.Errorf("cannot make the state folder: %w", err)
		}
		if err := os.WriteFile(filepath.Join(stateDir, "address"), []byte(address+"\n"), 0o600); err != nil {
			return fmt.Errorf("cannot write the address: %w", err)
		}
	}
	log.Info("listening", "address", address)
	return nil
}

func serveUntil(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("cannot serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return fmt.Errorf("cannot end in time: %w", err)
	}
	return nil
}
