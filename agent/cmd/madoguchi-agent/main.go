// Command madoguchi-agent is the terminal's program: it keeps the counter working while
// the network is out and syncs later. Run it with --help.
package main

import (
	"context"
	"crypto/rand"
	"os"
	"os/signal"
	"syscall"

	"madoguchi.example/agent/internal/app"
)

// version is stamped by the build.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Main(ctx, os.Args[1:], app.World{
		Getenv: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Now: clock(os.Getenv), Rand: rand.Reader, Version: version,
	})
	stop()
	os.Exit(code)
}
