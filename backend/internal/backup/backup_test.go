package backup_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"madoguchi.example/backend/internal/backup"
	"madoguchi.example/shared/fault"
)

var head = backup.Head{Epoch: "epo_1", Engine: "sqlite", Schema: []int64{1, 2, 101}, TakenAt: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}

// rows is a source in memory, and a sink that keeps what it is given.
type rows struct {
	tables []backup.Table
	of     map[string][][]any
	fail   error
	// meanwhile, when set, runs while rows are read.
	meanwhile func()
}

func (r *rows) Tables(context.Context) ([]backup.Table, error) { return r.tables, nil }

func (r *rows) Each(_ context.Context, t backup.Table, row func([]any) error) error {
	if r.meanwhile != nil {
		r.meanwhile()
		r.meanwhile = nil
	}
	for _, v := range r.of[t.Name] {
		if err := row(v); err != nil {
			return err
		}
	}
	return r.fail
}

func (r *rows) Begin(_ context.Context, t backup.Table) error {
	r.tables = append(r.tables, t)
	return nil
}

func (r *rows) Insert(_ context.Context, t backup.Table, some [][]any) error {
	r.of[t.Name] = append(r.of[t.Name], some...)
	return nil
}

func some() *rows {
	r := &rows{of: map[string][][]any{}, tables: []backup.Table{
		{Name: "citizen", Columns: []string{"a", "b", "c"}, Key: []string{"a"}},
		{Name: "empty", Columns: []string{"a"}, Key: []string{"a"}},
		{Name: "river_job", Columns: []string{"a"}, Key: []string{"a"}},
	}}
	for i := range 3000 {
		r.of["citizen"] = append(r.of["citizen"], []any{int64(i - 1500), strings.Repeat("窓", i%400), bytes.Repeat([]byte{0, 255}, i%300)})
	}
	r.of["citizen"] = append(r.of["citizen"], []any{int64(-1 << 63), nil, []byte{}})
	r.of["river_job"] = [][]any{{int64(1)}}
	return r
}

func written(t testing.TB, from *rows) ([]byte, backup.Manifest) {
	t.Helper()
	var out bytes.Buffer
	m, err := backup.Write(t.Context(), &out, head, from)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), m
}

func TestRowsComeBackAsTheyWere(t *testing.T) {
	from, to := some(), &rows{of: map[string][][]any{}}
	file, m := written(t, from)
	var told backup.Head
	read, err := backup.Read(t.Context(), bytes.NewReader(file), func(h backup.Head) error { told = h; return nil }, to)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read, m) || !reflect.DeepEqual(told, m.Head) || m.Rows != 3001 || len(m.Tables) != 2 {
		t.Errorf("wrote %+v, read %+v, told %+v", m, read, told)
	}
	if !reflect.DeepEqual(to.of["citizen"], from.of["citizen"]) || len(to.of["river_job"]) != 0 {
		t.Error("the rows differ")
	}
}

// Whatever byte is missing or changed is found, or harms nothing that was kept.
func TestDamageIsFound(t *testing.T) {
	small := &rows{of: map[string][][]any{"a": {{int64(1), "x"}, {int64(2), "y"}}}, tables: []backup.Table{{Name: "a", Columns: []string{"k", "v"}, Key: []string{"k"}}}}
	file, m := written(t, small)
	for n := range file {
		if _, err := backup.Check(t.Context(), bytes.NewReader(file[:n])); err == nil {
			t.Fatalf("a file cut at byte %d of %d was taken", n, len(file))
		}
	}
	for n := range file {
		hurt := bytes.Clone(file)
		hurt[n] ^= 0x10
		got, err := backup.Check(t.Context(), bytes.NewReader(hurt))
		if err == nil && !reflect.DeepEqual(got, m) {
			t.Errorf("a change at byte %d gave another backup", n)
		}
	}
	if _, err := backup.Check(t.Context(), bytes.NewReader(append(bytes.Clone(file), 0))); err == nil {
		t.Error("what follows the manifest was taken")
	}
}

