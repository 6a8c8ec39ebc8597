package app

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"

	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/agent/internal/config"
	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/doctor"
	doctorcommand "madoguchi.example/agent/internal/doctor/command"
	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/scanner"
)

// statusAct is asked for over the control socket and answers with a status.
const statusAct = "status"

// status is how a running agent stands.
type status struct {
	Terminal string      `json:"terminal"`
	Version  string      `json:"version"`
	Address  string      `json:"address"`
	Practice string      `json:"practice,omitempty"` // where the desk for practising is
	LineUp   bool        `json:"line_up"`
	Queue    queue.Stats `json:"queue"`
}

// acts are what a running agent does for programs of its own user.
func (a *agent) allActs(listens string) map[string]control.Act {
	acts := a.door.Acts(func() string { return "http://" + listens })
	acts[statusAct] = func(context.Context, control.Peer, json.RawMessage) (any, error) {
		return status{
			Terminal: a.terminal.ID(), Version: a.world.Version, Address: listens, Practice: a.practice.address.get(),
			LineUp: a.uplink.Line().Up, Queue: a.queue.Stats(),
		}, nil
	}
	maps.Copy(acts, a.acts.All())
	acts[doctorcommand.Act] = func(ctx context.Context, _ control.Peer, _ json.RawMessage) (any, error) {
		return a.rounds.Examine(ctx), nil
	}
	return acts
}

// parts are how a running agent's are asked.
func (a *agent) parts() doctor.Parts {
	p := doctor.Parts{
		Now:           a.world.Now,
		Configuration: func() error { return nil }, // it runs by it
		Enrolment:     func(context.Context) error { return nil },
		Line:          a.uplink.Line,
		Store: func(context.Context) (doctor.Store, error) {
			d := a.damage()
			return doctor.Store{Stats: a.queue.Stats(), Lost: d.Files + d.Rows}, nil
		},
		Disk:    doctor.Room(a.config.StateDir),
		Backend: a.probe.Reach,
		Clock: func(context.Context) doctor.Time {
			return doctor.Time{Reading: a.floor.Read(), Skew: a.probe.Skew()}
		},
		Trust:     a.terminal.Trust,
		Operators: func(context.Context) ([]operator.Operator, error) { return a.operators.All(), nil },
	}
	if cards := a.beside.cards; cards != nil {
		p.Card = func(context.Context) counter.Status { return cards.Status() }
	}
	for _, s := range a.beside.scanners {
		p.Scanners = append(p.Scanners, func(context.Context) scanner.Health { return s.Health() })
	}
	if a.beside.folder != nil {
		p.Folder = a.beside.folder.Probe
	}
	return p
}

// examine hands over to doctor/command, whose exit codes are a contract of their own.
func examine(ctx context.Context, w World, args []string) error {
	code := doctorcommand.Run(ctx, doctorcommand.Env{
		Args: args, Stdout: w.Stdout, Stderr: w.Stderr, Getenv: w.Getenv, Now: w.Now, Rand: w.Rand,
		Load:      func(path string) (config.Config, error) { return load(w, path) },
		Transport: func(b config.Backend) (http.RoundTripper, error) { return transport(b) },
	})
	if code == doctor.ExitWell {
		return nil
	}
	return saidCode(code)
}
