package folk

import (
	"bytes"
	"testing"
	"time"

	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/publication"
	issuancerows "madoguchi.example/backend/internal/store/issuance"
	keyringrows "madoguchi.example/backend/internal/store/keyring"
	mailboxrows "madoguchi.example/backend/internal/store/mailbox"
	pushrows "madoguchi.example/backend/internal/store/push"
)

// Issuer is the public address of the town's cell.
const Issuer = "https://madoguchi.example"

// Papers is everything that certificates need in the town.
type Papers struct {
	Ring   *keyring.Ring
	Mail   *mailbox.Office
	Office *issuance.Office
	Press  *publication.Press
	// Revocations are what the press reads.
	Revocations publication.Revocations
}

// Papers opens the certificates' office of the town, with keys of its own.
func (w *Town) Papers(t testing.TB) Papers {
	t.Helper()
	var p Papers
	var err error
	p.Ring, err = keyring.Open(t.Context(), keyring.Deps{
		Runner: w.DB.Runner(), Rows: keyringrows.New(w.DB.Reads()), Record: w.Log, Dir: t.TempDir(), Issuer: Issuer,
		CacheLifetime: 24 * time.Hour, Now: w.Now, Rand: w.Rand,
	})
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := job.Open(w.DB, job.Config{Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	p.Mail = mailbox.New(mailbox.Deps{Runner: w.DB.Runner(), Rows: mailboxrows.New(w.DB.Reads()), People: w.Registry,
		Pushes: pushrows.New(w.DB.Reads()), Protection: w.Protection, Queue: jobs, Record: w.Log, IDs: w.IDs, Now: w.Now})
	rows := issuancerows.New(w.DB.Reads())
	p.Revocations = rows
	p.Office, err = issuance.New(issuance.Deps{
		Runner: w.DB.Runner(), Rows: rows, Family: w.Registry, Residents: w.Rows, Keeper: w.Keeper, Record: w.Log, Ring: p.Ring,
		Mail: p.Mail, Protection: w.Protection, Issuer: Issuer, Secret: bytes.Repeat([]byte{7}, 32), IDs: w.IDs, Now: w.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Press, err = publication.New(publication.Deps{Keys: p.Ring, Revocations: rows, Issuer: Issuer, CacheLifetime: 24 * time.Hour, Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
