package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"madoguchi.example/shared/benefit/jsonlines"
	"madoguchi.example/shared/benefit/rule"
)

// benefit evaluates lines of questions by the programmes that ship, or by those of a
// folder. It needs neither configuration nor store. Lines that were refused make the exit
// status 1 though the others are answered.
func (p *program) benefit(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "evaluate" {
		return fmt.Errorf("cannot tell what to do with benefits: %w", ErrUsage)
	}
	f := flag.NewFlagSet("benefit evaluate", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	dir := f.String("programs", "", "a folder of programmes")
	if err := f.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		p.usage("benefit evaluate", f)
		return err
	} else if err != nil || f.NArg() != 1 {
		return fmt.Errorf("cannot evaluate: name one file, or - for the standard input: %w", ErrUsage)
	}
	engine, err := programmes(*dir)
	if err != nil {
		return fmt.Errorf("cannot use the programmes:\n%w", err)
	}
	refused, err := evaluate(ctx, engine, f.Arg(0), p.stdin, p.stdout)
	if err != nil {
		return err
	}
	if refused > 0 {
		return fmt.Errorf("%d lines could not be answered; each has its error in its line", refused)
	}
	return nil
}

func evaluate(ctx context.Context, e *rule.Engine, file string, stdin io.Reader, out io.Writer) (refused int, err error) {
	if file == "-" {
		return jsonlines.Run(ctx, e, file, stdin, out)
	}
	in, err := os.Open(file)
	if err != nil {
		return 0, fmt.Errorf("cannot evaluate: %w", err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	return jsonlines.Run(ctx, e, file, in, out)
}
