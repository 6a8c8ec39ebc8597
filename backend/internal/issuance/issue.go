package issuance

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// Asked is a request for a certificate.
type Asked struct {
	Person identity.CitizenID `json:"person"`
	Use    Use                `json:"use"`
}

// operation names issuing among the kept calls.
const operation = "issueCertificate"

// Issue makes a certificate of everything the cell knows about the person. The same key
// with the same request, also at once, gives the same certificate; with another request, a Conflict.
//
// Faults: NotFound for a person whom the citizen may not act for, whether they exist or
// not; NoRecord with the counter when there is nothing to certify.
func (x *Office) Issue(ctx context.Context, who actor.Citizen, purpose audit.Purpose, key string, asked Asked) (Certificate, error) {
	if asked.Use != Domestic && asked.Use != Overseas {
		return Certificate{}, fault.At(fault.InvalidArgument, "body.use", "the use is domestic or overseas")
	}
	print, err := idempotency.Fingerprint(asked)
	if err != nil {
		return Certificate{}, err
	}
	call := idempotency.Call{Subject: string(who.ID), Operation: operation, Key: key, Fingerprint: print}
	c, err := x.issueOnce(ctx, who, purpose, call, asked)
	if errors.Is(err, errOvertaken) {
		c, err = x.issueOnce(ctx, who, purpose, call, asked) // what the other call made is there now
	}
	return c, err
}

// errOvertaken: another call under the same key committed after this one looked for it.
var errOvertaken = errors.New("another call was faster")

func (x *Office) issueOnce(ctx context.Context, who actor.Citizen, purpose audit.Purpose, call idempotency.Call, asked Asked) (Certificate, error) {
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
		out, refused, err = x.issue(ctx, t, who, purpose, person, asked.Use)
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
func (x *Office) issue(ctx context.Context, t tx.Tx, who actor.Citizen, purpose audit.Purpose, p citizen.Person, use Use) (c Certificate, refused, err error) {
	records, err := x.records(ctx, t, p.Resident)
	if err != nil {
		return c, nil, err
	}
	event := audit.Event{Purpose: purpose, Action: "certificate.issue", CitizenID: p.ID, Municipality: p.Ref.Municipality,
		Items: []string{"name", "birth_date", "vaccinations"}}
	c, err = x.sign(who, p, use, records)
	if code := fault.CodeOf(err); code == fault.NoRecord || code == fault.TooLarge || code == fault.InvalidArgument {
		event.Action = "certificate.refused"
		m, lost := x.Family.Municipality(ctx, t, p.Ref.Municipality)
		if lost != nil {
			return c, nil, lost
		}
		return Certificate{}, citizen.AtCounter(err, m), x.Record.Append(ctx, t, who, event)
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

// records lists everything the cell knows of the person, under earlier rows as well.
func (x *Office) records(ctx context.Context, t tx.Tx, p citizen.Resident) ([]Record, error) {
	earlier, err := x.Family.Earlier(ctx, t, p)
	if err != nil {
		return nil, err
	}
	by, err := x.Rows.Records(ctx, t, append([]identity.CitizenID{p.ID}, earlier...))
	if err != nil {
		return nil, err
	}
	var out []Record
	for _, rs := range by {
		out = append(out, rs...)
	}
	slices.SortFunc(out, func(a, b Record) int {
		if c := a.On.Compare(b.On); c != 0 {
			return c
		}
		if c := a.Number - b.Number; c != 0 {
			return int(c)
		}
		return strings.Compare(string(a.Municipality)+a.Ref, string(b.Municipality)+b.Ref)
	})
	return out, nil
}

// sign makes the certificate. Where the performers' names make it too large for one QR
// code they are left out: the specification does not ask for them.
func (x *Office) sign(who actor.Citizen, p citizen.Person, use Use, records []Record) (Certificate, error) {
	if len(records) == 0 {
		return Certificate{}, fault.New(fault.NoRecord, "there is no vaccination record to certify: ask the counter for a correction")
	}
	id, err := x.IDs.New("crt")
	if err != nil {
		return Certificate{}, err
	}
	stated, err := digest(records)
	if err != nil {
		return Certificate{}, err
	}
	at := x.Now().UTC()
	c := Certificate{ID: id, Person: p.ID, AskedBy: who.ID, Use: use, IssuedAt: at, Issuer: x.Issuer, KeyID: x.kid,
		RID: shc.RevocationID(x.Secret, x.kid, id), Records: stated, Claims: claims(p, use, records)}
	claimed := cert.Certificate{Format: shc.Format, Issuer: x.Issuer, ID: c.RID, Holder: p.Name, BirthDate: p.BirthDate.Date,
		IssuedAt: at, Doses: doses(records)}
	opts := shc.Options{}
	if use == Overseas {
		opts.Name = shc.NameLatin
	}
	c.Signed, err = shc.Issue(x.Key, x.Issuer, at, claimed, opts)
	if fault.CodeOf(err) == fault.TooLarge {
		for i := range claimed.Doses {
			claimed.Doses[i].Performer = ""
		}
		c.Signed, err = shc.Issue(x.Key, x.Issuer, at, claimed, opts)
	}
	return c, err
}

func claims(p citizen.Person, use Use, records []Record) Claims {
	c := Claims{Name: p.Name.Kanji(), BirthDate: p.BirthDate.Date}
	if use == Overseas {
		c.Name = p.Name.Latin()
	}
	for _, r := range records {
		c.Doses = append(c.Doses, Dose{int(r.Number), r.Product, r.On, r.Lot})
	}
	return c
}

func doses(records []Record) []cert.Dose {
	out := make([]cert.Dose, len(records))
	for i, r := range records {
		out[i] = cert.Dose{Number: int(r.Number), Code: r.Code, Product: r.Product, Manufacturer: r.Manufacturer,
			Lot: r.Lot, On: r.On, Performer: r.Performer, Country: r.Country}
	}
	return out
}
