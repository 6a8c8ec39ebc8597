package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/fence"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
)

// keyOf makes an age identity and its file.
func keyOf(t *testing.T, dir, name string) (recipient, file string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, name)
	write(t, file, id.String()+"\n")
	return id.Recipient().String(), file
}

// A sealed backup is written beside the store, proven, restored into an empty store that is
// fenced until it is reconciled, and refused by one that holds anything.
func TestBackupAndRestoreCommands(t *testing.T) {
	dir, file := site(t, "")
	recipient, identity := keyOf(t, dir, "identity")
	_, stranger := keyOf(t, dir, "stranger")
	backup := filepath.Join(dir, "backup")
	if _, err := run(t, "keys", "list", "--config", file); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "backup", "--config", file, "--to", backup); err == nil || !strings.Contains(err.Error(), "--unsealed") {
		t.Errorf("a backup sealed to nobody: %v", err)
	}
	if out, err := run(t, "backup", "--config", file, "--to", backup, "--recipient", recipient); err != nil || !strings.Contains(out, "written and read back") {
		t.Fatalf("backup: %v\n%s", err, out)
	}
	if _, err := run(t, "backup", "--config", file, "--to", backup, "--recipient", recipient); err == nil {
		t.Error("a backup was overwritten")
	}
	for key, good := range map[string]bool{identity: true, stranger: false, "": false} {
		args := []string{"backup", "verify", backup}
		if key != "" {
			args = []string{"backup", "verify", "--identity", key, backup}
		}
		if out, err := run(t, args...); (err == nil) != good {
			t.Errorf("verify with %q: %v\n%s", filepath.Base(key), err, out)
		}
	}
	if err := os.Chmod(stranger, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "backup", "verify", "--identity", stranger, backup); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("an identity that others may read: %v", err)
	}
	there, empty := site(t, "")
	if _, err := run(t, "restore", "--config", empty, "--from", backup, "--identity", identity); err == nil || !strings.Contains(err.Error(), "key_dir") {
		t.Errorf("restored beside no keys: %v", err)
	}
	if err := os.Rename(filepath.Join(dir, "keys"), filepath.Join(there, "keys")); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "restore", "--config", empty, "--from", backup, "--identity", identity); err != nil || !strings.Contains(out, "nothing goes out") {
		t.Fatalf("restore: %v\n%s", err, out)
	}
	if _, err := run(t, "restore", "--config", empty, "--from", backup, "--identity", identity); err == nil {
		t.Error("a store that holds rows was restored into")
	}
	if s := statusOf(t, empty); !s.Fenced || s.How != fence.Restored || s.CopiedAt.IsZero() {
		t.Errorf("%+v", s)
	}
	if out, err := run(t, "restore", "reconcile", "--config", empty, "--by", "somebody", "--pushes", "drop"); err != nil || !strings.Contains(out, "lifted") {
		t.Errorf("reconcile: %v\n%s", err, out)
	}
	if s := statusOf(t, empty); s.Fenced {
		t.Errorf("%+v", s)
	}
}

func TestWhatWasPaidIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "paid")
	const known = "awd_01jd00000000000000000000ab"
	write(t, path, "\ufeff"+known+"\r\n\n990019,R-7,oneoff,2026-11\n")
	awards, others, err := paidIn(path)
	if err != nil || len(awards) != 1 || awards[0] != known || len(others) != 1 || others[0].Resident != "R-7" || others[0].Month.String() != "2026-11" {
		t.Errorf("%v, %+v, %v", awards, others, err)
	}
	for _, bad := range []string{"990019,R-7,oneoff", "990019,,oneoff,2026-11", "990019,R-7,oneoff,2026-13", "990019,R-7,oneoff,2026-11,x"} {
		write(t, path, known+"\n"+bad+"\n")
		if _, _, err := paidIn(path); err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "R-7") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A store that came back by other means brings its queue along. What is outward in it waits
// for the fence, and is asked for anew or not at all.
func TestJobsThatAStoreBringsAlong(t *testing.T) {
	_, file := site(t, "")
	_, before := homeOf(t, file, io.Discard)
	if err := before.db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
		return before.jobs.Enqueue(ctx, tt, push.Batch{Notice: "ntc_old", Recipients: []identity.CitizenID{"ctz_1"}})
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "restore", "--adopt", "--config", file); err != nil {
		t.Fatal(err)
	}
	_, h := homeOf(t, file, io.Discard)
	if err := h.startWorker(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer h.stopWorker()
	count := func(where string) (n int) {
		t.Helper()
		if err := h.db.Reads().Each(t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'push_send' AND `+where, nil,
			func(scan func(...any) error) error { return scan(&n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	tick, late := time.NewTicker(10*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for count(`state = 'scheduled'`) == 0 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("the job was not put off")
		}
	}
	if count(`finalized_at IS NOT NULL`) != 0 {
		t.Error("it ran while the fence stood")
	}
	if _, err := h.fence.Reconcile(t.Context(), fence.Decision{By: "a", Pushes: fence.Kept}); err != nil {
		t.Fatal(err)
	}
	if n := count(`true`); n != 0 {
		t.Errorf("%d jobs of the copy are left beside what is asked for anew", n)
	}
}

func statusOf(t *testing.T, file string) (s fence.Status) {
	t.Helper()
	out, err := run(t, "restore", "status", "--json", "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "restore", "status", "--config", file); err != nil {
		t.Error(err)
	}
	return s
}

func TestBackupAndRestoreRefuseWrongWords(t *testing.T) {
	dir, file := site(t, "")
	awards := filepath.Join(dir, "awards")
	write(t, awards, "\nawd_no_handle\n")
	for _, args := range [][]string{{"backup"}, {"backup", "--to", "x", "y"}, {"backup", "--to", "x", "--unsealed", "--recipient", "age1"}, {"backup", "verify"},
		{"restore"}, {"restore", "--adopt", "--from", "x"}, {"restore", "--from", "x", "--at", "y"}, {"restore", "--adopt", "--at", "yesterday", "--config", file, "--without-keys"},
		{"restore", "--adopt", "--at", "2999-01-01T00:00:00Z", "--config", file, "--without-keys"},
		{"restore", "status", "x"}, {"restore", "reconcile"}, {"restore", "reconcile", "--by", "a"}, {"restore", "reconcile", "--by", "a", "--pushes", "perhaps"}} {
		if _, err := run(t, args...); !errors.Is(err, ErrUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
	if _, err := run(t, "restore", "reconcile", "--config", file, "--by", "a", "--pushes", "keep", "--paid", awards); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a file of no awards: %v", err)
	}
	if _, err := run(t, "restore", "--adopt", "--config", file, "--without-keys"); err == nil || !strings.Contains(err.Error(), "store.dsn") {
		t.Errorf("a new store was adopted: %v", err)
	}
	for _, word := range []string{"backup", "restore"} {
		if out, err := run(t, word, "--help"); err != nil || !strings.Contains(out, "madoguchi-backend "+word) {
			t.Errorf("%s --help: %v\n%s", word, err, out)
		}
	}
}
