package demo

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOnlyADemonstrationsFolderIsEmptied(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	for range 2 { // made, then found again with something in it
		held, err := emptied(dir)
		if err != nil {
			t.Fatal(err)
		}
		held.Close()
		if err := os.WriteFile(filepath.Join(dir, "old"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	held, err := emptied(dir)
	if err != nil {
		t.Fatal(err)
	}
	held.Close()
	if _, err := os.Stat(filepath.Join(dir, "old")); err == nil {
		t.Error("what was there is still there")
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "letter"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := emptied(foreign); err == nil {
		t.Error("a folder that holds something else was taken")
	}
	if _, err := os.Stat(filepath.Join(foreign, "letter")); err != nil {
		t.Error("a folder that holds something else was emptied")
	}
}

func TestARunningDemonstrationKeepsItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	held, err := emptied(dir)
	if err != nil {
		t.Fatal(err)
	}
	inUse := filepath.Join(dir, "store")
	if err := os.WriteFile(inUse, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := emptied(dir); err == nil || !strings.Contains(err.Error(), "runs there") {
		t.Errorf("a second one was told %v", err)
	}
	if _, err := os.Stat(inUse); err != nil {
		t.Error("a second one took away what the first one stands on")
	}
	held.Close()
	again, err := emptied(dir)
	if err != nil {
		t.Fatalf("after its end the folder is still taken: %v", err)
	}
	again.Close()
}

func TestTheClockGoesForwardByWholeDays(t *testing.T) {
	for _, words := range []string{"later", "later x", "later 0", "later -3", "later 3661", "later 1.5"} {
		var said bytes.Buffer
		d := &demo{Env: Env{Stdout: &said}}
		if d.command(t.Context(), words) || said.Len() == 0 {
			t.Errorf("%q: %s", words, said.String())
		}
	}
}

func TestATakenAddressIsNotTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	if got := free(at); got != "127.0.0.1:0" {
		t.Errorf("%s was chosen though somebody listens", got)
	}
	l.Close()
	if got := free(at); got != at {
		t.Errorf("%s was chosen though the wished one is free", got)
	}
}

func TestWhatIsMissingIsTold(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--bin", t.TempDir()}, "make demo"},
		{[]string{"extra"}, "arguments"},
		{[]string{"--unknown"}, "unknown"},
	} {
		var said bytes.Buffer
		err := Run(context.Background(), Env{Args: c.args, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &said, Now: time.Now})
		if err == nil || !strings.Contains(err.Error()+said.String(), c.says) {
			t.Errorf("%v: %v %s", c.args, err, said.String())
		}
	}
}
