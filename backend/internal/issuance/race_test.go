package issuance_test

import (
	"context"
	"runtime"
	"strconv"
	"testing"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// paused are rows that stand still in front of one write, until the test lets them go on.
type paused struct {
	issuance.Rows
	insert, correct func()
}

func (p paused) Insert(ctx context.Context, t tx.Tx, c issuance.Certificate) error {
	p.insert()
	return p.Rows.Insert(ctx, t, c)
}

func (p paused) Correct(ctx context.Context, t tx.Tx, c issuance.Correction) error {
	p.correct()
	return p.Rows.Correct(ctx, t, c)
}

// beside runs first until it calls pause, then second until it ends or waits for first at a
// row, then first to its end.
func (b *bench) beside(t *testing.T, first func(pause func()), second func()) {
	t.Helper()
	there, ended, all := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(all)
		first(func() {
			close(there)
			b.meanwhile(t, ended)
		})
	}()
	<-there
	go func() {
		defer close(ended)
		second()
	}()
	<-all
	<-ended
}

// meanwhile gives control back when ended is closed, or somebody waits for a lock.
func (b *bench) meanwhile(t *testing.T, ended <-chan struct{}) {
	for t.Context().Err() == nil {
		select {
		case <-ended:
			return
		default:
		}
		waiting := 0
		err := b.DB.Reads().Each(context.WithoutCancel(t.Context()), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`, nil,
			func(scan func(...any) error) error { return scan(&waiting) })
		if err != nil {
			t.Error(err)
			return
		}
		if waiting > 0 {
			return
		}
		runtime.Gosched()
	}
}

// with gives the office other rows.
func (b *bench) with(t *testing.T, rows func(issuance.Rows) issuance.Rows) *bench {
	t.Helper()
	d := b.Office.Deps
	d.Rows = rows(d.Rows)
	office, err := issuance.New(d)
	if err != nil {
		t.Fatal(err)
	}
	other := *b
	other.Office = office
	return &other
}

func nothing() {}

// A certificate that is issued while one of its records is corrected states what the
// correction says, or is revoked by it: whichever of the two came first. One writer alone,
// as SQLite has it, cannot do otherwise.
func TestIssuedWhileCorrected(t *testing.T) {
	for _, name := range []string{"issue first", "correction first"} {
		t.Run(name, func(t *testing.T) {
			b := loaded(t, storetest.Open(t, store.Postgres))
			mother := b.Citizen(t, "990019", "R1")
			issue := func(b *bench) {
				if _, err := b.ask(t, mother, "key-beside-000000001", mother.ID, issuance.Domestic); err != nil {
					t.Error(err)
				}
			}
			amend := func(b *bench) {
				if rep := b.correct(t, newLot); rep.Changed != 1 {
					t.Errorf("%+v", rep)
				}
			}
			slow := func(p paused) *bench {
				return b.with(t, func(rows issuance.Rows) issuance.Rows { p.Rows = rows; return p })
			}
			if name == "issue first" {
				b.beside(t, func(pause func()) { issue(slow(paused{insert: pause, correct: nothing})) }, func() { amend(b) })
			} else {
				b.beside(t, func(pause func()) { amend(slow(paused{insert: nothing, correct: pause})) }, func() { issue(b) })
			}
			for _, c := range b.listed(t, mother) {
				if old := c.Claims.Doses[1].Lot != "PX0099"; old != !c.Revoked.IsZero() {
					t.Errorf("a certificate of the record before (%v) is revoked: %v", old, !c.Revoked.IsZero())
				}
			}
		})
	}
}

// A copy that a wallet gets while its certificate is revoked is revoked with it, or is not
// given.
func TestCopiedWhileRevoked(t *testing.T) {
	for _, name := range []string{"copy first", "revocation first"} {
		t.Run(name, func(t *testing.T) {
			b := loaded(t, storetest.Open(t, store.Postgres))
			mother := b.Citizen(t, "990019", "R1")
			c, err := b.ask(t, mother, "key-beside-000000002", mother.ID, issuance.Domestic)
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.WithoutCancel(t.Context())
			index, given := int64(0), false
			copied := func(pause func()) {
				err := b.DB.Runner().Do(ctx, func(ctx context.Context, tt tx.Tx) (err error) {
					if _, index, err = b.ForWallet(ctx, tt, mother, audit.CertificateIssuance, c.ID); err != nil {
						return err
					}
					if err := b.AddWalletCopy(ctx, tt, mother.ID, c.ID, "key-1", index); err != nil {
						return err
					}
					pause()
					return nil
				})
				if given = err == nil; !given && fault.CodeOf(err) != fault.Conflict {
					t.Error(err)
				}
			}
			revoked := func(pause func()) {
				if err := b.DB.Runner().Do(ctx, func(ctx context.Context, tt tx.Tx) error {
					defer pause()
					return b.Revoke(ctx, tt, actor.System{Name: "test"}, audit.CertificateIssuance, mother.ID, c.ID, issuance.Grounds{Ground: issuance.OnRequest})
				}); err != nil {
					t.Error(err)
				}
			}
			if name == "copy first" {
				b.beside(t, copied, func() { revoked(nothing) })
			} else {
				b.beside(t, revoked, func() { copied(nothing) })
			}
			if n := b.Count(t, `SELECT count(*) FROM revoked_token WHERE key_use = 'sdjwt' AND token = $1`, strconv.FormatInt(index, 10)); given && n != 1 {
				t.Errorf("a copy of a revoked certificate stands on no list")
			}
		})
	}
}

// Both parents ask for a child's certificate, and records are corrected, all at once: nobody
// waits for another in a circle.
func TestManyAtOnceDoNotLockEachOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		mother := b.Citizen(t, "990019", "R1")
		done := make(chan struct{})
		ask := func(n int, of identity.CitizenID) {
			defer func() { done <- struct{}{} }()
			if _, err := b.ask(t, mother, "key-at-once-00000"+strconv.Itoa(100+n), of, issuance.Domestic); err != nil {
				t.Error(err)
			}
		}
		for n := range 12 {
			go ask(n, mother.ID)
		}
		go func() {
			defer func() { done <- struct{}{} }()
			b.correct(t, newLot)
		}()
		for range 13 {
			<-done
		}
		for _, c := range b.listed(t, mother) {
			if old := c.Claims.Doses[1].Lot != "PX0099"; old != !c.Revoked.IsZero() {
				t.Errorf("a certificate of the record before (%v) is revoked: %v", old, !c.Revoked.IsZero())
			}
		}
	})
}
