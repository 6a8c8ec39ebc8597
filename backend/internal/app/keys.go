package app

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"text/tabwriter"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/keyring"
)

// signingKeys shows and changes the keys that sign certificates.
func (p *program) signingKeys(ctx context.Context, args []string) error {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "list":
		return p.listKeys(ctx, args)
	case "rotate":
		return p.rotateKeys(ctx, args)
	case "withdraw":
		return p.withdrawKey(ctx, args)
	}
	return fmt.Errorf("cannot tell what to do with keys: list, rotate or withdraw: %w", ErrUsage)
}

// listedKey is a key as it is shown: nothing of its private part but where that is kept.
type listedKey struct {
	Format    keyring.Use `json:"format"`
	ID        string      `json:"id"`
	State     string      `json:"state"`
	Published time.Time   `json:"published_from"`
	From      time.Time   `json:"signs_from"`
	Until     time.Time   `json:"signs_until,omitzero"`
	Kept      string      `json:"kept"`
	Specimen  bool        `json:"specimen,omitzero"`
}

func listed(k keyring.Stored, now time.Time) listedKey {
	out := listedKey{Format: k.Use, ID: k.ID, State: "next", Published: k.PublishedFrom, From: k.UseFrom, Until: k.UseUntil, Kept: k.Keeping(), Specimen: k.Specimen}
	switch {
	case !k.Withdrawn.IsZero():
		out.State = "withdrawn"
	case k.Due(now):
		out.State = "in force, rotate it"
	case k.InForce(now):
		out.State = "in force"
	case k.Past(now):
		out.State = "old"
	}
	if end := k.SignsUntil(); out.Until.IsZero() && !end.IsZero() {
		out.Until = end
	}
	return out
}

func (p *program) listKeys(ctx context.Context, args []string) error {
	asJSON := false
	file, rest, err := p.flags("keys list", args, func(f *flag.FlagSet) { f.BoolVar(&asJSON, "json", false, "print the list as JSON") })
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("keys list takes no arguments: %w", ErrUsage)
	}
	h, err := p.openData(ctx, file)
	if err != nil {
		return err
	}
	defer h.close()
	all, err := h.ring.List(ctx, actor.System{Name: "keys list"}, audit.SigningKeys)
	if err != nil {
		return err
	}
	out := make([]listedKey, len(all))
	for i, k := range all {
		out[i] = listed(k, p.now())
	}
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(out)
	}
	return p.keyTable(out)
}

func (p *program) keyTable(all []listedKey) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FORMAT\tSTATE\tPUBLISHED FROM\tSIGNS FROM\tSIGNS UNTIL\tKEPT\tID")
	day := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format("2006-01-02T15:04Z")
	}
	for _, k := range all {
		state := k.State
		if k.Specimen {
			state += " (specimen)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Format, state, day(k.Published), day(k.From), day(k.Until), k.Kept, k.ID)
	}
	return w.Flush()
}

func (p *program) rotateKeys(ctx context.Context, args []string) error {
	var format, certificate, key, label string
	var now bool
	file, rest, err := p.flags("keys rotate", args, func(f *flag.FlagSet) {
		f.StringVar(&format, "format", "", "shc, hcert, sdjwt or vdsnc")
		f.StringVar(&certificate, "certificate", "", "the passport authority's certificate of the next vdsnc signer")
		f.StringVar(&key, "key", "", "its key")
		f.StringVar(&label, "key-label", "", "its key's label in the token, instead of a file")
		f.BoolVar(&now, "now", false, "the key in force is compromised: withdraw it at once")
	})
	if err != nil {
		return err
	}
	if format == "" || len(rest) > 0 || (certificate == "") != (key == "" && label == "") || key != "" && label != "" {
		return fmt.Errorf("cannot rotate: name one format, and for vdsnc certificate and key together: %w", ErrUsage)
	}
	x := keyring.Rotation{Use: keyring.Use(format), Compromised: now}
	if x.Border, err = border(config.VDSNC{CertificateFile: certificate, KeyFile: key, KeyLabel: label}); err != nil {
		return err
	}
	h, err := p.openData(ctx, file)
	if err != nil {
		return err
	}
	defer h.close()
	next, err := h.ring.Rotate(ctx, actor.System{Name: "keys rotate"}, audit.SigningKeys, x)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s %s is published from %s and signs from %s\n", next.Use, next.ID,
		next.PublishedFrom.UTC().Format(time.RFC3339), next.UseFrom.UTC().Format(time.RFC3339))
	return err
}

// withdrawKey takes the key's name as the last argument, also one that begins like a flag.
func (p *program) withdrawKey(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("cannot withdraw: name one key: %w", ErrUsage)
	}
	id := args[len(args)-1]
	if asksForHelp(id) {
		_, _, err := p.flags("keys withdraw", args, nil)
		return err
	}
	file, rest, err := p.flags("keys withdraw", args[:len(args)-1], nil)
	if err != nil {
		return err
	}
	if id == "" || len(rest) > 0 {
		return fmt.Errorf("cannot withdraw: name one key: %w", ErrUsage)
	}
	h, err := p.openData(ctx, file)
	if err != nil {
		return err
	}
	defer h.close()
	if err := h.ring.Withdraw(ctx, actor.System{Name: "keys withdraw"}, audit.SigningKeys, id); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s is withdrawn: it is published no more and never signs again\n", id)
	return err
}
