package outbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/outbox"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

var noon = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

func id(n int) string { return fmt.Sprintf("01920000-0000-7000-8000-%012d", n) }

// line is a scripted queue of many entries, of which 1 waits, 2 is dead and 3 is damaged.
type line struct {
	entries []queue.Entry
	content []byte // of the export
	marked  uint64
	retried []string
}

func newLine(n int) *line {
	l := &line{content: []byte("{}\n")}
	for i := range n {
		l.entries = append(l.entries, queue.Entry{Position: uint64(i + 1), ID: id(i + 1), Kind: wire.KindEligibilityCheck, At: noon, State: queue.StateWaiting})
	}
	return l
}

func (l *line) List(_ context.Context, what queue.Which, after uint64, limit int) ([]queue.Entry, error) {
	if what != queue.Waiting {
		return nil, nil
	}
	from := min(int(after), len(l.entries))
	return l.entries[from:min(from+limit, len(l.entries))], nil
}

func (l *line) Find(_ context.Context, of string) (wire.Record, bool, error) {
	switch of {
	case id(1), id(2):
		return wire.Record{ID: of, Epoch: "epo_1", Sequence: 7, Kind: wire.KindEligibilityCheck, At: noon, Body: json.RawMessage(`{"sealed":"YWdl"}`)}, true, nil
	}
	return wire.Record{}, false, fmt.Errorf("cannot read it: %w", vault.ErrDamaged)
}

func (l *line) Fates(_ context.Context, ids []string) (map[string]queue.Fate, error) {
	all := map[string]queue.Fate{
		id(1): {Waiting: true}, id(2): {Status: wire.Rejected, Code: "forbidden"}, id(3): {Damaged: true}, id(4): {Waiting: true},
	}
	return map[string]queue.Fate{ids[0]: all[ids[0]]}, nil
}

func (l *line) Retry(_ context.Context, of string) error {
	if of != id(2) {
		return fault.New(fault.Conflict, "the record is no dead letter that could be sent again")
	}
	l.retried = append(l.retried, of)
	return nil
}

func (l *line) Export(_ context.Context, w io.Writer) (int, uint64, error) {
	_, err := w.Write(l.content)
	return 5, 42, err
}

func (l *line) MarkExported(_ context.Context, through uint64) error {
	l.marked = through
	return nil
}

// both gives the box itself and the one of an agent behind a socket, over one queue.
func both(t *testing.T, l *line, recipient string) (map[string]box, string) {
	t.Helper()
	dir := t.TempDir()
	local := &outbox.Box{Queue: l, Recipient: func() string { return recipient }, Now: func() outbox.Figures { return outbox.Figures{Pending: 3, KeyClass: "tpm2"} }}
	acts := outbox.NewActs(local, dir)
	socket := filepath.Join(dir, "s")
	server, err := control.Listen(socket, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, acts.All()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		acts.Close()
		if left, _ := filepath.Glob(filepath.Join(dir, ".export-*")); len(left) > 0 {
			t.Errorf("an export is left behind: %v", left)
		}
	})
	return map[string]box{"itself": local, "behind a socket": outbox.Remote{Socket: socket}}, dir
}

type box interface {
	Figures(ctx context.Context) (outbox.Figures, error)
	List(ctx context.Context, what string, after uint64, limit int) ([]queue.Entry, error)
	Show(ctx context.Context, id string) (outbox.Shown, error)
	Retry(ctx context.Context, id string) error
	Export(ctx context.Context, w io.Writer) (outbox.Export, error)
	MarkExported(ctx context.Context, through uint64) error
}

func TestWhatIsSeen(t *testing.T) {
	boxes, _ := both(t, newLine(700), "")
	for name, b := range boxes {
		if f, err := b.Figures(t.Context()); err != nil || f.Pending != 3 || f.KeyClass != "tpm2" {
			t.Errorf("%s: %+v: %v", name, f, err)
		}
		page, err := b.List(t.Context(), "waiting", 100, 10)
		if err != nil || len(page) != 10 || page[0].ID != id(101) || !page[0].At.Equal(noon) {
			t.Errorf("%s: %d entries: %v", name, len(page), err)
		}
		if page, err = b.List(t.Context(), "waiting", 0, 10_000); err != nil || len(page) < outbox.MaxPage {
			t.Errorf("%s: a page of %d: %v", name, len(page), err)
		}
		if _, err = b.List(t.Context(), "all", 0, 1); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s: a part that there is none of: %v", name, err)
		}
		for n, want := range map[int]queue.State{1: queue.StateWaiting, 2: queue.Rejected, 3: queue.Damaged, 4: queue.Damaged} {
			s, err := b.Show(t.Context(), id(n))
			if err != nil || s.State != want || s.ID != id(n) || (len(s.Body) > 0) != (n < 3) || (s.Code == "forbidden") != (n == 2) {
				t.Errorf("%s: record %d: %+v: %v", name, n, s, err)
			}
		}
		if _, err := b.Show(t.Context(), id(9)); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("%s: a record that is gone: %v", name, err)
		}
	}
}