func TestWhatASourceMayNotHold(t *testing.T) {
	table := []backup.Table{{Name: "a", Columns: []string{"k"}, Key: []string{"k"}}}
	broken := errors.New("the disk is gone")
	for name, from := range map[string]*rows{
		"a fraction":       {tables: table, of: map[string][][]any{"a": {{1.5}}}},
		"too few columns":  {tables: table, of: map[string][][]any{"a": {{}}}},
		"a row too large":  {tables: table, of: map[string][][]any{"a": {{make([]byte, backup.MaxFrame+1)}}}},
		"a source's error": {tables: table, of: map[string][][]any{"a": {{int64(1)}}}, fail: broken},
	} {
		if _, err := backup.Write(t.Context(), &bytes.Buffer{}, head, from); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}

// A large row after others begins a frame of its own.
func TestALargeRowFits(t *testing.T) {
	large := bytes.Repeat([]byte{1}, backup.MaxFrame-100)
	from := &rows{tables: []backup.Table{{Name: "a", Columns: []string{"k"}, Key: []string{"k"}}}, of: map[string][][]any{"a": {{bytes.Repeat([]byte{2}, 200<<10)}, {large}, {int64(3)}}}}
	file, m := written(t, from)
	if got, err := backup.Check(t.Context(), bytes.NewReader(file)); err != nil || got.Rows != m.Rows {
		t.Errorf("%+v, error %v", got, err)
	}
}

func TestASealedFile(t *testing.T) {
	mine, other := identity(t), identity(t)
	path := filepath.Join(t.TempDir(), "sealed")
	m, err := backup.Create(t.Context(), path, mine.Recipient(), head, some())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || bytes.Contains(raw, []byte("citizen")) || bytes.Contains(raw, []byte("madoguchi-backup")) {
		t.Errorf("the file is readable: %v", err)
	}
	if got, err := backup.Verify(t.Context(), path, mine); err != nil || got.Rows != m.Rows {
		t.Errorf("%+v, error %v", got, err)
	}
	for name, ids := range map[string][]age.Identity{"nobody": nil, "another": {other}} {
		if _, err := backup.Verify(t.Context(), path, ids...); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s opened it: %v", name, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := backup.Create(t.Context(), path, nil, head, some()); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a file was overwritten: %v", err)
	}
}

