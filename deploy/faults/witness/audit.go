package witness

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	_ "modernc.org/sqlite" // the store of a stage

	"madoguchi.example/shared/wire"
)

// How the differences begin that a control looks for.
const (
	Lost  = "lost"
	Twice = "twice"
)

// kept is one record at the backend.
type kept struct {
	id     string
	body   []byte
	number string // what the payer reads in it
}

// Store opens the backend's store for reading. The caller closes it; a test on PostgreSQL
// brings the driver "pgx".
func (w *Witness) Store() *sql.DB {
	w.t.Helper()
	driver, dsn := "pgx", w.Stage.DSN
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn = "sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	return db
}

// atBackend reads every record from the backend's store and opens it with the payer's key.
func (w *Witness) atBackend() []kept {
	w.t.Helper()
	db := w.Store()
	defer db.Close()
	rows, err := db.QueryContext(w.ctx, "SELECT record_id, body FROM intake_record")
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	key, err := os.ReadFile(filepath.Join(w.Stage.Dir, "backend", "keys", "payer-registry.age"))
	if err != nil {
		w.t.Fatal(err)
	}
	identities, err := age.ParseIdentities(bytes.NewReader(key))
	if err != nil {
		w.t.Fatal(err)
	}
	var out []kept
	for rows.Next() {
		var k kept
		if err := rows.Scan(&k.id, &k.body); err != nil {
			w.t.Fatal(err)
		}
		k.number, err = opened(k.body, identities)
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, k)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// opened gives the insured person's number in a record.
func opened(body []byte, identities []age.Identity) (string, error) {
	check, err := wire.DecodeEligibilityCheck(body)
	if err != nil {
		return "", err
	}
	plain, err := age.Decrypt(bytes.NewReader(check.Sealed), identities...)
	if err != nil {
		return "", fmt.Errorf("cannot open a record: %w", err)
	}
	var inquiry struct {
		Number string `json:"number"`
	}
	if err := json.NewDecoder(plain).Decode(&inquiry); err != nil {
		return "", fmt.Errorf("cannot read a record: %w", err)
	}
	return inquiry.Number, nil
}

// Audit compares what was confirmed with what the backend has and names every difference.
func (w *Witness) Audit() []string {
	w.t.Helper()
	stored := w.atBackend()
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	var faults []string
	byID, byNumber := map[string]kept{}, map[string]int{}
	for _, k := range stored {
		byID[k.id] = k
		byNumber[k.number]++
		if !w.ledger.tried[k.number] {
			faults = append(faults, "the backend has a record that nobody entered")
		}
		if sent := w.ledger.sent[k.id]; len(sent) != 1 || !bytes.Equal(sent[0], k.body) {
			faults = append(faults, fmt.Sprintf("record %s is not what was sent, byte for byte (%d forms were sent)", k.id, len(sent)))
		}
	}
	for id, number := range w.ledger.confirmed {
		k, there := byID[id]
		switch {
		case !there:
			faults = append(faults, Lost+": a confirmed record is not at the backend")
		case k.number != number:
			faults = append(faults, "a record holds another number than was typed")
		}
	}
	for _, n := range byNumber {
		if n > 1 {
			faults = append(faults, fmt.Sprintf("%s: one entry is at the backend %d times", Twice, n))
		}
	}
	return faults
}

// AllArrived waits until the backend has every record that was confirmed.
func (w *Witness) AllArrived() {
	w.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		arrived := map[string]bool{}
		for _, k := range w.atBackend() {
			arrived[k.id] = true
		}
		missing := 0
		w.ledger.mu.Lock()
		for id := range w.ledger.confirmed {
			if !arrived[id] {
				missing++
			}
		}
		w.ledger.mu.Unlock()
		if missing == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-w.ctx.Done():
			w.t.Fatalf("%d confirmed records have not arrived", missing)
		}
	}
}

// MustHold fails the test when the audit finds a difference.
func (w *Witness) MustHold() {
	w.t.Helper()
	faults := w.Audit()
	for _, f := range faults[:min(len(faults), 10)] {
		w.t.Error(f)
	}
	w.t.Logf("%d records were confirmed, %d were tried, %d differences", len(w.ledger.confirmed), len(w.ledger.tried), len(faults))
}

// MustFind fails the test when the audit does not find a difference that begins so.
func (w *Witness) MustFind(beginning string) {
	w.t.Helper()
	faults := w.Audit()
	if !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, beginning) }) {
		w.t.Errorf("the audit found %v", faults)
	}
}
