package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"madoguchi.example/agent/internal/config"
	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/door"
)

// controlPath is where a running agent of this configuration listens for its own user.
func controlPath(c config.Config) string {
	return cmp.Or(c.Desk.Control, filepath.Join(c.StateDir, control.SocketName))
}

// openDesk opens the running agent's desk in the browser, or prints how to.
func openDesk(ctx context.Context, w World, args []string) error {
	set, path := flags("open")
	show := set.Bool("print", false, "print {\"url\",\"code\"} instead of opening a browser")
	browser := set.String("browser", "", "program that opens a file")
	reset := set.String("reset-pin", "", "take the PIN of an operator away, by id")
	if err := parse(set, args); err != nil {
		return err
	}
	c, err := load(w, *path)
	if err != nil {
		return err
	}
	socket := controlPath(c)
	if *reset != "" {
		if err := control.Call(ctx, socket, "reset_pin", *reset, nil); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w.Stdout, "the operator chooses a new PIN at the next sign-in")
		return err
	}
	var l door.Launch
	if err := control.Call(ctx, socket, "launch", nil, &l); err != nil {
		return err
	}
	if *show {
		return json.NewEncoder(w.Stdout).Encode(map[string]string{"url": l.URL, "code": l.Code})
	}
	return openWith(ctx, c, w, socket, *browser, l)
}

// openWith has the browser open a file that only this user may read, and removes the file
// once it has been used or its time is over.
func openWith(ctx context.Context, c config.Config, w World, socket, browser string, l door.Launch) error {
	dir := cmp.Or(w.Getenv("XDG_RUNTIME_DIR"), c.StateDir)
	f, err := os.CreateTemp(dir, "madoguchi-open-*.html") // mode 0600
	if err != nil {
		return fmt.Errorf("cannot write the file that opens the desk: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	err = l.WriteFile(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("cannot write the file that opens the desk: %w", err)
	}
	program := browserCommand(browser, f.Name())
	cmd := exec.Command(program[0], program[1:]...) // a browser outlives this program
	cmd.Stderr = w.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the browser (use --browser, or --print and type the code at %s): %w", l.URL, err)
	}
	go func() { _ = cmd.Wait() }()
	opened := false
	if err := control.Call(ctx, socket, "launched", l.Ticket, &opened); err != nil {
		return err
	}
	if !opened {
		return fmt.Errorf("the browser did not open the desk in time; use --print and type the code at %s", l.URL)
	}
	return nil
}

// browserCommand is what opens a file in the browser of this machine.
func browserCommand(browser, file string) []string {
	switch {
	case browser != "":
		return []string{browser, file}
	case runtime.GOOS == "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler", file}
	case runtime.GOOS == "darwin":
		return []string{"open", file}
	}
	return []string{"xdg-open", file}
}
