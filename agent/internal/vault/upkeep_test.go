package vault_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
)

// Deleting a day's key takes from everybody what was deleted that day, from a copy of the
// file made before as well; what is still wanted is sealed anew first.
func TestShred(t *testing.T) {
	dir, now := t.TempDir(), clock()
	v := openWith(t, dir, at(dir, now))
	for i := range 300 {
		put(t, v, fmt.Sprintf("old-%d", i), "kept")
	}
	put(t, v, "gone", "deleted")
	if err := v.Shelf("case").Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	days(now, 3)
	put(t, v, "young", "kept")
	if n, err := v.Shred(t.Context()); err != nil || n != 0 {
		t.Fatalf("%d keys were deleted early, %v", n, err)
	}
	days(now, 1)
	put(t, v, "short", "lived")
	if err := v.Shelf("case").Delete(t.Context(), "short"); err != nil {
		t.Fatal(err)
	}
	days(now, 1)
	if n, err := v.Shred(t.Context()); err != nil || n != 1 { // nothing is left of that day: its key goes at once
		t.Fatalf("%d keys, %v", n, err)
	}
	copied, err := os.ReadFile(filepath.Join(dir, vault.FileName))
	if err != nil {
		t.Fatal(err)
	}
	days(now, 10)
	if n, err := v.Shred(t.Context()); err != nil || n != 2 { // the first day's, and the unused one of the last time
		t.Fatalf("%d keys, %v", n, err)
	}
	for i := range 300 {
		want(t, v, fmt.Sprintf("old-%d", i), "kept")
	}
	want(t, v, "young", "kept")
	if names := keyFiles(t, dir); len(names) != 2 || strings.Contains(names[0], "20261121-") {
		t.Errorf("got %v", names)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, vault.FileName), copied, 0o600); err != nil { // from a thief's copy
		t.Fatal(err)
	}
	v = openWith(t, dir, at(dir, now))
	if _, err := get(t, v, "old-7"); !errors.Is(err, vault.ErrDamaged) {
		t.Errorf("what lay under the deleted key opens: %v", err)
	}
	want(t, v, "young", "kept")
}

// A key of a day to come, by a clock that was wrong, goes as well.
func TestShredAfterAWrongClock(t *testing.T) {
	dir, now := t.TempDir(), clock()
	v := openWith(t, dir, at(dir, now))
	days(now, 4000)
	put(t, v, "a", "value")
	days(now, -4000)
	put(t, v, "b", "value")
	if n, err := v.Shred(t.Context()); err != nil || n != 1 {
		t.Errorf("%d keys, %v", n, err)
	}
	want(t, v, "a", "value")
	if names := keyFiles(t, dir); len(names) != 1 || !strings.Contains(names[0], "20261121-") {
		t.Errorf("got %v", names)
	}
}

// Keys are deleted beside writers: whatever was written opens.
func TestShredBesideWriters(t *testing.T) {
	dir, now := t.TempDir(), clock()
	v := openWith(t, dir, at(dir, now))
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := range 60 {
				k := fmt.Sprintf("%d-%d", w, i%7)
				if err := v.Shelf("case").Put(t.Context(), k, []byte("value")); err != nil {
					t.Error(err)
				}
				if _, err := get(t, v, k); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 30 {
		days(now, 1+len(keyFiles(t, dir))%20)
		if _, err := v.Shred(t.Context()); err != nil && fault.CodeOf(err) != fault.Unavailable {
			t.Error(err)
		}
	}
	wg.Wait()
	for w := range 3 {
		for i := range 7 {
			want(t, v, fmt.Sprintf("%d-%d", w, i), "value")
		}
	}
}

// A value that nobody can open does not keep its key.
func TestDamagedValuesKeepNoKey(t *testing.T) {
	dir, now := t.TempDir(), clock()
	v := openWith(t, dir, at(dir, now))
	put(t, v, "a", "value")
	err := v.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("shelf/case"))
		sealed := bytes.Clone(b.Get([]byte("a")))
		sealed[len(sealed)-1] ^= 1
		return b.Put([]byte("a"), sealed)
	})
	if err != nil {
		t.Fatal(err)
	}
	days(now, 30)
	if n, err := v.Shred(t.Context()); err != nil || n != 1 {
		t.Errorf("%d keys, %v", n, err)
	}
}

