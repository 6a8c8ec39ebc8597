package keyring

import (
	"context"
	"errors"
	"slices"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/trust"
)

// MaxPublished is the most keys of one use that are published: what a key set may hold.
const MaxPublished = trust.MaxKeys

// state is what an act is decided on: nobody else acts on the use meanwhile.
type state struct {
	all []Stored // newest first
	now time.Time
}

// plan is what an act does. The zero plan does nothing.
type plan struct {
	action string
	insert *Stored // the spare key, with its times
	set    []Stored
	object string // whom it is about, where that is not the inserted key
}

// change carries out one act: fn decides, and nothing else happens to the use meanwhile. A
// spare key that was made for the act and is in no row is destroyed.
func (r *Ring) change(ctx context.Context, who actor.Actor, purpose audit.Purpose, use Use, s *spare, fn func(state) (plan, error)) error {
	others, inserted := false, false // the spare's private part is that of an older row, of a new one
	err := r.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		acts, err := r.Rows.Hold(ctx, t, use)
		if err != nil {
			return err
		}
		all, err := r.Rows.Keys(ctx, t, use)
		if err != nil {
			return err
		}
		others = s != nil && slices.ContainsFunc(all, func(k Stored) bool { return k.Locator == s.Locator })
		p, err := fn(state{all: all, now: r.now()})
		if err != nil || p.action == "" {
			return err
		}
		inserted = p.insert != nil
		return r.carryOut(ctx, t, who, purpose, acts, p)
	})
	if s != nil && s.made && !others && (!inserted || err != nil) && fault.CodeOf(err) != fault.Unknown {
		err = errors.Join(err, r.destroy(s.Locator))
	}
	return err
}

func (r *Ring) carryOut(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, acts int64, p plan) error {
	for _, k := range p.set {
		if err := r.Rows.SetTimes(ctx, t, k); err != nil {
			return err
		}
	}
	object := p.object
	if p.insert != nil {
		k := *p.insert
		k.Number = acts
		if err := r.Rows.Insert(ctx, t, k); err != nil {
			return err
		}
		if object == "" {
			object = k.ID
		}
	}
	return r.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: p.action, Object: object})
}

// Rotation asks for the next key of a use.
type Rotation struct {
	Use Use
	// Border is the signer from outside that is to follow, for VDS-NC alone; nil: another
	// specimen.
	Border *Border
	// Compromised: the key in force is withdrawn at once, and the next signs from now on,
	// though verifiers that keep what they read may not know it yet.
	Compromised bool
}

// Rotate publishes the next key of a use now and has it follow the one in force after one
// cache lifetime; what went out of use before is destroyed. It gives the next key.
//
// Faults: Conflict while a next key waits already, InvalidArgument for a use that there is not or a
// signer that does not fit.
func (r *Ring) Rotate(ctx context.Context, who actor.System, purpose audit.Purpose, x Rotation) (Key, error) {
	if !slices.Contains(Uses(), x.Use) {
		return Key{}, fault.At(fault.InvalidArgument, "format", "must be shc, hcert, sdjwt or vdsnc")
	}
	if err := r.Sweep(ctx, who, purpose); err != nil {
		return Key{}, err
	}
	s, err := r.follower(ctx, x)
	if err != nil {
		return Key{}, err
	}
	var next Key
	err = r.change(ctx, who, purpose, x.Use, s, func(now state) (plan, error) {
		p, err := r.rotation(now, x, s.Stored)
		if err == nil {
			next = p.next()
		}
		return p, err
	})
	return next, err
}

// next gives the key that a rotation brings into force.
func (p plan) next() Key {
	if p.insert != nil {
		return p.insert.Key
	}
	return p.set[len(p.set)-1].Key
}

// follower makes the key that a rotation may need.
func (r *Ring) follower(ctx context.Context, x Rotation) (*spare, error) {
	if x.Border == nil {
		if x.Use == VDSNC {
			if err := r.specimensOnly(ctx); err != nil {
				return nil, err
			}
		}
		return r.make(x.Use)
	}
	if x.Use != VDSNC {
		return nil, fault.At(fault.InvalidArgument, "certificate", "goes with the format vdsnc alone: the others make their own")
	}
	given, err := r.borrow(*x.Border)
	if err != nil {
		return nil, err
	}
	all, err := r.Rows.Keys(ctx, nil, VDSNC)
	if err != nil {
		return nil, err
	}
	if has(all, given.ID) {
		return nil, fault.At(fault.Conflict, "certificate", "this signer is in the ring already")
	}
	given.Locator, err = r.keepBorrowed(given)
	given.made = given.fresh.label == ""
	return &given.spare, err
}

// specimensOnly refuses to follow a real signer by a specimen.
func (r *Ring) specimensOnly(ctx context.Context) error {
	all, err := r.Rows.Keys(ctx, nil, VDSNC)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(k Stored) bool { return !k.Specimen }) {
		return fault.At(fault.InvalidArgument, "certificate", "name the certificate and the key of the signer that follows: a specimen may not")
	}
	return nil
}

