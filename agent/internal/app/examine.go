package app

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"sync"
	"time"

	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/agent/internal/config"
	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/doctor"
	doctorcommand "madoguchi.example/agent/internal/doctor/command"
	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/agent/internal/vault/tpm"
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
			return doctor.Store{Stats: a.queue.Stats(), Lost: d.Rows, PutAside: d.Files, Closed: d.Closed, Stronger: a.stronger()}, nil
		},
		Disk:    a.room,
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

// room is what the disk has left, and what compaction would take of it.
func (a *agent) room() (doctor.Space, error) {
	s, err := doctor.Room(a.config.StateDir)()
	if _, used := a.vault.Usage(); used > 0 {
		s.Copy = uint64(used)
	}
	return s, err
}

// tpmTrial bounds how long a TPM is looked for.
const tpmTrial = 2 * time.Second

// lookForTPM gives the class of the machine's TPM where it is there and another key source is
// in use; "" else. It asks once: a TPM does not come and go.
func (a *agent) lookForTPM() func() string {
	return sync.OnceValue(func() string {
		ctx, cancel := context.WithTimeout(context.Background(), tpmTrial)
		defer cancel()
		if a.vault.Class() == vault.TPM2 || !tpm.Reachable(ctx, cmp.Or(a.config.Vault.TPM, tpm.DefaultDevice)) {
			return ""
		}
		return string(vault.TPM2)
	})
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
