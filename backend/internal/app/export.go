package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/wire"
)

// importExport opens the sealed export of a terminal's queue and takes it in for its
// terminal. The seal proves nothing about who made it: whoever runs the command answers for
// where the file comes from, and the access record names it.
func (p *program) importExport(ctx context.Context, args []string) error {
	file, rest, err := p.flags("terminal import-export", args[1:], nil)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return fmt.Errorf("cannot take in an export: name one file: %w", ErrUsage)
	}
	in, done, err := p.input(rest[0])
	if err != nil {
		return err
	}
	defer done()
	h, err := p.openData(ctx, file)
	if err != nil {
		return err
	}
	defer h.close()
	taken, terminal, err := h.takeExport(ctx, in)
	if terminal != "" {
		_, told := fmt.Fprintf(p.stdout, "%s: %d accepted, %d duplicate, %d conflict, %d rejected, %d damaged\n", terminal,
			taken.Results[wire.Accepted], taken.Results[wire.Duplicate], taken.Results[wire.Conflict], taken.Results[wire.Rejected], taken.Damaged)
		err = errors.Join(err, told)
	}
	return err
}

// input opens the file, or the standard input for "-".
func (p *program) input(path string) (io.Reader, func(), error) {
	if path == "-" {
		return p.stdin, func() {}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the export: %w", err)
	}
	return f, func() { _ = f.Close() }, nil
}

func (h *house) takeExport(ctx context.Context, in io.Reader) (intake.Imported, string, error) {
	plain, err := age.Decrypt(bufio.NewReader(in), h.keys.export)
	if err != nil {
		return intake.Imported{}, "", errors.New("cannot open the export: it is not sealed to this backend, or it is damaged")
	}
	reader, err := wire.NewExportReader(plain)
	if err != nil {
		return intake.Imported{}, "", err
	}
	who := actor.System{Name: "terminal import-export"}
	terminal, err := h.fleet.Enrolled(ctx, who, audit.TerminalOperation, reader.Header().Terminal)
	if err != nil {
		return intake.Imported{}, "", err
	}
	if err := h.db.Runner().Do(ctx, func(ctx context.Context, t tx.Tx) error {
		return h.record.Append(ctx, t, who, audit.Event{
			Purpose: audit.TerminalOperation, Action: "terminal.import_export", Municipality: terminal.Municipality, Object: terminal.ID,
		})
	}); err != nil {
		return intake.Imported{}, "", err
	}
	taken, err := h.intake.Import(ctx, who, audit.TerminalOperation, terminal, reader)
	return taken, terminal.ID, err
}
