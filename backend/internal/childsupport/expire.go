package childsupport

import (
	"context"
	"crypto/sha256"
	"slices"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// ofCases stands as the source in the proof that cases are gone.
const ofCases = "case"

// maxErasures caps one list of proofs.
const maxErasures = 200

// Expire erases, in batches of at most eraseRows children or cases: items past their
// retention and those that newer data superseded, flags that nobody reviewed, and closed
// cases past theirs. Each batch leaves a proof and an entry in the access record in its own
// transaction. Where the data still shows the same, a lapsed flag may be set anew.
func (x *Desk) Expire(ctx context.Context, who actor.System, purpose audit.Purpose) error {
	if err := x.register.purposeOf(purpose); err != nil {
		return err
	}
	all, err := x.municipalities(ctx)
	if err != nil {
		return err
	}
	for _, m := range all {
		for _, b := range x.batches(m.Code) {
			if err := x.eraseAll(ctx, who, purpose, b); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *Desk) batches(m identity.MunicipalityCode) []Batch {
	var out []Batch
	today := x.today()
	for _, i := range x.register.Items {
		for _, why := range []Why{PastRetention, Superseded} {
			out = append(out, Batch{m, i.Source, i.ID, why, today})
		}
	}
	for _, i := range x.register.Indicators {
		for _, why := range []Why{PastRetention, Lapsed} {
			out = append(out, Batch{m, ofCases, i.ID, why, today})
		}
	}
	return out
}

func (x *Desk) eraseAll(ctx context.Context, who actor.System, purpose audit.Purpose, b Batch) error {
	for {
		erased := 0
		err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
			keys, err := x.erase(ctx, t, b)
			if err != nil || len(keys) == 0 {
				return err
			}
			erased = len(keys)
			return x.prove(ctx, t, who, purpose, b, keys)
		})
		if err != nil || erased == 0 {
			return err
		}
	}
}

// erase erases one batch and gives the keys of what is gone.
func (x *Desk) erase(ctx context.Context, t tx.Tx, b Batch) ([]string, error) {
	if b.Source != ofCases {
		return x.Rows.EraseItems(ctx, t, b, eraseRows)
	}
	gone, err := x.Rows.EraseCases(ctx, t, b, eraseRows)
	if err != nil || len(gone) == 0 {
		return nil, err
	}
	keys := make([]string, len(gone))
	sum := Evaluation{Indicator: b.Item}
	for n, c := range gone {
		keys[n] = c.ID
		sum.add(c.counts())
	}
	id, err := x.ids.New("ctl")
	if err != nil {
		return nil, err
	}
	return keys, x.Rows.Tally(ctx, t, b.Municipality, id, x.Now(), sum)
}

// counts gives what an evaluation counts of one case.
func (c Stored) counts() Evaluation {
	count := func(yes bool) int {
		if yes {
			return 1
		}
		return 0
	}
	return Evaluation{Indicator: c.Indicator, Flagged: 1, Reviewed: count(c.State != Flagged), Contacted: count(!c.OfferedAt.IsZero()),
		Accepted: count(c.Answer == Yes), Declined: count(c.Answer == No), Wrong: count(c.Outcome == NotAsSaid)}
}

// digestOf gives SHA-256 over the sorted keys, each with a line break.
func digestOf(keys []string) []byte {
	h := sha256.New()
	for _, k := range slices.Sorted(slices.Values(keys)) {
		h.Write([]byte(k + "\n"))
	}
	return h.Sum(nil)
}

func (x *Desk) prove(ctx context.Context, t tx.Tx, who actor.System, purpose audit.Purpose, b Batch, keys []string) error {
	id, err := x.ids.New("cer")
	if err != nil {
		return err
	}
	e := Erasure{Source: b.Source, Item: b.Item, Why: b.Why, Count: len(keys), Cutoff: b.Cutoff, Digest: digestOf(keys), At: x.Now()}
	if err := x.Rows.AddErasure(ctx, t, b.Municipality, id, e); err != nil {
		return err
	}
	return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "items.erase", Municipality: b.Municipality,
		Object: id, Items: []string{b.Source, b.Item, string(b.Why)}})
}

// Erasures lists the newest proofs of the officer's municipality for auditors and approvers
// of child support.
func (x *Desk) Erasures(ctx context.Context, who actor.Staff, purpose audit.Purpose) ([]Erasure, error) {
	if !who.Has(actor.Auditor) && !who.Has(actor.ChildApprover) || who.Municipality == "" {
		return nil, fault.At(fault.Forbidden, "role", "auditors and approvers of child support look at this")
	}
	var out []Erasure
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		if out, err = x.Rows.Erasures(ctx, t, who.Municipality, maxErasures); err != nil {
			return err
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "erasure.list", Municipality: who.Municipality})
	})
	return out, err
}