// rotation decides a rotation.
func (r *Ring) rotation(s state, x Rotation, fresh Stored) (plan, error) {
	current, signs := inForce(s.all, s.now)
	if !x.Compromised || !signs {
		return rotated(s, fresh, r.CacheLifetime)
	}
	p := plan{action: "key.rotate_now", object: current.ID, set: []Stored{withdrawn(current, s.now)}}
	next, waits := coming(s.all, s.now)
	switch {
	case waits && x.Border != nil:
		return plan{}, fault.At(fault.Conflict, "certificate", "another signer waits already: withdraw it, or let it follow")
	case waits:
		next.UseFrom = s.now
		p.set = append(p.set, next)
	default:
		fresh.PublishedFrom, fresh.UseFrom = s.now, s.now
		p.insert = &fresh
	}
	return p, nil
}

// rotated plans that fresh follows the key in force after lead; at once where that one
// proves nothing or may not sign any more, as only a VDS-NC signer can (its documents
// carry their certificate).
func rotated(s state, fresh Stored, lead time.Duration) (plan, error) {
	if next, waits := coming(s.all, s.now); waits {
		return plan{}, fault.At(fault.Conflict, "format", "the next key waits already: it is in force from %s", next.UseFrom.Format(time.RFC3339))
	}
	if published(s.all, s.now) >= MaxPublished {
		return plan{}, fault.At(fault.Conflict, "format", "%d keys are published, the most there may be: withdraw the oldest", MaxPublished)
	}
	p := plan{action: "key.rotate", insert: &fresh}
	current, signs := inForce(s.all, s.now)
	if fresh.Use == VDSNC && (!signs || current.Specimen || maySign(current.Key, s.now) != nil) {
		lead = 0
	}
	fresh.PublishedFrom, fresh.UseFrom = s.now, s.now.Add(lead)
	if signs {
		current.UseUntil = fresh.UseFrom
		p.set = []Stored{current}
	}
	return p, nil
}

func published(all []Stored, at time.Time) (n int) {
	for _, k := range all {
		if k.published(at) {
			n++
		}
	}
	return n
}

func withdrawn(k Stored, now time.Time) Stored {
	k.Withdrawn = now
	if k.UseUntil.IsZero() || k.UseUntil.After(now) {
		k.UseUntil = now
	}
	return k
}

// errSpare: the key in force is to be withdrawn, and no key is there to follow it.
var errSpare = errors.New("a key must follow")

// Withdraw takes a compromised key out of publication and use at once. Where it was in
// force, the next one signs from now on, or a new one where none waited; a VDS-NC signer
// from outside has no follower. To withdraw a key again changes nothing.
//
// Fault: NotFound where no key has the name.
func (r *Ring) Withdraw(ctx context.Context, who actor.System, purpose audit.Purpose, id string) error {
	all, err := r.List(ctx, who, purpose)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(k Stored) bool { return k.ID == id })
	if i < 0 {
		return fault.At(fault.NotFound, "id", "no key has this name")
	}
	use := all[i].Use
	err = r.change(ctx, who, purpose, use, nil, func(s state) (plan, error) { return withdrawal(s, id, nil) })
	if errors.Is(err, errSpare) {
		s, err := r.make(use)
		if err != nil {
			return err
		}
		return r.change(ctx, who, purpose, use, s, func(now state) (plan, error) { return withdrawal(now, id, &s.Stored) })
	}
	return err
}

// withdrawal decides a withdrawal.
func withdrawal(s state, id string, fresh *Stored) (plan, error) {
	k := s.all[slices.IndexFunc(s.all, func(k Stored) bool { return k.ID == id })]
	if !k.Withdrawn.IsZero() {
		return plan{}, nil
	}
	p := plan{action: "key.withdraw", object: id, set: []Stored{withdrawn(k, s.now)}}
	current, signs := inForce(s.all, s.now)
	next, waits := coming(s.all, s.now)
	switch {
	case signs && current.ID == id && waits:
		next.UseFrom = s.now
		p.set = append(p.set, next)
	case signs && current.ID == id && (k.Use != VDSNC || k.Specimen):
		if fresh == nil {
			return plan{}, errSpare
		}
		fresh.PublishedFrom, fresh.UseFrom = s.now, s.now
		p.insert = fresh
	case waits && next.ID == id && signs:
		current.UseUntil = time.Time{}
		p.set = append(p.set, current)
	}
	return p, nil
}

// Sweep destroys the private parts that this process can reach of keys that are out of use.
func (r *Ring) Sweep(ctx context.Context, who actor.System, purpose audit.Purpose) error {
	all, err := r.List(ctx, who, purpose)
	if err != nil {
		return err
	}
	for _, k := range all {
		if !k.Past(r.now()) {
			continue
		}
		r.forget(k.Key)
		found, err := r.there(k)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		if err := r.change(ctx, who, purpose, k.Use, nil, func(s state) (plan, error) { return destruction(s, k.ID) }); err != nil {
			return err
		}
		if err := r.destroy(k.Locator); err != nil {
			return err
		}
	}
	return nil
}

// destruction notes that a private part goes, before it does: what is noted and still
// there goes with the next sweep.
func destruction(s state, id string) (plan, error) {
	k := s.all[slices.IndexFunc(s.all, func(k Stored) bool { return k.ID == id })]
	if !k.Past(s.now) {
		return plan{}, fault.At(fault.Conflict, "id", "the key is in use again")
	}
	if !k.Destroyed.IsZero() {
		return plan{}, nil
	}
	k.Destroyed = s.now
	return plan{action: "key.destroy", object: id, set: []Stored{k}}, nil
}

func (r *Ring) forget(k Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loaded[k.Use].id == k.ID {
		delete(r.loaded, k.Use)
	}
}
