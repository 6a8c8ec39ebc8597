package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/fault"
)

// operation is one configuration with a clock, for which commands run one after the other.
type operation struct {
	file string
	now  time.Time
}

func (o *operation) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	all := append(append([]string{}, args[:2]...), "--config", o.file)
	err := Run(t.Context(), append(all, args[2:]...), func(string) string { return "" }, &out, io.Discard, func() time.Time { return o.now })
	return out.String(), err
}

// list gives the keys of a format, newest first.
func (o *operation) list(t *testing.T, format string) []listedKey {
	t.Helper()
	out, err := o.run(t, "keys", "list", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var all, some []listedKey
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		if string(k.Format) == format {
			some = append(some, k)
		}
	}
	return some
}

// states gives what is told of the keys of a format, newest first.
func (o *operation) states(t *testing.T, format string) string {
	t.Helper()
	var out []string
	for _, k := range o.list(t, format) {
		out = append(out, k.State+" "+k.Kept)
	}
	return strings.Join(out, ", ")
}

// An operator sees the keys, has one follow another, and withdraws one; what is printed
// holds nothing private.
func TestKeysCommands(t *testing.T) {
	dir, file := site(t, "")
	o := &operation{file, time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	table, err := o.run(t, "keys", "list")
	if err != nil || strings.Count(table, "in force") != 4 || strings.Count(table, "(specimen)") != 1 || !strings.HasPrefix(table, "FORMAT") {
		t.Fatalf("%v\n%s", err, table)
	}
	told, err := o.run(t, "keys", "rotate", "--format", "shc")
	if err != nil || !strings.Contains(told, "signs from 2026-11-29T09:00:00Z") {
		t.Errorf("%v %s", err, told)
	}
	if _, err := o.run(t, "keys", "rotate", "--format", "shc"); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a second rotation: %v", err)
	}
	if got := o.states(t, "shc"); got != "next file, in force file" {
		t.Error(got)
	}
	o.now = o.now.Add(7 * 24 * time.Hour)
	if got := o.states(t, "shc"); got != "in force file, old file" {
		t.Error(got)
	}
	if told, err := o.run(t, "keys", "rotate", "--format", "shc", "--now"); err != nil || !strings.Contains(told, "signs from 2026-11-29T09:00:00Z") {
		t.Errorf("%v %s", err, told)
	}
	if got := o.states(t, "shc"); got != "in force file, withdrawn file, old destroyed" {
		t.Error(got)
	}
	o.now = o.now.Add(366 * 24 * time.Hour)
	if got := o.states(t, "shc") + "; " + o.states(t, "vdsnc"); got != "in force, rotate it file, withdrawn file, old destroyed; in force file" {
		t.Error(got)
	}
	id := o.list(t, "hcert")[0].ID
	if told, err := o.run(t, "keys", "withdraw", id); err != nil || !strings.Contains(told, id+" is withdrawn") {
		t.Errorf("%v %s", err, told)
	}
	if got := o.states(t, "hcert"); got != "in force file, withdrawn file" {
		t.Error(got)
	}
	table, err = o.run(t, "keys", "list")
	if err != nil || strings.Contains(table, "PRIVATE") || strings.Contains(table, dir) {
		t.Errorf("%v\n%s", err, table)
	}
}

func TestKeysCommandsThatAreRefused(t *testing.T) {
	dir, file := site(t, "")
	o := &operation{file, time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	path := filepath.Join(dir, "x.pem")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"keys", ""}, {"keys", "make"}, {"keys", "list", "x"}, {"keys", "rotate"}, {"keys", "rotate", "--format", "shc", "x"}, {"keys", "withdraw"}, {"keys", "withdraw", "a", "b"},
		{"keys", "rotate", "--format", "vdsnc", "--certificate", path}, {"keys", "rotate", "--format", "vdsnc", "--key", path},
		{"keys", "rotate", "--format", "vdsnc", "--certificate", path, "--key", path, "--key-label", "x"},
	} {
		if _, err := o.run(t, args...); !errors.Is(err, ErrUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, args := range [][]string{
		{"keys", "rotate", "--format", "pdf"}, {"keys", "withdraw", "-none"}, {"keys", "rotate", "--format", "vdsnc", "--certificate", path, "--key", path},
	} {
		if _, err := o.run(t, args...); err == nil || errors.Is(err, ErrUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
	if _, err := run(t, "keys"); !errors.Is(err, ErrUsage) {
		t.Errorf("keys alone: %v", err)
	}
}

// A device that this program cannot use is told by the name of its setting; one that has the
// library says that the device is not there.
func TestKeysInADeviceWithoutItsLibrary(t *testing.T) {
	_, file := site(t, "[certificates.pkcs11]\nmodule = \"x\"\ntoken_label = \"cell\"\npin_file = \"pin\"")
	o := &operation{file, time.Now()}
	if _, err := o.run(t, "keys", "list"); err == nil || !strings.Contains(err.Error(), "pkcs11") && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// Every command tells how it is used, and does nothing else then: not even its store is made.
func TestHelpDoesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, command := range []string{
		"serve", "migrate", "check-config", "import", "terminal", "terminal code", "terminal import-export",
		"keys", "keys list", "keys rotate", "keys withdraw", "benefit", "benefit evaluate",
	} {
		for _, word := range []string{"--help", "-h"} {
			out, err := run(t, append(strings.Fields(command), word)...)
			if err != nil || !strings.HasPrefix(out, "  madoguchi-backend "+command) {
				t.Errorf("%s %s: %q, %v", command, word, out, err)
			}
		}
	}
	if out, _ := run(t, "keys", "rotate", "--help"); !strings.Contains(out, "compromised") || strings.Contains(out, "keys list") {
		t.Errorf("keys rotate --help: %q", out)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