func TestCompact(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	for round := range 10 {
		puts := make([]vault.Put, 0, 400)
		for i := range 400 {
			puts = append(puts, vault.Put{Shelf: "case", Key: fmt.Sprintf("%d-%d", round, i), Value: value(i, round)})
		}
		if err := v.Apply(puts...); err != nil {
			t.Fatal(err)
		}
	}
	file, used := v.Usage()
	if used > file || used < file/2 {
		t.Errorf("full: %d of %d", used, file)
	}
	for round := range 9 {
		puts := make([]vault.Put, 0, 400)
		for i := range 400 {
			puts = append(puts, vault.Put{Shelf: "case", Key: fmt.Sprintf("%d-%d", round, i), Delete: true})
		}
		if err := v.Apply(puts...); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("shelf/case")).SetSequence(12345) }); err != nil {
		t.Fatal(err)
	}
	if file, used = v.Usage(); used > file/4 {
		t.Errorf("drained: %d of %d", used, file)
	}
	c, err := v.Compact(t.Context())
	if err != nil || c.Before != file || c.After > file/4 || v.FileBytes() != c.After {
		t.Fatalf("%+v, %v", c, err)
	}
	check := func() {
		t.Helper()
		for i := range 400 {
			want(t, v, fmt.Sprintf("9-%d", i), string(value(i, 9)))
		}
		if err := v.View(func(tx *bbolt.Tx) error {
			if s := tx.Bucket([]byte("shelf/case")).Sequence(); s != 12345 {
				t.Errorf("sequence %d", s)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	check()
	put(t, v, "new", "works")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	v = open(t, dir)
	check()
	want(t, v, "new", "works")
	if v.Report().PutAside != "" {
		t.Errorf("%+v", v.Report())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Compact(ctx); err == nil {
		t.Error("a compaction that was given up ran")
	}
}

// A crash between the steps of a replacement leaves a copy beside the file, or the copy
// alone.
func TestCrashesWhileReplacing(t *testing.T) {
	for name, step := range map[string]func(file, next string) error{
		"unfinished copy": func(_, next string) error { return os.WriteFile(next, []byte("half a file"), 0o600) },
		"copy alone":      os.Rename,
	} {
		dir := t.TempDir()
		v := open(t, dir)
		put(t, v, "a", "value")
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, vault.FileName)
		if err := step(file, file+".new"); err != nil {
			t.Fatal(err)
		}
		v = open(t, dir)
		want(t, v, "a", "value")
		if _, err := os.Stat(file + ".new"); !errors.Is(err, os.ErrNotExist) || v.Report().PutAside != "" {
			t.Errorf("%s: the copy is still there, or the file was put aside: %v", name, err)
		}
		_ = v.Close()
	}
}

// level1 lays a file of level 1 into a folder, as the program of that time wrote it: 20
// records, the first accepted and the second rejected, and 20 rows.
func level1(t *testing.T, dir string) []byte {
	t.Helper()
	f, err := os.Open("testdata/level1.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	copyKey(t, dir)
	if err := os.WriteFile(filepath.Join(dir, vault.FileName), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLevel1IsPatched(t *testing.T) {
	dir := t.TempDir()
	level1(t, dir)
	v := open(t, dir)
	if r := v.Report(); r.Level != 1 || r.PutAside != "" {
		t.Fatalf("%+v", r)
	}
	check := func() {
		t.Helper()
		for i := range 20 {
			if got, ok, err := v.Shelf("case").Get(t.Context(), fmt.Sprintf("row-%02d", i)); err != nil || !ok || string(got) != fmt.Sprintf("case %d", i) {
				t.Errorf("row %d: %q %v", i, got, err)
			}
		}
		if got, _, err := v.Shelf("answers").Get(t.Context(), "a"); err != nil || string(got) != "answer" {
			t.Errorf("%q %v", got, err)
		}
		err := v.View(func(tx *bbolt.Tx) error {
			for seq := range uint64(20) {
				k := binary.BigEndian.AppendUint64(nil, seq+1)
				plain, err := v.Get(tx, "queue/records", k)
				if err != nil || !bytes.Contains(plain, fmt.Appendf(nil, `{"n":%d}`, seq)) {
					t.Errorf("record %d: %q %v", seq+1, plain, err)
				}
				m, err := v.Get(tx, "queue/marks", k)
				if marked := err == nil && json.Valid(m); marked != (seq < 2) {
					t.Errorf("mark of %d: %q %v", seq+1, m, err)
				}
			}
			cursor, err := v.Get(tx, "queue/state", []byte("cursor"))
			if err != nil || len(cursor) != 8 || cursor[7] != 42 {
				t.Errorf("cursor %x, %v", cursor, err)
			}
			if s := tx.Bucket([]byte("queue/records")).Sequence(); s != 20 {
				t.Errorf("sequence %d", s)
			}
			return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
				return b.ForEachBucket(func(k []byte) error { return fmt.Errorf("a bucket %s lies below %s", k, name) })
			})
		})
		if err != nil {
			t.Error(err)
		}
	}
	check()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	v = open(t, dir)
	check()
	if v.Report().Level != 0 {
		t.Error("it was patched twice")
	}
}

// A patch that is cut off at any sync begins anew.
func TestACutOffPatch(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		level1(t, dir)
		left := n
		o := options(dir)
		o.FailSync = func() error {
			if left--; left == 0 {
				return errors.New("the disk failed")
			}
			return nil
		}
		if v, err := vault.Open(t.Context(), dir, o); err == nil {
			_ = v.Close()
		}
		v := open(t, dir)
		for i := range 20 {
			want(t, v, fmt.Sprintf("row-%02d", i), fmt.Sprintf("case %d", i))
		}
		_ = v.Close()
		if left > 0 {
			return
		}
	}
}

// A level 1 file under another key is told, and one whose class changed is patched.
func TestLevel1AndKeys(t *testing.T) {
	dir := t.TempDir()
	whole := level1(t, dir)
	o := options(dir)
	o.Key = vault.KeyFile(filepath.Join(dir, "next.key"))
	write(t, filepath.Join(dir, "next.key"), strings.Repeat("k", vault.KeySize))
	if _, err := vault.Open(t.Context(), dir, o); !errors.Is(err, vault.ErrWrongKey) {
		t.Errorf("got %v", err)
	}
	if now, err := os.ReadFile(filepath.Join(dir, vault.FileName)); err != nil || !bytes.Equal(now, whole) {
		t.Errorf("the file was touched: %v", err)
	}
	o.Before = vault.KeyFile(filepath.Join(dir, "vault.key"))
	v := openWith(t, dir, o)
	want(t, v, "row-07", "case 7")
}

// Of a damaged level 1 file everything that opens is salvaged, and the rest is counted.
func TestADamagedLevel1FileIsSalvaged(t *testing.T) {
	for name, harm := range map[string]func([]byte){
		"both meta pages": func(b []byte) { clear(b[:2*4096]) },
		"a value":         func(b []byte) { clear(b[:2*4096]); b[bytes.Index(b, []byte("row-07"))+6+20] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := level1(t, dir)
			harm(b)
			if err := os.WriteFile(filepath.Join(dir, vault.FileName), b, 0o600); err != nil {
				t.Fatal(err)
			}
			v := open(t, dir)
			r := v.Report()
			for i := range 20 {
				if name == "a value" && i == 7 {
					continue
				}
				want(t, v, fmt.Sprintf("row-%02d", i), fmt.Sprintf("case %d", i))
			}
			whole := 20
			if name == "a value" {
				whole--
			}
			if r.PutAside == "" || r.Salvaged.By["queue/records"] != 20 || r.Salvaged.By["queue/marks"] != 2 || r.Salvaged.By["shelf/case"] != whole || (r.Salvaged.Lost > 0) != (name == "a value") {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A file of a newer program is refused and stays as it is.
func TestANewerLevelIsRefused(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "a", "value")
	if err := v.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("vault")).Put([]byte("level"), vault.Summed(binary.BigEndian.AppendUint32(nil, vault.Level+1)))
	}); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, vault.FileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Open(t.Context(), dir, options(dir)); err == nil || !strings.Contains(err.Error(), "use a newer program") {
		t.Errorf("got %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, whole) {
		t.Errorf("the file was touched: %v", err)
	}
}

// No bytes in the state directory tell what was stored, not those of what was rewritten,
// deleted, sealed anew, compacted away or salvaged either.
func TestNoPlaintextAnywhere(t *testing.T) {
	dir, now := t.TempDir(), clock()
	c := choice(t, dir)
	c.TPM, c.Kind = swtpm(t), string(vault.TPM2)
	o := at(dir, now)
	var err error
	if o.Key, err = vault.Choose(c); err != nil {
		t.Fatal(err)
	}
	key, err := o.Key.Key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := openWith(t, dir, o)
	marker := "試験 花子 01130012 9876543"
	for round := range 3 {
		for i := range 60 {
			put(t, v, fmt.Sprintf("k%d", i), strings.Repeat("filler ", 50)+marker)
			if i%3 == round {
				if err := v.Shelf("case").Delete(t.Context(), fmt.Sprintf("k%d", i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		days(now, 10)
		if _, err := v.Shred(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, vault.FileName)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	clear(b[:2*os.Getpagesize()])
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	v = openWith(t, dir, o)
	if v.Report().Salvaged.Values == 0 {
		t.Fatal("nothing was salvaged: the test proves less than it says")
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	forbidden := map[string]string{"marker": "試験", "name": "花子", "number": "01130012", "filler": "filler ", "wrapping key": string(key[:])}
	n := 0
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		b, err := os.ReadFile(path)
		for _, what := range slices.Sorted(maps.Keys(forbidden)) {
			if bytes.Contains(b, []byte(forbidden[what])) {
				t.Errorf("the %s is in %s", what, path)
			}
		}
		return err
	})
	if err != nil || n < 5 {
		t.Errorf("%d files, %v", n, err)
	}
}

// What was read of a large file does not stay in the process's memory.
func TestTheFilesPagesAreLetGo(t *testing.T) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil || !bytes.Contains(status, []byte("RssFile:")) {
		t.Skip("this system does not tell a process's memory")
	}
	v := open(t, t.TempDir())
	const values = 40
	for i := range values {
		put(t, v, fmt.Sprint(i), string(bytes.Repeat([]byte{byte(i)}, vault.MaxValue)))
	}
	all := func(string, []byte) error { return nil }
	if err := errors.Join(v.Forget(), v.Shelf("case").Each(t.Context(), all)); err != nil {
		t.Fatal(err)
	}
	before := mapped(t)
	if err := v.Forget(); err != nil {
		t.Fatal(err)
	}
	if after := mapped(t); before-after < values*vault.MaxValue/2 {
		t.Errorf("%d bytes of files are in memory, %d before", after, before)
	}
	if err := v.Shelf("case").Each(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for range 200 { // it is done from time to time by itself
		if _, _, err := v.Shelf("case").Get(t.Context(), "none"); err != nil {
			t.Fatal(err)
		}
	}
	if after := mapped(t); before-after < values*vault.MaxValue/2 {
		t.Errorf("%d bytes of files stay in memory, %d before", after, before)
	}
}

// mapped gives how many bytes of files the process has in memory.
func mapped(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "RssFile:" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no RssFile")
	return 0
}
