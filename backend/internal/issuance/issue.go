package issuance

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// Asked is a request for a certificate.
type Asked struct {
	Person identity.CitizenID `json:"person"`
	Use    Use                `json:"use"`
	// MRZ are the two lines of the passport, for overseas; without them there is no
	// rendering for borders. They are not kept.
	MRZ []string `json:"mrz,omitempty"`
}

// LogValue leaves the passport out.
func (a Asked) LogValue() slog.Value { return slog.StringValue(string(a.Person) + " " + string(a.Use)) }

// String leaves the passport out.
func (a Asked) String() string { return string(a.Person) + " " + string(a.Use) }

// operation names issuing among the kept calls.
const operation = "issueCertificate"

// Issue makes a certificate of everything the cell knows about the person. The same key
// with the same request, also at once, gives the same certificate; with another request, a Conflict.
//
// Faults: NotFound for a person whom the citizen may not act for, whether they exist or
// not; NoRecord with the counter when there is nothing to certify; InvalidArgument at
// body.mrz.N where the passport's lines are wrong or of somebody else. What the counter can
// mend comes with a reference and the counter: see Refused.
func (x *Office) Issue(ctx context.Context, who actor.Citizen, purpose audit.Purpose, key string, asked Asked) (Certificate, error) {
	if asked.Use != Domestic && asked.Use != Overseas {
		return Certificate{}, fault.At(fault.InvalidArgument, "body.use", "the use is domestic or overseas")
	}
	passport, err := readPassport(asked, x.today())
	if err != nil {
		return Certificate{}, err
	}
	print, err := x.fingerprint(asked)
	if err != nil {
		return Certificate{}, err
	}
	call := idempotency.Call{Subject: string(who.ID), Operation: operation, Key: key, Fingerprint: print}
	c, err := x.issueOnce(ctx, who, purpose, call, asked, passport)
	if errors.Is(err, errOvertaken) {
		c, err = x.issueOnce(ctx, who, purpose, call, asked, passport) // what the other call made is there now
	}
	return c, err
}

// fingerprint names the request. With a passport in it, it is made under our secret: the
// numbers of passports are few enough to try them all.
func (x *Office) fingerprint(asked Asked) ([]byte, error) {
	print, err := idempotency.Fingerprint(asked)
	if err != nil || len(asked.MRZ) == 0 {
		return print, err
	}
	return x.mark("passport", string(print)), nil
}

// mark is a MAC of ours, for one use.
func (x *Office) mark(use, words string) []byte {
	m := hmac.New(sha256.New, x.Secret)
	m.Write([]byte(use + "\x00" + words))
	return m.Sum(nil)
}

// errOvertaken: another call under the same key committed after this one looked for it.
var errOvertaken = errors.New("another call was faster")

func (x *Office) issueOnce(ctx context.Context, who actor.Citizen, purpose audit.Purpose, call idempotency.Call, asked Asked, passport *passport) (Certificate, error) {
	var out Certificate
	var refused error
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		kept, found, err := x.Keeper.Replay(ctx, t, call)
		if err != nil {
			return err
		}
		person, err := x.person(ctx, t, who, asked.Person)
		if err != nil {
			return err
		}
		if found {
			out, err = x.again(ctx, t, who, purpose, person, string(kept))
			return err
		}
		out, refused, err = x.issue(ctx, t, who, purpose, person, asked.Use, passport)
		if err != nil || refused != nil {
			return err
		}
		err = x.Keeper.Keep(ctx, t, call, []byte(out.ID))
		if fault.CodeOf(err) == fault.Conflict {
			return errors.Join(err, errOvertaken)
		}
		return err
	})
	if err != nil {
		return Certificate{}, err
	}
	return out, refused
}

// person gives the one person of the citizen's whom the request names.
func (x *Office) person(ctx context.Context, t tx.Tx, who actor.Citizen, id identity.CitizenID) (citizen.Person, error) {
	people, err := x.Family.People(ctx, t, who)
	if err != nil {
		return citizen.Person{}, err
	}
	i := slices.IndexFunc(people, func(p citizen.Person) bool { return p.ID == id })
	if i < 0 {
		return citizen.Person{}, fault.At(fault.NotFound, "body.person", "there is no such person for whom you may ask")
	}
	return people[i], nil
}

