package app

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/shared/identity"
)

// importFiles takes in registers. It prints one line per file and one per fault; rows that
// were refused make the exit status 1 though the others are kept.
func (p *program) importFiles(ctx context.Context, args []string) error {
	asJSON := false
	file, paths, err := p.flags("import", args, func(f *flag.FlagSet) {
		f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	})
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("cannot import: name a folder or a file: %w", ErrUsage)
	}
	h, err := p.openData(ctx, file)
	if err != nil {
		return err
	}
	defer h.close()
	sources, err := importing.Files(paths...)
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return fmt.Errorf("cannot import: there is no file that is known")
	}
	report, err := importing.New(h.db.Runner(), h.importers()...).Import(ctx, actor.System{Name: "import"}, sources)
	if err := p.report(report, asJSON); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	if n := report.Refused(); n > 0 {
		return fmt.Errorf("%d rows were refused; the others are kept", n)
	}
	return nil
}

func (p *program) report(r importing.Report, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(r)
	}
	for _, f := range r.Files {
		for _, fault := range f.Faults {
			if _, err := io.WriteString(p.stdout, fault.String()+"\n"); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(p.stdout, "%s: %d rows, %d added, %d changed, %d unchanged, %d refused\n",
			f.File, f.Rows, f.Added, f.Changed, f.Unchanged, f.Refused); err != nil {
			return err
		}
	}
	return nil
}

// terminal prints a one-time enrolment code, or takes in a terminal's exported queue.
func (p *program) terminal(ctx context.Context, args []string) error {
	switch {
	case len(args) > 0 && args[0] == "code":
		return p.terminalCode(ctx, args)
	case len(args) > 0 && args[0] == "import-export":
		return p.importExport(ctx, args)
	}
	return fmt.Errorf("cannot tell what to do with terminals: %w", ErrUsage)
}

func (p *program) terminalCode(ctx context.Context, args []string) error {
	var office, municipality string
	file, rest, err := p.flags("terminal code", args[1:], func(f *flag.FlagSet) {
		f.StringVar(&office, "office", "", "the office's reference")
		f.StringVar(&municipality, "municipality", "", "the municipality's code, where several use the reference")
	})
	if err != nil {
		return err
	}
	if office == "" || len(rest) > 0 {
		return fmt.Errorf("cannot make a code: name one office: %w", ErrUsage)
	}
	h, err := p.openData(ctx, file)
	if err != nil {
		return err
	}
	defer h.close()
	code, err := h.fleet.IssueCodeByOperator(ctx, actor.System{Name: "terminal code"}, audit.TerminalOperation,
		identity.MunicipalityCode(municipality), office)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, code.Reveal())
	return err
}

// openData opens the house for a command that works on the store alone.
func (p *program) openData(ctx context.Context, file string) (*house, error) {
	c, err := p.load(file, config.Config.ValidateData)
	if err != nil {
		return nil, err
	}
	return p.open(ctx, c, p.logger(c))
}
