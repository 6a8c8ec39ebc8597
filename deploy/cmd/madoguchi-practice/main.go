// Command madoguchi-practice stands in for the partners that no test can reach, and writes
// synthetic people. It listens on loopback alone and is never part of an installation.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/practice/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "madoguchi-practice:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "population" {
		return population.Command(args[1:], os.Stdout, os.Stderr, clock(os.Getenv))
	}
	return program.Run(ctx, program.Env{Args: args, Getenv: os.Getenv,
		Stdout: os.Stdout, Stderr: os.Stderr, Now: clock(os.Getenv), Rand: rand.Reader})
}
