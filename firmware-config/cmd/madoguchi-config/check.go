package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"madoguchi.example/firmware-config/profile"
)

const usage = `usage: madoguchi-config profile check FILE|-

profile check reads one terminal profile (JSON) and prints every fault, one a line.
Exit: 0 no fault, 1 faults or an unreadable file, 2 wrong use.`

var errUsage = errors.New("cannot understand the command line")

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	switch {
	case len(args) == 1 && (args[0] == "--help" || args[0] == "help"):
		_, err := fmt.Fprintln(stdout, usage)
		return err
	case len(args) == 3 && args[0] == "profile" && args[1] == "check":
		return checkProfile(args[2], stdin, stdout)
	}
	return errUsage
}

func checkProfile(name string, stdin io.Reader, stdout io.Writer) error {
	b, err := read(name, stdin)
	if err != nil {
		return err
	}
	p, err := profile.Decode(b)
	if err != nil {
		return err
	}
	if err := p.Validate(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, "ok")
	return err
}

// read takes one byte more than the limit, so that Decode sees what is too large.
func read(name string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("cannot open the profile: %w", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, profile.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the profile: %w", err)
	}
	return b, nil
}
