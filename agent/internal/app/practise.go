package app

import (
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"

	"madoguchi.example/agent/internal/config"
	"madoguchi.example/agent/internal/door"
	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/agent/internal/reception"
	"madoguchi.example/agent/internal/rehearsal"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/logmask"
)

// practiceUsage is the command's line of help.
const practiceUsage = "practice [--class clinic|insurer_counter|counter|shelter] [--listen ADDRESS]"

// practice is the desk for practising. It knows nothing of the terminal's vault, queue,
// folders, readers or keys: a clock and randomness are all that it is given.
type practice struct {
	handler http.Handler
	address address
}

// openPractice makes the room of this terminal's class, where one is served.
func (a *agent) openPractice() (err error) {
	if a.config.Desk.PracticeListen == "" {
		return nil
	}
	a.practice.handler, err = room(a.terminal.Class(), a.world, a.log)
	return err
}

// room makes the pages of a room. Everybody in it is the same operator, and its token is the
// room's own.
func room(class profile.Class, w World, log *slog.Logger) (http.Handler, error) {
	log = log.With("desk", "practice")
	r, err := rehearsal.New(rehearsal.Config{Class: class, Office: "練習", Now: w.Now, Rand: w.Rand, Log: log})
	if err != nil {
		return nil, err
	}
	pages, err := reception.New(reception.Config{
		Desk: r.Desk(), Verifier: r.Reader(), Profile: r.Profile, Line: r.Line, Stats: r.Stats,
		Damage: func() reception.Damage { return reception.Damage{} }, Now: w.Now, Rand: w.Rand, Log: log, Practice: r, Cards: r.Cards(),
		PracticeURL: func() string { return "" },
	})
	if err != nil {
		return nil, err
	}
	token := make([]byte, 16)
	if _, err := io.ReadFull(w.Rand, token); err != nil {
		return nil, fmt.Errorf("cannot make the practice desk's token: %w", err)
	}
	return door.Unguarded(pages, door.Visitor{
		Operator: operator.Operator{ID: "op_0", Name: "練習"}, SignedIn: true, CSRF: base64.RawURLEncoding.EncodeToString(token),
	}), nil
}

// practise serves one room and nothing else: no configuration is read and no folder opened.
func practise(ctx context.Context, w World, args []string) error {
	set := flag.NewFlagSet("practice", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	class := set.String("class", string(profile.Clinic), "what the practised terminal may be used for")
	listen := set.String("listen", config.Default().Desk.PracticeListen, "loopback address")
	if err := parse(set, args); err != nil {
		return err
	}
	if set.NArg() > 0 || !profile.Class(*class).Known() {
		return usage("--class is clinic, insurer_counter, counter or shelter")
	}
	if !config.Loopback(*listen) {
		return usage("--listen must be a loopback address with a port")
	}
	log := logmask.New(w.Stderr, slog.LevelInfo)
	handler, err := room(profile.Class(*class), w, log)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("cannot open the desk for practising: %w", err)
	}
	log.Info("listening", "address", ln.Addr().String(), "class", *class, "version", w.Version)
	if _, err := fmt.Fprintf(w.Stdout, "practise at http://%s/\n", ln.Addr()); err != nil {
		return err
	}
	return serveSites(ctx, []site{{ln, patient(handler, callTime)}}, log)
}
