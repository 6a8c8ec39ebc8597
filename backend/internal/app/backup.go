package app

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/backup"
	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/keyfile"
	"madoguchi.example/backend/internal/store"
	auditrows "madoguchi.example/backend/internal/store/audit"
	"madoguchi.example/backend/internal/store/dump"
	"madoguchi.example/backend/internal/tx"
)

// backup writes the store to a file, or proves one.
func (p *program) backup(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "verify" {
		return p.verifyBackup(ctx, args[1:])
	}
	var to, recipient string
	var unsealed, asJSON bool
	file, rest, err := p.flags("backup", args, func(f *flag.FlagSet) {
		f.StringVar(&to, "to", "", "the file to write; it must not be there")
		f.StringVar(&recipient, "recipient", "", "the age recipient to seal it to, instead of [backup] recipient")
		f.BoolVar(&unsealed, "unsealed", false, "leave it open: it holds every resident's data")
		f.BoolVar(&asJSON, "json", false, "print the manifest as JSON")
	})
	if err != nil {
		return err
	}
	if to == "" || len(rest) > 0 || unsealed && recipient != "" {
		return fmt.Errorf("cannot back up: name one file with --to: %w", ErrUsage)
	}
	c, err := p.load(file, config.Config.ValidateData)
	if err != nil {
		return err
	}
	if recipient == "" && !unsealed {
		recipient = c.Backup.Recipient
	}
	seal, err := recipientOf(recipient, unsealed)
	if err != nil {
		return err
	}
	m, err := p.writeBackup(ctx, c, to, seal)
	if err != nil {
		return err
	}
	return p.tellBackup("written and read back", m, asJSON)
}

// recipientOf reads whom to seal to; nil where the operator said that nobody is.
func recipientOf(text string, unsealed bool) (age.Recipient, error) {
	if unsealed {
		return nil, nil
	}
	if text == "" {
		return nil, errors.New("cannot back up: nobody is named to seal it to: set [backup] recipient, or give --recipient or --unsealed")
	}
	r, err := age.ParseX25519Recipient(text)
	if err != nil {
		return nil, errors.New("cannot back up: the recipient is no age X25519 recipient")
	}
	return r, nil
}

func (p *program) writeBackup(ctx context.Context, c config.Config, to string, seal age.Recipient) (m backup.Manifest, err error) {
	sc := p.storeConfig(c)
	sc.Migrate = false // what serves decides about its schema
	db, err := store.Open(ctx, sc)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	moment, err := dump.Begin(ctx, db)
	if err != nil {
		return m, err
	}
	defer moment.Close() // a read transaction has nothing to lose
	head, err := moment.Head(ctx, p.now())
	if err != nil {
		return m, err
	}
	if m, err = backup.Create(ctx, to, seal, head, moment); err != nil {
		return m, err
	}
	return m, p.recordOn(ctx, db, "store.backup", m.Epoch)
}

// recordOn notes an act of an operator on the store as a whole.
func (p *program) recordOn(ctx context.Context, db *store.DB, action, object string) error {
	return db.Runner().Do(ctx, func(ctx context.Context, t tx.Tx) error {
		return p.auditLog(db).Append(ctx, t, actor.System{Name: "backup"}, audit.Event{Purpose: audit.Restoration, Action: action, Object: object})
	})
}

func (p *program) auditLog(db *store.DB) *audit.Log {
	return audit.New(auditrows.New(db.Reads()), audit.Register(), p.now, p.rand)
}

func (p *program) verifyBackup(ctx context.Context, args []string) error {
	var identity string
	var asJSON bool
	_, rest, err := p.flags("backup verify", args, func(f *flag.FlagSet) {
		f.StringVar(&identity, "identity", "", "the age identity that opens it, a file of mode 0600")
		f.BoolVar(&asJSON, "json", false, "print the manifest as JSON")
	})
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return fmt.Errorf("cannot verify: name one backup: %w", ErrUsage)
	}
	ids, err := identities(identity)
	if err != nil {
		return err
	}
	m, err := backup.Verify(ctx, rest[0], ids...)
	if err != nil {
		return err
	}
	return p.tellBackup("whole", m, asJSON)
}

// identities reads the identities that open backups; none without a file.
func identities(path string) ([]age.Identity, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the identity: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the identity: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, errors.New("cannot use the identity: others may read its file (want mode 0600)")
	}
	ids, err := age.ParseIdentities(io.LimitReader(f, keyfile.MaxBytes))
	if err != nil {
		return nil, errors.New("cannot use the identity: the file holds no age identity")
	}
	return ids, nil
}

func (p *program) tellBackup(state string, m backup.Manifest, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(m)
	}
	fmt.Fprintf(p.stdout, "%s: %d rows of %d tables, taken %s, server epoch %s\n", state, m.Rows, len(m.Tables), m.TakenAt.Format(time.RFC3339), m.Epoch)
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, t := range m.Tables {
		if t.Rows > 0 {
			fmt.Fprintf(w, "  %s\t%d\t%x\n", t.Table, t.Rows, t.SHA256[:8])
		}
	}
	return w.Flush()
}