// A backup that fails leaves no file, neither under its name nor under another.
func TestAFailedBackupLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	from := some()
	from.fail = errors.New("the store went away")
	if _, err := backup.Create(t.Context(), filepath.Join(dir, "b"), nil, head, from); err == nil {
		t.Fatal("it was written")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// What a killed backup left is removed by the next one; what another one writes now is not.
func TestWhatAKilledBackupLeftIsRemoved(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".backup-1", ".backup-2", "backup-3"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other, err := os.Open(filepath.Join(dir, ".backup-2"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	from := some()
	from.meanwhile = func() {
		if _, err := backup.Create(t.Context(), filepath.Join(dir, "second"), nil, head, some()); err != nil {
			t.Errorf("beside another: %v", err)
		}
	}
	if _, err := backup.Create(t.Context(), filepath.Join(dir, "first"), nil, head, from); err != nil {
		t.Fatal(err)
	}
	var left []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{".backup-2", "backup-3", "first", "second"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("left %v, %v", left, err)
	}
}

// Where files cannot be linked a backup gets its name all the same, and overwrites none.
func TestAFileSystemWithoutLinks(t *testing.T) {
	dir := t.TempDir()
	defer backup.SetLink(func(from, to string) error { return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM} })()
	path := filepath.Join(dir, "b")
	if _, err := backup.Create(t.Context(), path, nil, head, some()); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Verify(t.Context(), path); err != nil {
		t.Error(err)
	}
	from := some()
	from.meanwhile = func() {
		if err := os.WriteFile(filepath.Join(dir, "c"), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := backup.Create(t.Context(), filepath.Join(dir, "c"), nil, head, from); err == nil {
		t.Error("a file that came meanwhile was overwritten")
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "c")); err != nil || string(raw) != "mine" {
		t.Errorf("%q, %v", raw, err)
	}
}

// Rows of another backup in the place of our own are found, though each part is whole: the
// sum of a table is over its rows.
func TestPartsOfAnotherBackupAreFound(t *testing.T) {
	of := func(n int64) string {
		file, _ := written(t, &rows{of: map[string][][]any{"a": {{n, "x"}}}, tables: []backup.Table{{Name: "a", Columns: []string{"k", "v"}, Key: []string{"k"}}}})
		return unpacked(t, file)
	}
	mine, other := of(1), of(2)
	at := strings.IndexByte(mine, 'R')
	if mine[:at] != other[:at] || mine[at+2:] == other[at+2:] {
		t.Fatal("the two do not differ by their row")
	}
	const row = 6 // kind, length, and a value of two bytes and one of three, less one
	swapped := mine[:at] + other[at:at+row+1] + mine[at+row+1:]
	if swapped == mine || swapped == other {
		t.Fatal("nothing was swapped")
	}
	last := strings.LastIndex(mine, `{"format":`) - 3 // its kind and its length
	if mine[last] != 'M' || other[last] != 'M' {
		t.Fatal("no manifest is where it should be")
	}
	for name, inside := range map[string]string{"row": swapped, "end": mine[:at+row+1] + other[at+row+1:], "manifest": mine[:last] + other[last:]} {
		if _, err := backup.Check(t.Context(), strings.NewReader(packed(t, inside))); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("the %s of another: %v", name, err)
		}
	}
	if _, err := backup.Check(t.Context(), strings.NewReader(packed(t, mine))); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

// unpacked is what is inside a file's compression, and packed is a file of it.
func unpacked(t *testing.T, file []byte) string {
	t.Helper()
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	plain, err := z.DecodeAll(file[len(fileMagic):], nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func packed(t *testing.T, inside string) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return fileMagic + string(z.EncodeAll([]byte(inside), nil))
}

const fileMagic = "madoguchi-backup/1\n"

func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// counted is a source that makes its rows while they are asked for.
type counted struct{ n int }

func (counted) Tables(context.Context) ([]backup.Table, error) {
	return []backup.Table{{Name: "a", Columns: []string{"k", "v"}, Key: []string{"k"}}}, nil
}

func (c counted) Each(_ context.Context, _ backup.Table, row func([]any) error) error {
	for i := range c.n {
		sum := sha256.Sum256(fmt.Append(nil, i))
		if err := row([]any{int64(i), bytes.Repeat(sum[:], 16)}); err != nil {
			return err
		}
	}
	return nil
}

// Memory does not grow with the number of rows: 40 MB of rows and ten times fewer need the
// same, give or take what a frame and the window need.
func TestMemoryIsBounded(t *testing.T) {
	var peak [2]uint64
	for i, n := range []int{8_000, 80_000} {
		path := filepath.Join(t.TempDir(), "b")
		stop, top := make(chan struct{}), make(chan uint64)
		go watch(stop, top)
		if _, err := backup.Create(t.Context(), path, nil, head, counted{n}); err != nil {
			t.Fatal(err)
		}
		close(stop)
		peak[i] = <-top
	}
	t.Logf("heap at most %d MiB with 4 MB of rows, %d MiB with 40 MB", peak[0]>>20, peak[1]>>20)
	if peak[1] > peak[0]+(20<<20) {
		t.Errorf("the heap grew from %d to %d bytes", peak[0], peak[1])
	}
}

// watch tells the largest heap that it saw.
func watch(stop <-chan struct{}, top chan<- uint64) {
	var most uint64
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
		select {
		case <-stop:
			top <- most
			return
		case <-tick.C:
		}
	}
}

// FuzzFrames changes what is inside the compression.
func FuzzFrames(f *testing.F) {
	file, _ := written(f, &rows{of: map[string][][]any{"a": {{int64(1), "x"}, {nil, []byte{2}}}}, tables: []backup.Table{{Name: "a", Columns: []string{"k", "v"}, Key: []string{"k"}}}})
	const magic = "madoguchi-backup/1\n"
	unpack, err := zstd.NewReader(nil)
	if err != nil {
		f.Fatal(err)
	}
	plain, err := unpack.DecodeAll(file[len(magic):], nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte("H\x02{}T\xff\xff\xff\xff\x0f"))
	pack, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := backup.Check(t.Context(), bytes.NewReader(append([]byte(magic), pack.EncodeAll(raw, nil)...)))
		if err == nil && (m.Epoch == "" || m.Format != backup.Format) {
			t.Error("a backup that says nothing of itself was taken")
		}
	})
}

func FuzzCheck(f *testing.F) {
	file, _ := written(f, some())
	f.Add(file)
	small, _ := written(f, &rows{})
	f.Add(small)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if m, err := backup.Check(t.Context(), bytes.NewReader(raw)); err == nil && m.Epoch == "" {
			t.Error("a backup without an epoch was taken")
		}
	})
}
