package app

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"madoguchi.example/agent/internal/config"
	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/outbox"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/logmask"
)

const (
	queueUsage = "queue status|list|show ID|retry ID|export --to FILE [--config FILE] [--json]"
	queueHelp  = "show what waits to be sent and what was not taken (list [--what waiting|dead|kept] [--limit N]), try a dead letter again, or write an export that only the office can open"
)

// DefaultList is how many entries `queue list` prints unless it is told.
const DefaultList = 100

// box is the outbox of a running agent, or of the file where none runs.
type box interface {
	Figures(ctx context.Context) (outbox.Figures, error)
	List(ctx context.Context, what string, after uint64, limit int) ([]queue.Entry, error)
	Show(ctx context.Context, id string) (outbox.Shown, error)
	Retry(ctx context.Context, id string) error
	Export(ctx context.Context, w io.Writer) (outbox.Export, error)
	MarkExported(ctx context.Context, through uint64) error
}

// queueArgs is what a queue command is asked for.
type queueArgs struct {
	verb, config, what, to, id string
	limit                      int
	json                       bool
}

func parseQueue(args []string) (queueArgs, error) {
	if len(args) == 0 {
		return queueArgs{}, usage("say what: status, list, show, retry or export")
	}
	q := queueArgs{verb: args[0]}
	if q.verb == "--help" || q.verb == "-h" {
		return q, flag.ErrHelp
	}
	set, path := flags("queue " + q.verb)
	set.BoolVar(&q.json, "json", false, "")
	names := 0
	switch q.verb {
	case "status":
	case "list":
		set.StringVar(&q.what, "what", "waiting", "")
		set.IntVar(&q.limit, "limit", DefaultList, "")
	case "show", "retry":
		names = 1
	case "export":
		set.StringVar(&q.to, "to", "", "")
	default:
		return q, usage("there is no queue %q: say status, list, show, retry or export", q.verb)
	}
	// The ID may stand before the flags or behind them.
	rest := args[1:]
	if names > 0 && len(rest) > 0 && rest[0] != "" && rest[0][0] != '-' {
		q.id, rest = rest[0], rest[1:]
	}
	if err := parse(set, rest); err != nil {
		return q, err
	}
	if q.id == "" && names > 0 {
		q.id = set.Arg(0)
		names = set.NArg()
	} else {
		names = 1 + set.NArg()
	}
	return q.checked(*path, names)
}

// checked says what is missing; names is how many words stand beside the flags, and the verb
// where it takes none.
func (q queueArgs) checked(path string, names int) (queueArgs, error) {
	q.config = path
	switch {
	case q.id == "" && (q.verb == "show" || q.verb == "retry"):
		return q, usage("queue %s needs the ID of one record", q.verb)
	case names > 1:
		return q, usage("queue %s takes no further words", q.verb)
	case (q.verb == "show" || q.verb == "retry") && !recordID(q.id):
		return q, usage("the ID is a UUID as queue list shows it")
	case q.verb == "export" && q.to == "":
		return q, usage("--to is missing: the file to write")
	case q.verb == "list" && q.limit < 1:
		return q, usage("--limit must be at least 1")
	}
	if q.verb == "list" {
		if _, err := outbox.Part(q.what); err != nil {
			return q, usage("--what is waiting, dead or kept")
		}
	}
	return q, nil
}

// recordID tells whether a text may be a record's ID.
func recordID(text string) bool {
	id, err := uuid.Parse(text)
	return err == nil && id.Version() == 7 && id.String() == text
}

// whereIs says where the records are that there are.
func whereIs(err error) error {
	if fault.CodeOf(err) == fault.NotFound {
		return fault.Wrap(fault.NotFound, err, "the terminal has no such record: see queue list --what waiting, dead or kept")
	}
	return err
}

// queueCommand carries out one of the queue commands.
func queueCommand(ctx context.Context, w World, args []string) error {
	q, err := parseQueue(args)
	if err != nil {
		return err
	}
	c, err := load(w, q.config)
	if err != nil {
		return err
	}
	b, done, err := openBox(ctx, c, w)
	if err != nil {
		return err
	}
	return errors.Join(q.do(ctx, w, b), done())
}

func (q queueArgs) do(ctx context.Context, w World, b box) error {
	switch q.verb {
	case "list":
		return q.list(ctx, w, b)
	case "show":
		s, err := b.Show(ctx, q.id)
		if err != nil {
			return whereIs(err)
		}
		return printShown(w.Stdout, s, q.json)
	case "retry":
		if err := b.Retry(ctx, q.id); err != nil {
			return whereIs(err)
		}
		return say(w.Stdout, q.json, map[string]string{"id": q.id, "state": string(queue.StateWaiting)}, "%s waits to be sent again\n", q.id)
	case "export":
		e, err := exportTo(ctx, b, q.to)
		if err != nil {
			return err
		}
		return say(w.Stdout, q.json, e, "%d records are in %s, sealed to the office\n", e.Records, q.to)
	}
	f, err := b.Figures(ctx)
	if err != nil {
		return err
	}
	return printFigures(w.Stdout, f, q.json)
}