// issue signs and stores a new certificate. refused says why there is none; the look at
// the records is on record all the same.
func (x *Office) issue(ctx context.Context, t tx.Tx, who actor.Citizen, purpose audit.Purpose, p citizen.Person, use Use, pass *passport) (c Certificate, refused, err error) {
	held, err := x.settled(ctx, t, p.Resident)
	if err != nil {
		return c, nil, err
	}
	event := audit.Event{Purpose: purpose, Action: "certificate.issue", CitizenID: p.ID, Municipality: p.Ref.Municipality,
		Items: []string{"name", "birth_date", "vaccinations"}}
	if pass != nil {
		event.Items = append(event.Items, "passport")
	}
	if err = pass.belongsTo(p.Resident, x.today()); err == nil {
		c, err = x.compose(ctx, t, who, p, use, pass, held)
	}
	if code := fault.CodeOf(err); code == fault.NoRecord || code == fault.TooLarge || code == fault.InvalidArgument {
		event.Action = "certificate.refused"
		told, err := x.refuse(ctx, t, p.Resident, err)
		if err != nil {
			return c, nil, err
		}
		event.Object = told.Reference
		return Certificate{}, told, x.Record.Append(ctx, t, who, event)
	}
	if err != nil {
		return c, nil, err
	}
	if err := x.Rows.Insert(ctx, t, c); err != nil {
		return c, nil, err
	}
	event.Object = c.ID
	return c, nil, x.Record.Append(ctx, t, who, event)
}

// settled lists the records of the person and keeps corrections of them out: a certificate
// of what they say is there for the next correction to revoke.
func (x *Office) settled(ctx context.Context, t tx.Tx, p citizen.Resident) ([]Held, error) {
	kept := map[Number]bool{}
	for {
		held, err := x.records(ctx, t, p)
		if err != nil {
			return nil, err
		}
		var loose []Number
		for _, h := range held {
			if n := (Number{h.Municipality, h.Ref}); !kept[n] {
				kept[n] = true
				loose = append(loose, n)
			}
		}
		if len(loose) == 0 {
			return held, nil
		}
		if err := x.Rows.HoldRecords(ctx, t, loose); err != nil {
			return nil, err
		}
	}
}

// again reads the certificate that an earlier call under the same key made.
func (x *Office) again(ctx context.Context, t tx.Tx, who actor.Citizen, purpose audit.Purpose, p citizen.Person, id string) (Certificate, error) {
	c, ok, err := x.Rows.Get(ctx, t, p.ID, id)
	if err != nil {
		return c, err
	}
	if !ok {
		return c, fault.New(fault.Internal, "a kept certificate is not there")
	}
	records, err := x.records(ctx, t, p.Resident)
	if err != nil {
		return c, err
	}
	now, err := digest(records)
	if err != nil {
		return c, err
	}
	c.Superseded = !bytes.Equal(now, c.Records)
	return c, x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "certificate.read", CitizenID: p.ID,
		Municipality: p.Ref.Municipality, Object: id, Items: []string{"certificate"}})
}

// records lists everything the cell knows of the person, under earlier rows as well, by
// day, dose number and record number.
func (x *Office) records(ctx context.Context, t tx.Tx, p citizen.Resident) ([]Held, error) {
	earlier, err := x.Family.Earlier(ctx, t, p)
	if err != nil {
		return nil, err
	}
	by, err := x.Rows.Records(ctx, t, append([]identity.CitizenID{p.ID}, earlier...))
	if err != nil {
		return nil, err
	}
	var out []Held
	for id, rs := range by {
		for _, r := range rs {
			out = append(out, Held{id, r})
		}
	}
	slices.SortFunc(out, func(a, b Held) int {
		return cmp.Or(a.On.Compare(b.On), cmp.Compare(a.Number, b.Number),
			strings.Compare(string(a.Municipality)+a.Ref, string(b.Municipality)+b.Ref))
	})
	return once(out), nil
}

// once leaves out what two municipalities recorded of one vaccination: the same day, the
// same code and the same number of the dose. The first in the order of municipality and
// record number stays; which lot is right is for the offices to say, by a correction.
func once(held []Held) []Held {
	type vaccination struct {
		on     civil.Date
		code   string
		number int64
	}
	seen := map[vaccination]bool{}
	return slices.DeleteFunc(held, func(h Held) bool {
		v := vaccination{h.On, strings.TrimLeft(h.Code, "0"), h.Number}
		before := seen[v]
		seen[v] = true
		return before
	})
}

func (x *Office) today() civil.Date { return civil.In(x.Now()) }
