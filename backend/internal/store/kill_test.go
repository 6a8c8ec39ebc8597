package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
)

// killDSN tells a child process of this test to write into a store until it is killed.
const killDSN = "MADOGUCHI_TEST_STORE_TO_KILL"

const (
	kills       = 3   // processes killed on each engine
	killCallers = 16  // that write at once in each
	killAfter   = 200 // acknowledged transactions
)

func TestMain(m *testing.M) {
	if dsn := os.Getenv(killDSN); dsn != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(dsn, os.Getenv(killDSN+"_ROUND")))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled stores pairs of rows and prints the name of each pair once Do said yes.
func writeUntilKilled(dsn, round string) error {
	db, err := store.Open(context.Background(), storetest.Config(dsn))
	if err != nil {
		return err
	}
	failed := make(chan error)
	var out sync.Mutex
	for i := range killCallers {
		go func() {
			for n := 0; ; n++ {
				name := fmt.Sprintf("%s-%d-%d", round, i, n)
				if err := db.Runner().Do(context.Background(), pair(name, n%5 == 4)); err != nil && n%5 != 4 {
					failed <- err
				} else if err == nil {
					out.Lock()
					fmt.Println(name)
					out.Unlock()
				}
			}
		}()
	}
	return <-failed
}

// pair stores two rows, or fails after the first.
func pair(name string, fail bool) func(context.Context, tx.Tx) error {
	return func(ctx context.Context, t tx.Tx) error {
		if err := add(ctx, t, name+"-a"); err != nil {
			return err
		}
		if fail {
			return errGiveUp
		}
		return add(ctx, t, name+"-b")
	}
}

// What Do acknowledged is there after SIGKILL, and nothing is there by half.
func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	for _, e := range storetest.Engines {
		t.Run(string(e), func(t *testing.T) {
			dsn := storetest.DSN(t, e)
			db, err := store.Open(t.Context(), storetest.Config(dsn))
			must(t, err)
			makeNotes(t, db)
			must(t, db.Close())
			var told []string
			for round := range kills {
				told = append(told, killOne(t, dsn, round)...)
			}
			checkPairs(t, dsn, told)
		})
	}
}

// killOne runs a writing process, kills it and gives what it had acknowledged.
func killOne(t *testing.T, dsn string, round int) []string {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), killDSN+"="+dsn, fmt.Sprintf("%s_ROUND=%d", killDSN, round))
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	defer c.Wait()
	var told []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		told = append(told, lines.Text())
		if len(told) == killAfter {
			must(t, c.Process.Kill())
		}
	}
	if len(told) < killAfter {
		t.Fatalf("the process ended after %d lines", len(told))
	}
	return told
}

func checkPairs(t *testing.T, dsn string, told []string) {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.Config(dsn))
	must(t, err)
	defer db.Close()
	halves := map[string]int{}
	must(t, db.Reads().Each(t.Context(), "SELECT id FROM note", nil, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		halves[id[:strings.LastIndexByte(id, '-')]]++
		return err
	}))
	for _, name := range told {
		if halves[name] != 2 {
			t.Errorf("%s was acknowledged, %d of 2 rows are there", name, halves[name])
		}
	}
	for name, n := range halves {
		if n != 2 {
			t.Errorf("%s is there by half", name)
		}
	}
	t.Logf("%d acknowledged, %d stored", len(told), len(halves))
}

// BenchmarkDo tells how many transactions of one row are stored each second. SQLite syncs
// to the disk; the PostgreSQL server that storetest starts does not: name a real one by
// MADOGUCHI_TEST_POSTGRES.
func BenchmarkDo(b *testing.B) {
	for _, e := range storetest.Engines {
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", e, callers), func(b *testing.B) {
				db := makeNotes(b, storetest.Open(b, e))
				work := make(chan int)
				var all sync.WaitGroup
				for range callers {
					all.Go(func() {
						for n := range work {
							if err := db.Runner().Do(context.Background(), adding(fmt.Sprint(n))); err != nil {
								b.Error(err)
							}
						}
					})
				}
				b.ResetTimer()
				for n := range b.N {
					work <- n
				}
				close(work)
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "stored/s")
			})
		}
	}
}

// BenchmarkBareInsert is the yardstick for BenchmarkDo: one statement of its own each, on
// the same connections.
func BenchmarkBareInsert(b *testing.B) {
	for _, e := range storetest.Engines {
		b.Run(string(e), func(b *testing.B) {
			db := makeNotes(b, storetest.Open(b, e))
			for n := range b.N {
				if _, err := db.Writer().ExecContext(context.Background(), "INSERT INTO note (id, body) VALUES ($1, $2)", fmt.Sprint(n), "text"); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "stored/s")
		})
	}
}
