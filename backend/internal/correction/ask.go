package correction

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/reference"
	"madoguchi.example/backend/internal/remark"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// Asked is a request as a person makes it.
type Asked struct {
	Person      identity.CitizenID `json:"person"`
	Kind        Kind               `json:"kind"`
	Certificate string             `json:"certificate"`
	Dose        int                `json:"dose"`
	Words       string             `json:"words"`
}

// operation names asking among the kept calls.
const operation = "askCorrection"

// errOvertaken: another call under the same key committed after this one looked for it.
var errOvertaken = errors.New("another call was faster")

// Ask keeps a request and gives its reference. The same key with the same request, also at
// once, gives the same; with another request, a Conflict.
//
// Faults: NotFound for a person whom the citizen may not act for and for a certificate that
// is not that person's; InvalidArgument, TooLarge and MyNumberRefused with the field;
// RateLimited past MaxPerDay.
func (x *Desk) Ask(ctx context.Context, who actor.Citizen, purpose audit.Purpose, key string, asked Asked) (Request, error) {
	if err := asked.check(); err != nil {
		return Request{}, err
	}
	print, err := idempotency.Fingerprint(asked)
	if err != nil {
		return Request{}, err
	}
	call := idempotency.Call{Subject: string(who.ID), Operation: operation, Key: key, Fingerprint: print}
	r, err := x.askOnce(ctx, who, purpose, call, asked)
	if errors.Is(err, errOvertaken) {
		r, err = x.askOnce(ctx, who, purpose, call, asked) // what the other call made is there now
	}
	return r, err
}

func (a Asked) check() error {
	switch {
	case a.Kind != Missing && a.Kind != Wrong && a.Kind != Name:
		return fault.At(fault.InvalidArgument, "body.kind", "what is wrong is missing, wrong or name")
	case a.Dose < 0 || a.Dose > maxDose:
		return fault.At(fault.InvalidArgument, "body.dose", "a dose is 1 to %d", maxDose)
	}
	return remark.Check("body.words", a.Words, 1, MaxWords)
}

func (x *Desk) askOnce(ctx context.Context, who actor.Citizen, purpose audit.Purpose, call idempotency.Call, asked Asked) (Request, error) {
	var out Request
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		kept, found, err := x.Keeper.Replay(ctx, t, call)
		if err != nil {
			return err
		}
		people, err := x.Family.People(ctx, t, who)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(people, func(p citizen.Person) bool { return p.ID == asked.Person })
		if i < 0 {
			return fault.At(fault.NotFound, "body.person", "there is no such person for whom you may ask")
		}
		if found {
			out, err = x.again(ctx, t, people[i], string(kept))
		} else if out, err = x.keep(ctx, t, who, people, people[i], asked); err == nil {
			err = x.Keeper.Keep(ctx, t, call, []byte(out.Reference))
		}
		if fault.CodeOf(err) == fault.Conflict && !found {
			return errors.Join(err, errOvertaken)
		}
		if err != nil {
			return err
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "correction.ask", CitizenID: out.Person,
			Municipality: out.Municipality, Object: out.Reference, Items: []string{"correction"}})
	})
	if err != nil {
		return Request{}, err
	}
	return out, nil
}

// keep makes and stores a request.
func (x *Desk) keep(ctx context.Context, t tx.Tx, who actor.Citizen, people []citizen.Person, p citizen.Person, asked Asked) (Request, error) {
	n, err := x.Rows.AskedSince(ctx, t, who.ID, ids(people), civil.In(x.Now()).Midnight())
	if err != nil {
		return Request{}, err
	}
	if n >= MaxPerDay {
		return Request{}, fault.New(fault.RateLimited, "that is enough for one day: call the counter")
	}
	if asked.Certificate != "" {
		if _, ok, err := x.Records.Issued(ctx, t, p.ID, asked.Certificate); err != nil || !ok {
			return Request{}, errors.Join(err, fault.At(fault.NotFound, "body.certificate", "there is no such certificate of this person"))
		}
	}
	r := Request{Person: p.ID, AskedBy: who.ID, Municipality: p.Ref.Municipality, Kind: asked.Kind, Certificate: asked.Certificate,
		Dose: asked.Dose, Words: asked.Words, AskedAt: x.Now().UTC(), State: Open}
	if r.Reference, err = reference.New(x.IDs.Rand, reference.Correction); err != nil {
		return Request{}, err
	}
	if err := x.Rows.Insert(ctx, t, r); err != nil {
		return Request{}, err
	}
	return r, x.counters(ctx, t, []*Request{&r})
}

func (x *Desk) again(ctx context.Context, t tx.Tx, p citizen.Person, ref string) (Request, error) {
	r, ok, err := x.Rows.Get(ctx, t, p.ID, ref)
	if err == nil && !ok {
		err = fault.New(fault.Internal, "a kept request is not there")
	}
	if err != nil {
		return r, err
	}
	return r, x.counters(ctx, t, []*Request{&r})
}

func ids(people []citizen.Person) []identity.CitizenID {
	out := make([]identity.CitizenID, len(people))
	for i, p := range people {
		out[i] = p.ID
	}
	return out
}

// counters puts in who looks into each request.
func (x *Desk) counters(ctx context.Context, t tx.Tx, requests []*Request) error {
	all, err := x.Family.Municipalities(ctx, t)
	if err != nil {
		return err
	}
	for _, r := range requests {
		for _, m := range all {
			if m.Code == r.Municipality {
				r.Counter = m
			}
		}
	}
	return nil
}

// List gives what was asked about the citizen and the children they act for, newest first.
// The version changes whenever the list would.
func (x *Desk) List(ctx context.Context, who actor.Citizen, purpose audit.Purpose) (list []Request, version string, err error) {
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		people, err := x.Family.People(ctx, t, who)
		if err != nil {
			return err
		}
		if list, err = x.Rows.Newest(ctx, t, ids(people), MaxListed); err != nil {
			return err
		}
		shown := make([]*Request, len(list))
		read := map[identity.CitizenID]bool{}
		for i := range list {
			shown[i] = &list[i]
			read[list[i].Person] = true
		}
		for _, p := range people {
			if !read[p.ID] {
				continue
			}
			if err := x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "correction.read", CitizenID: p.ID,
				Municipality: p.Ref.Municipality, Items: []string{"correction"}}); err != nil {
				return err
			}
		}
		return x.counters(ctx, t, shown)
	})
	if err != nil {
		return nil, "", err
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return nil, "", fmt.Errorf("cannot name the list: %w", err)
	}
	sum := sha256.Sum256(raw)
	return list, hex.EncodeToString(sum[:16]), nil
}
