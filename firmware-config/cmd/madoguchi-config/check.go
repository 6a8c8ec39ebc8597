package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"madoguchi.example/firmware-config/profile"
)

const usage = `usage: madoguchi-config profile check FILE|-
` + chargesUsage + `

profile check reads one terminal profile (JSON) and prints every fault, one a line.
Exit: 0 no fault, 1 faults or an unreadable file, 2 wrong use.`

var errUsage = errors.New("cannot understand the command line")

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	switch {
	case len(args) == 1 && (args[0] == "--help" || args[0] == "help"):
		_, err := fmt.Fprintln(stdout, usage)
		return err
	case len(args) > 0 && args[0] == "charges":
		return charges(args[1:], stdin, stdout)
	case len(args) == 3 && args[0] == "profile" && args[1] == "check":
		return checkProfile(args[2], stdin, stdout)
	}
	return errUsage
}

func checkProfile(name string, stdin io.Reader, stdout io.Writer) error {
	b, err := read("the profile", name, stdin, profile.MaxBytes)
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

// read takes one byte more than the limit, so that the reader of the document sees what is
// too large. what names the thing in errors.
func read(what, name string, stdin io.Reader, limit int64) ([]byte, error) {
	in := stdin
	if name != "-" || stdin == nil {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("cannot open %s: %w", what, err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", what, err)
	}
	return b, nil
}
