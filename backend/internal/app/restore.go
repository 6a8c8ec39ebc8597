package app

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/backup"
	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/fence"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/dump"
	fencerows "madoguchi.example/backend/internal/store/fence"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

// restore fills an empty store, fences one that came back by other means, and tells and
// takes what people look at before the fence lifts.
func (p *program) restore(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "status" {
		return p.restoreStatus(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == "reconcile" {
		return p.reconcile(ctx, args[1:])
	}
	var from, identity, at string
	var adopt, without bool
	file, rest, err := p.flags("restore", args, func(f *flag.FlagSet) {
		f.StringVar(&from, "from", "", "the backup")
		f.StringVar(&identity, "identity", "", "the age identity that opens it, a file of mode 0600")
		f.BoolVar(&adopt, "adopt", false, "the store came back by other means: fence it as it is")
		f.BoolVar(&without, "without-keys", false, "key_dir is lost: go on with new keys, which open nothing of the copy")
		f.StringVar(&at, "at", "", "with --adopt: the time that the store was brought back to")
	})
	if err != nil {
		return err
	}
	if len(rest) > 0 || (from == "") != adopt || !adopt && at != "" {
		return fmt.Errorf("cannot restore: name one backup with --from, or --adopt: %w", ErrUsage)
	}
	c, err := p.load(file, config.Config.ValidateData)
	if err != nil {
		return err
	}
	if !without {
		if err := holdsKeys(c); err != nil {
			return err
		}
	}
	if adopt {
		return p.adopt(ctx, c, at)
	}
	return p.restoreFrom(ctx, c, from, identity)
}

// lastingKeys are the files of key_dir without which what a store holds cannot be used: a new
// one would be made at the start, and nothing would say that it is another.
var lastingKeys = []string{"receipt.key", "export.key", "revocation.key", "child-support.key", "wallet.key", "sign-in.key", "cursor.key"}

// holdsKeys refuses a key_dir that was not put back.
func holdsKeys(c config.Config) error {
	var missing []string
	for _, path := range append([]string{c.Payer.Registry.KeyFile}, inside(c.KeyDir, lastingKeys)...) {
		if _, err := os.Stat(path); err != nil {
			missing = append(missing, path)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("cannot restore: put key_dir back first, new keys open nothing of the copy; say --without-keys where they are lost: missing %s", strings.Join(missing, ", "))
}

func inside(dir string, names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = filepath.Join(dir, name)
	}
	return out
}

func (p *program) restoreFrom(ctx context.Context, c config.Config, from, identity string) error {
	ids, err := identities(identity)
	if err != nil {
		return err
	}
	in, err := backup.Open(from, ids...)
	if err != nil {
		return err
	}
	defer in.Close()
	sc := p.storeConfig(c)
	sc.Migrate = true
	db, err := store.Open(ctx, sc)
	if err != nil {
		return err
	}
	var m backup.Manifest
	var raised fence.Raised
	err = dump.Fill(ctx, db, func(ctx context.Context, f *dump.Filling) error {
		if m, err = backup.Read(ctx, in, func(h backup.Head) error { return f.Fits(ctx, h) }, f); err != nil {
			return err
		}
		raised, err = p.fenceOf(db).Begin(ctx, f.Tx(ctx), actor.System{Name: "restore"}, fence.Restored, m.TakenAt)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return p.tellRaised(fmt.Sprintf("restored %d rows of %d tables, taken %s", m.Rows, len(m.Tables), m.TakenAt.Format(time.RFC3339)), raised)
}

// fenceOf makes the fence of a store that no house is built on.
func (p *program) fenceOf(db *store.DB) *fence.Fence {
	return fence.New(fence.Deps{
		Runner: db.Runner(), Rows: fencerows.New(db.Reads()), Record: p.auditLog(db), IDs: handle.Source{Now: p.now, Rand: p.rand}, Now: p.now,
	})
}

func (p *program) tellRaised(what string, r fence.Raised) error {
	_, err := fmt.Fprintf(p.stdout, "%s\nserver epoch %s, before it %s\nnothing goes out before `restore reconcile`: see `restore status`\n", what, r.Epoch, r.Prior)
	return err
}

func (p *program) adopt(ctx context.Context, c config.Config, at string) (err error) {
	var copied time.Time
	if at != "" {
		if copied, err = time.Parse(time.RFC3339, at); err != nil {
			return fmt.Errorf("cannot adopt: --at is no time such as 2026-11-22T09:00:00+09:00: %w", ErrUsage)
		}
		if copied.After(p.now()) {
			return fmt.Errorf("cannot adopt: --at has not come yet: %w", ErrUsage)
		}
	}
	db, err := store.Open(ctx, p.storeConfig(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := p.holdsSomething(ctx, db); err != nil {
		return err
	}
	r, err := p.fenceOf(db).Adopt(ctx, actor.System{Name: "restore --adopt"}, copied)
	if err != nil {
		return err
	}
	return p.tellRaised("the store is fenced as it is", r)
}

// holdsSomething refuses a store in which nobody has done anything: the one that came back is
// another, and would go on without a fence.
func (p *program) holdsSomething(ctx context.Context, db *store.DB) error {
	some, err := dump.HoldsRows(ctx, db)
	if err == nil && !some {
		err = errors.New("cannot adopt: this store is new; look at store.dsn")
	}
	return err
}

func (p *program) restoreStatus(ctx context.Context, args []string) error {
	asJSON := false
	file, rest, err := p.flags("restore status", args, func(f *flag.FlagSet) { f.BoolVar(&asJSON, "json", false, "print it as JSON") })
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("restore status takes no arguments: %w", ErrUsage)
	}
	c, err := p.load(file, config.Config.ValidateData)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, p.storeConfig(c))
	if err != nil {
		return err
	}
	s, err := p.fenceOf(db).Status(ctx)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(s)
	}
	return p.tellStatus(s)
}

func (p *program) tellStatus(s fence.Status) error {
	var b strings.Builder
	if !s.Fenced {
		fmt.Fprintf(&b, "the store is not fenced; server epoch %s\n", s.Epoch)
		_, err := fmt.Fprint(p.stdout, b.String())
		return err
	}
	when := "at a time that is not known"
	if !s.CopiedAt.IsZero() {
		when = s.CopiedAt.Format(time.RFC3339)
	}
	fmt.Fprintf(&b, "fenced since %s (%s); the copy was made %s\nserver epoch %s, before it %s\n", s.RaisedAt.Format(time.RFC3339), s.How, when, s.Epoch, s.Prior)
	fmt.Fprintf(&b, "payment lists that may have been sent since the copy: %d\n", len(s.Lists))
	for _, l := range s.Lists {
		word := string(l.Word)
		if word == "" {
			word = "say --sent or --not-sent"
		}
		fmt.Fprintf(&b, "  %s  %s  %s  %d payments, %d yen: %s\n", l.ID, l.Municipality, l.State, l.Count, l.Total, word)
	}
	fmt.Fprintf(&b, "notices whose pushes are owed: %d (say --pushes keep or drop)\n", s.Pushes)
	fmt.Fprintf(&b, "revoked certificates in the copy: %d", s.Revoked)
	if !s.RevokedAt.IsZero() {
		fmt.Fprintf(&b, ", the newest of %s", s.RevokedAt.Format(time.RFC3339))
	}
	b.WriteString(": enter again what was revoked since\n")
	fmt.Fprintf(&b, "terminals in use: %d, heard of since: %d, of those with nothing waiting: %d\n", s.Terminals.All, s.Terminals.Heard, s.Terminals.CaughtUp)
	_, err := fmt.Fprint(p.stdout, b.String())
	return err
}

// several collects a flag that may be given several times.
type several []string

// String implements flag.Value.
func (w *several) String() string { return strings.Join(*w, ",") }

// Set implements flag.Value.
func (w *several) Set(s string) error {
	*w = append(*w, s)
	return nil
}

func (p *program) reconcile(ctx context.Context, args []string) error {
	var d fence.Decision
	var pushes, paid string
	file, rest, err := p.flags("restore reconcile", args, func(f *flag.FlagSet) {
		f.StringVar(&d.By, "by", "", "the name of who looked")
		f.Var((*several)(&d.Sent), "sent", "a payment list whose file left the house (several times)")
		f.Var((*several)(&d.NotSent), "not-sent", "a payment list whose file did not (several times)")
		f.StringVar(&paid, "paid", "", "a file of what was paid by lists that status does not show, one a line: an award, or MUNICIPALITY,RESIDENT,BENEFIT,MONTH where the copy has no award")
		f.StringVar(&pushes, "pushes", "", "keep or drop what waits to be pushed")
	})
	if err != nil {
		return err
	}
	known := map[string]fence.PushWord{"keep": fence.Kept, "drop": fence.Dropped}
	if d.Pushes = known[pushes]; d.Pushes == "" || d.By == "" || len(rest) > 0 {
		return fmt.Errorf("cannot reconcile: say --by NAME and --pushes keep or drop: %w", ErrUsage)
	}
	if d.Paid, d.Entitled, err = paidIn(paid); err != nil {
		return err
	}
	h, err := p.openData(ctx, file)
	if err != nil {
		return err
	}
	defer h.close()
	open, err := h.fence.Reconcile(ctx, d)
	if err != nil {
		return err
	}
	if len(open) == 0 {
		_, err = fmt.Fprintln(p.stdout, "reconciled: the fence has lifted")
		return err
	}
	for _, l := range open {
		fmt.Fprintf(p.stdout, "%s  %s  %s  %d payments, %d yen\n", l.ID, l.Municipality, l.State, l.Count, l.Total)
	}
	return fmt.Errorf("the fence stands: %d payment lists have no word yet", len(open))
}

// maxPaidFile caps the file of what was paid, in bytes.
const maxPaidFile = 4 << 20

// paidIn reads what was paid, one a line: an award of the copy, or what the copy has no award
// for. It reads nothing without a file.
func paidIn(path string) (awards []string, others []fence.Entitlement, err error) {
	if path == "" {
		return nil, nil, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read what was paid: %w", err)
	}
	if info.Size() > maxPaidFile {
		return nil, nil, fmt.Errorf("cannot read what was paid: the file is larger than %d bytes", maxPaidFile)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read what was paid: %w", err)
	}
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(raw), "\ufeff")) {
		number++
		line = strings.TrimSpace(line)
		e, ok := entitlementOf(line)
		switch {
		case line == "":
		case handle.Valid("awd", line):
			awards = append(awards, line)
		case ok:
			others = append(others, e)
		default:
			return nil, nil, fmt.Errorf("cannot read what was paid: line %d is neither an award nor MUNICIPALITY,RESIDENT,BENEFIT,MONTH", number)
		}
	}
	return awards, others, nil
}

// entitlementOf reads the four fields of what was paid without an award of the copy.
func entitlementOf(line string) (fence.Entitlement, bool) {
	f := strings.Split(line, ",")
	if len(f) != 4 || slices.Contains(f, "") {
		return fence.Entitlement{}, false
	}
	month, err := benefit.ParseMonth(f[3])
	return fence.Entitlement{Municipality: identity.MunicipalityCode(f[0]), Resident: f[1], Benefit: f[2], Month: month}, err == nil
}