func TestADeadLetterWaitsAgain(t *testing.T) {
	l := newLine(0)
	boxes, _ := both(t, l, "")
	for name, b := range boxes {
		if err := b.Retry(t.Context(), id(2)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := b.Retry(t.Context(), id(1)); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("%s: what waits was tried again: %v", name, err)
		}
	}
	if len(l.retried) != 2 {
		t.Errorf("%v", l.retried)
	}
}

// An export of several parts arrives whole, opens with the office's key alone, and nothing of
// it lies on the disk in clear.
func TestAnExportIsSealed(t *testing.T) {
	office, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	l := newLine(0)
	l.content = bytes.Repeat([]byte("a record of nobody\n"), 120_000) // more than three parts
	boxes, dir := both(t, l, office.Recipient().String())
	for name, b := range boxes {
		var out bytes.Buffer
		e, err := b.Export(t.Context(), &out)
		if err != nil || e.Records != 5 || e.Through != 42 || bytes.Contains(out.Bytes(), []byte("nobody")) {
			t.Fatalf("%s: %+v: %v", name, e, err)
		}
		in, err := age.Decrypt(&out, office)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if plain, err := io.ReadAll(in); err != nil || !bytes.Equal(plain, l.content) {
			t.Errorf("%s: %d of %d bytes: %v", name, len(plain), len(l.content), err)
		}
		for _, file := range lying(t, dir) {
			if text, err := os.ReadFile(file); err != nil || bytes.Contains(text, []byte("nobody")) {
				t.Errorf("%s: %s holds records in clear: %v", name, file, err)
			}
		}
		l.marked = 0
		if err := b.MarkExported(t.Context(), e.Through); err != nil || l.marked != 42 {
			t.Errorf("%s: %d: %v", name, l.marked, err)
		}
	}
	if left := lying(t, dir); len(left) > 0 {
		t.Errorf("fetched and still there: %v", left)
	}
}

func lying(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, ".export-*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestWithoutARecipientNothingLeaves(t *testing.T) {
	for _, recipient := range []string{"", "age1nobody"} {
		boxes, dir := both(t, newLine(0), recipient)
		for name, b := range boxes {
			var out bytes.Buffer
			if _, err := b.Export(t.Context(), &out); fault.CodeOf(err) != fault.Conflict || out.Len() > 0 || len(lying(t, dir)) > 0 {
				t.Errorf("%s to %q: %d bytes: %v", name, recipient, out.Len(), err)
			}
		}
	}
}

// Whoever speaks with the socket can ask nonsense.
func TestNonsenseOverTheSocket(t *testing.T) {
	boxes, dir := both(t, newLine(0), "")
	_ = boxes
	for act, args := range map[string]any{"queue_list": "x", "queue_show": 7, "queue_export_part": map[string]int{"number": 1, "offset": -5}, "queue_exported": "x"} {
		err := control.Call(t.Context(), filepath.Join(dir, "s"), act, args, nil)
		if code := fault.CodeOf(err); code != fault.InvalidArgument && code != fault.NotFound {
			t.Errorf("%s: %v", act, err)
		}
	}
}

// Parts of two exports are never put together: once a newer one is made, the older gives none.
func TestPartsOfAnOlderExport(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	_, dir := both(t, newLine(1), id.Recipient().String())
	var made struct{ Number int }
	for range 2 {
		if err := control.Call(t.Context(), filepath.Join(dir, "s"), "queue_export", nil, &made); err != nil {
			t.Fatal(err)
		}
	}
	for number, want := range map[int]fault.Code{made.Number: "", made.Number - 1: fault.NotFound, made.Number + 1: fault.NotFound} {
		var part []byte
		err := control.Call(t.Context(), filepath.Join(dir, "s"), "queue_export_part", map[string]int{"number": number, "offset": 0}, &part)
		if fault.CodeOf(err) != want {
			t.Errorf("export %d: %v", number, err)
		}
	}
}

// The figures are what the queue counts, each in its place.
func TestTheFiguresOfTheQueue(t *testing.T) {
	var f outbox.Figures
	f.Count(queue.Stats{
		Pending: 1, OldestAt: noon, Bytes: 2, Stale: 3, Dead: 4, Damaged: 5, SentUnanswered: 6, Kept: 7, LastAck: noon, Exported: true,
		FileBytes: 8, UsedBytes: 9, MaxRecords: 10, MaxBytes: 11,
	})
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"pending": "1", "bytes": "2", "stale": "3", "dead_letters": "4", "damaged": "5", "unanswered": "6", "kept": "7", "exported": "true",
		"file_bytes": "8", "used_bytes": "9", "max_records": "10", "max_bytes": "11", "oldest_at": `"2026-11-21T03:00:00Z"`, "last_ack": `"2026-11-21T03:00:00Z"`,
	} {
		if !strings.Contains(string(raw), fmt.Sprintf("%q:%s", name, want)) {
			t.Errorf("%s is not %s in %s", name, want, raw)
		}
	}
}