// openBox asks the running agent, or opens the file itself where none runs.
func openBox(ctx context.Context, c config.Config, w World) (b box, done func() error, err error) {
	remote := outbox.Remote{Socket: controlPath(c)}
	_, err = remote.Figures(ctx)
	if err == nil {
		return remote, func() error { return nil }, nil
	}
	if fault.CodeOf(err) != fault.Unavailable {
		return nil, nil, err
	}
	t, err := loadTerminal(c, w, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	v, q, err := openQueue(ctx, c, w, t, logmask.New(w.Stderr, c.Log.SlogLevel()), false)
	if err != nil {
		return nil, nil, err
	}
	local := &outbox.Box{
		Queue: q, Recipient: func() string { return t.Profile().ExportRecipient },
		Now: func() outbox.Figures { return figuresOf(w, t, v, q) },
	}
	return local, func() error { return errors.Join(q.Close(), v.Close()) }, nil
}

// figuresOf tells what is known without a line.
func figuresOf(w World, t *terminal.Terminal, v *vault.Vault, q *queue.Queue) outbox.Figures {
	f := outbox.Figures{Terminal: t.ID(), Version: w.Version, KeyClass: string(v.Class())}
	f.Count(q.Stats())
	f.PutAside, f.Lost = lostOf(v.Report())
	f.Lost += f.Damaged
	return f
}

// lostOf counts the files that were put aside and what could not be salvaged of the last.
func lostOf(r vault.Report) (files, values int) {
	files = len(r.Earlier)
	if r.PutAside != "" {
		files++
	}
	if r.Unopened.Path != "" {
		files++
	}
	return files, r.Salvaged.Lost
}

// exportTo writes an export to a new file, and notes that it is there once it is durable.
func exportTo(ctx context.Context, b box, path string) (outbox.Export, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return outbox.Export{}, fault.New(fault.Conflict, "the file is there already and stays as it is: name another")
	}
	if err != nil {
		return outbox.Export{}, fmt.Errorf("cannot write the export: %w", err)
	}
	e, err := b.Export(ctx, f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return outbox.Export{}, errors.Join(err, os.Remove(path))
	}
	return e, b.MarkExported(ctx, e.Through)
}

// list prints page by page.
func (q queueArgs) list(ctx context.Context, w World, b box) error {
	entries := []queue.Entry{}
	for after := uint64(0); len(entries) < q.limit; {
		page, err := b.List(ctx, q.what, after, min(q.limit-len(entries), outbox.MaxPage))
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		entries, after = append(entries, page...), page[len(page)-1].Position
	}
	if q.json {
		return printJSON(w.Stdout, entries)
	}
	table := tabwriter.NewWriter(w.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tRECORDED\tKIND\tSTATE\tREASON\tBYTES")
	for _, e := range entries {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\n", orDash(e.ID), moment(e.At), orDash(string(e.Kind)), e.State, orDash(e.Code), e.Bytes)
	}
	return table.Flush()
}

func printShown(out io.Writer, s outbox.Shown, asJSON bool) error {
	if asJSON {
		return printJSON(out, s)
	}
	_, err := fmt.Fprintf(out, "id %s\nepoch %s\nsequence %d\nkind %s\nrecorded %s\nstate %s\nreason %s\nbody %s\n",
		s.ID, orDash(s.Epoch), s.Sequence, orDash(string(s.Kind)), moment(s.At), s.State, orDash(s.Code), orDash(string(s.Body)))
	return err
}

func printFigures(out io.Writer, f outbox.Figures, asJSON bool) error {
	if asJSON {
		return printJSON(out, f)
	}
	line := "-"
	switch {
	case f.Running && f.LineUp && f.LineReason == "":
		line = "up"
	case f.Running && f.LineUp:
		line = "refused " + string(f.LineReason)
	case f.Running:
		line = "down " + orDash(string(f.LineReason))
	}
	_, err := fmt.Fprintf(out, "pending %d\noldest %s\nbytes %d\ndead %d\nunanswered %d\nstale %d\nkept %d\nlast_ack %s\nexported %t\nfile %d\nused %d\nput_aside %d\nlost %d\nkey %s\nline %s\n",
		f.Pending, moment(f.OldestAt), f.Bytes, f.DeadLetters, f.Unanswered, f.Stale, f.Kept, moment(f.LastAck), f.Exported, f.FileBytes, f.UsedBytes,
		f.PutAside, f.Lost, orDash(f.KeyClass), line)
	return err
}

func say(out io.Writer, asJSON bool, value any, format string, args ...any) error {
	if asJSON {
		return printJSON(out, value)
	}
	_, err := fmt.Fprintf(out, format, args...)
	return err
}

func printJSON(out io.Writer, value any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// running tells whether an agent answers on the configuration's socket. Its error says why
// that cannot be told.
func running(ctx context.Context, c config.Config) (bool, error) {
	err := control.Call(ctx, controlPath(c), statusAct, nil, nil)
	switch fault.CodeOf(err) {
	case fault.Unavailable:
		return false, nil
	case fault.Forbidden:
		return false, err
	}
	return true, nil
}
