package app

import (
	"context"

	"madoguchi.example/agent/internal/config"
	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/shared/trust"
)

// verifyCertificate hands over to inspect, whose exit codes are a contract of their own.
func verifyCertificate(ctx context.Context, w World, args []string) error {
	code := inspect.Command{
		Stdin: w.Stdin, Stdout: w.Stdout, Stderr: w.Stderr, Now: w.Now,
		Snapshot: func(ctx context.Context, path string) (trust.Snapshot, error) {
			c, err := load(w, path)
			if err != nil {
				return trust.Snapshot{}, err
			}
			t, err := loadTerminal(c, w, nil, nil)
			if err != nil {
				return trust.Snapshot{}, err
			}
			return t.Trust(ctx)
		},
		Links: func(path string) (inspect.Fetcher, error) {
			c, err := load(w, path)
			if err != nil {
				return nil, err
			}
			return links(c.Links, w, func() string { return officeName(c, w) }), nil
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

// officeName is the name of the terminal's office, "" where the terminal is not enrolled.
func officeName(c config.Config, w World) string {
	t, err := loadTerminal(c, w, nil, nil)
	if err != nil {
		return ""
	}
	return t.Profile().OfficeName
}
