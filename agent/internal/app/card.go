package app

import (
	"context"

	cardreader "madoguchi.example/agent/internal/card/command"
	"madoguchi.example/shared/trust"
)

// readCard hands over to card/command, whose exit codes are a contract of their own.
func readCard(ctx context.Context, w World, args []string) error {
	code := cardreader.Run(ctx, cardreader.Env{
		Args: args, Stdin: w.Stdin, Stdout: w.Stdout, Stderr: w.Stderr, Getenv: w.Getenv, Now: w.Now, Rand: w.Rand,
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
	})
	if code == cardreader.ExitOK {
		return nil
	}
	return saidCode(code)
}
