package app_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/app"
	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

// Another key lies where the vault's was: the desk opens all the same, commands that need not
// start say why they do not, and nothing is deleted. With the key back, what was recorded
// before and meanwhile is there.
func TestAnotherKeyKeepsNobodyFromTheDesk(t *testing.T) {
	o := newOffice(t)
	c := enrolled(t, o)
	waits, _ := c.twoWait()
	path := filepath.Join(c.dir, vault.KeyFileName)
	key, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, bytes.Repeat([]byte("x"), vault.KeySize), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.run()
	var f struct {
		PutAside int `json:"put_aside"`
		Pending  int `json:"pending"`
	}
	if err := json.Unmarshal([]byte(c.says(app.ExitOK, "queue", "status", "--json")), &f); err != nil || f.PutAside != 1 || f.Pending != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	c.stop()
	if said := c.out.String(); !strings.Contains(said, "stand-in") || !strings.Contains(said, `"kept_under":"key_file"`) {
		t.Errorf("the log does not say so: %s", said)
	}
	c.says(app.ExitFailed, "queue", "status")
	c.says(app.ExitFailed, "uninstall", "--yes")
	meanwhile := c.standIn()
	if err := os.WriteFile(path, key, 0o600); err != nil {
		t.Fatal(err)
	}
	if said := c.says(app.ExitOK, "queue", "status"); !strings.Contains(said, "opens again") {
		t.Errorf("it is not told: %s", said)
	}
	entries := c.queueAs("waiting")
	if len(entries) != 2 || entries[0].ID != waits || entries[1].ID != meanwhile || len(c.queueAs("dead")) != 1 {
		t.Errorf("%+v", entries)
	}
	if _, err := os.Stat(filepath.Join(c.dir, vault.StandInDir)); err == nil {
		t.Error("the stand-in is still there")
	}
	if c.operator("op_9") {
		t.Error("the stand-in's operators came with it")
	}
}

// standIn leaves a record, and an operator of its own, in the stand-in.
func (c *counter) standIn() string {
	c.t.Helper()
	term, err := terminal.Load(terminal.Options{StateDir: c.dir, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		c.t.Fatal(err)
	}
	v, err := vault.OpenStandIn(c.limit, c.dir, vault.Options{Key: c.key(), Now: time.Now, Rand: rand.Reader, Terminal: term.ID()})
	if err != nil || v == nil {
		c.t.Fatal("no stand-in: ", err)
	}
	q, err := queue.Open(v, queue.Limits{}, handle.Source{Now: time.Now, Rand: rand.Reader})
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := q.Append(c.limit, queue.Draft{Kind: wire.KindCertificateVerification, At: time.Now(), Body: json.RawMessage(`{"format":"shc","outcome":"valid","day":"2026-11-21"}`)})
	if err = errors.Join(err, v.Shelf(operator.ShelfName).Put(c.limit, "op_9", []byte("{}")), q.Close(), v.Close()); err != nil {
		c.t.Fatal(err)
	}
	return r.ID
}

// operator tells whether one of that id is in the terminal's file.
func (c *counter) operator(id string) bool {
	c.t.Helper()
	term, err := terminal.Load(terminal.Options{StateDir: c.dir, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		c.t.Fatal(err)
	}
	v, err := vault.Open(c.limit, c.dir, vault.Options{Key: c.key(), Now: time.Now, Rand: rand.Reader, Terminal: term.ID()})
	if err != nil {
		c.t.Fatal(err)
	}
	_, there, err := v.Shelf(operator.ShelfName).Get(c.limit, id)
	if err = errors.Join(err, v.Close()); err != nil {
		c.t.Fatal(err)
	}
	return there
}
