package app

import (
	"context"

	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/shared/trust"
)

// verifyCertificate hands over to inspect, whose exit codes are a contract of their own.
func verifyCertificate(ctx context.Context, w World, args []string) error {
	code := inspect.Command{
		Stdin: w.Stdin, Stdout: w.Stdout, Stderr: w.Stderr, Now: w.Now,
		Snapshot: func(ctx context.Context, config string) (trust.Snapshot, error) {
			c, err := load(w, config)
			if err != nil {
				return trust.Snapshot{}, err
			}
			t, err := loadTerminal(c, w, nil)
			if err != nil {
				return trust.Snapshot{}, err
			}
			return t.Trust(ctx)
		},
	}.Run(ctx, args)
	switch code {
	case inspect.ExitValid:
		return nil
	case inspect.ExitUsage:
		return errSaidUsage
	default:
		return errSaid
	}
}
