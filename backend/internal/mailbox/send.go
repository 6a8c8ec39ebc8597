package mailbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/jptext"
	"madoguchi.example/shared/notice"
)

// Audience is whom a list of recipients would reach.
type Audience struct {
	Sender string // the office, as the reader will see it
	Phone  string
	// Found counts the residents who would get the notice.
	Found int
	// Unknown lists the lines, from 1, that name no resident of the municipality who
	// lives there. It does not say why.
	Unknown []int
}

// Audience says whom refs would reach. Nothing is sent.
func (x *Office) Audience(ctx context.Context, who actor.Staff, purpose audit.Purpose, refs []string) (Audience, error) {
	switch {
	case !who.Has(actor.Clerk):
		return Audience{}, errNotClerk
	case len(refs) > MaxRecipients:
		return Audience{}, fault.At(fault.TooLarge, "recipients", "a notice goes to at most %d people", MaxRecipients)
	}
	var out Audience
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		m, err := x.People.Municipality(ctx, t, who.Municipality)
		if err != nil {
			return err
		}
		to, unknown, err := x.recipients(ctx, t, who, refs)
		if err != nil {
			return err
		}
		out = Audience{Sender: m.NameJA + " " + m.Counter.Name, Phone: m.Counter.Phone, Found: len(to)}
		for _, n := range unknown {
			out.Unknown = append(out.Unknown, n+1)
		}
		return x.looked(ctx, t, who, purpose, to)
	})
	return out, err
}

// looked records for each person that an officer learnt that they live here, and for
// nobody when nobody was found.
func (x *Office) looked(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, to []identity.CitizenID) error {
	e := audit.Event{Purpose: purpose, Action: "notice.audience", Municipality: who.Municipality}
	if len(to) == 0 {
		return x.Record.Append(ctx, t, who, e)
	}
	e.Items = []string{"residence"}
	entries := make([]audit.Event, len(to))
	for i, id := range to {
		entries[i], entries[i].CitizenID = e, id
	}
	return x.Record.AppendAll(ctx, t, who, entries)
}

// Preview checks a draft as Send would, and says whom it would reach.
func (x *Office) Preview(ctx context.Context, who actor.Staff, purpose audit.Purpose, d Draft) (Audience, error) {
	if err := x.may(who, d); err != nil {
		return Audience{}, err
	}
	return x.Audience(ctx, who, purpose, d.Recipients)
}

var errNotClerk = fault.New(fault.Forbidden, "only clerks write notices")

// may checks the officer's role and the draft itself.
func (x *Office) may(who actor.Staff, d Draft) error {
	if !who.Has(actor.Clerk) {
		return errNotClerk
	}
	return d.check(civil.In(x.Now()))
}

// recipients gives the citizens whom the lines name, each once, and the lines that name
// nobody, from 0.
func (x *Office) recipients(ctx context.Context, t tx.Tx, who actor.Staff, lines []string) (to []identity.CitizenID, unknown []int, err error) {
	refs := make([]string, len(lines))
	for i, r := range lines {
		if jptext.LooksLikeMyNumber(r) {
			return nil, nil, fault.At(fault.MyNumberRefused, line(i), "this looks like a My Number; it was not kept")
		}
		refs[i] = strings.TrimSpace(r)
		if len(refs[i]) > 64 || strings.ContainsRune(refs[i], 0) || !utf8.ValidString(refs[i]) {
			refs[i] = "" // no register has such a key
		}
	}
	found, err := x.People.Residents(ctx, t, who.Municipality, refs)
	if err != nil {
		return nil, nil, err
	}
	seen := map[identity.CitizenID]bool{}
	for i, r := range refs {
		id, ok := found[r]
		switch {
		case !ok:
			unknown = append(unknown, i)
		case !seen[id]:
			seen[id] = true
			to = append(to, id)
		}
	}
	return to, unknown, nil
}

// errOvertaken: another call sent the same form after this one looked for it.
var errOvertaken = fault.New(fault.Conflict, "the same form is being sent: look at the list of notices")

// Send sends the draft to everybody it names, or to nobody. The same client id with the
// same draft again, also at once, gives the notice that was sent; with another draft, a
// Conflict.
func (x *Office) Send(ctx context.Context, who actor.Staff, purpose audit.Purpose, d Draft) (Notice, error) {
	if err := x.may(who, d); err != nil {
		return Notice{}, err
	}
	n, err := x.sendOnce(ctx, who, purpose, d)
	if errors.Is(err, errOvertaken) {
		n, err = x.sendOnce(ctx, who, purpose, d) // what the other call sent is there now
	}
	return n, err
}

func (x *Office) sendOnce(ctx context.Context, who actor.Staff, purpose audit.Purpose, d Draft) (Notice, error) {
	print, err := fingerprint(d)
	if err != nil {
		return Notice{}, err
	}
	var out Notice
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		var found bool
		if out, found, err = x.Rows.ByClient(ctx, t, who.Municipality, d.ClientID); err != nil {
			return err
		}
		if found {
			return sameDraft(out, print)
		}
		to, unknown, err := x.recipients(ctx, t, who, d.Recipients)
		if err != nil {
			return err
		}
		switch {
		case d.LeaveOut && len(to) == 0:
			return fault.At(fault.InvalidArgument, "recipients", "nobody of the list lives in this municipality")
		case !d.LeaveOut && len(unknown) > 0:
			return fault.At(fault.InvalidArgument, line(unknown[0]), "no resident of this municipality has this number")
		}
		out, err = x.send(ctx, t, who, purpose, d, print, to)
		return err
	})
	if err != nil {
		return Notice{}, err
	}
	return out, nil
}

func sameDraft(n Notice, print []byte) error {
	if !bytes.Equal(n.Fingerprint, print) {
		return fault.At(fault.Conflict, "client_id", "another notice was sent from this form: open a new one")
	}
	return nil
}

// send stores mailbox rows, access record and push job in the one transaction.
func (x *Office) send(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, d Draft, print []byte, to []identity.CitizenID) (Notice, error) {
	n, err := x.notice(ctx, t, who, d, print, len(to))
	if err != nil {
		return n, err
	}
	stored, err := x.Rows.Insert(ctx, t, n)
	if err != nil {
		return n, err
	}
	if !stored {
		return n, errOvertaken
	}
	flagged, err := x.Protection.Flagged(ctx, t, to)
	if err != nil {
		return n, err
	}
	parcel := parcel{purpose: purpose, action: "notice.send", batch: push.Batch{Notice: n.ID}}
	for _, id := range to {
		parcel.add(n, id, flagged[id])
	}
	return n, x.dispatch(ctx, t, who, parcel)
}

func (x *Office) notice(ctx context.Context, t tx.Tx, who actor.Staff, d Draft, print []byte, recipients int) (Notice, error) {
	m, err := x.People.Municipality(ctx, t, who.Municipality)
	if err != nil {
		return Notice{}, err
	}
	id, err := x.IDs.New("ntc")
	if err != nil {
		return Notice{}, err
	}
	return Notice{
		ID: id, Municipality: m.Code, ClientID: d.ClientID, Fingerprint: print, Number: number(id), Kind: d.Kind,
		Sender: m.NameJA + " " + m.Counter.Name, Phone: m.Counter.Phone, Deadline: d.Deadline, Texts: d.Texts,
		WrittenBy: who.ID, Recipients: recipients, SentAt: x.Now().UTC().Truncate(time.Microsecond),
	}, nil
}

// number is what stands on a letter: the random end of the handle in groups, easy to read
// out: "7K3M-9QXZ-P2HR".
func number(id string) string {
	end := strings.ToUpper(id[len(id)-12:])
	return end[:4] + "-" + end[4:8] + "-" + end[8:]
}

// fingerprint names a draft. Maps are written in the order of their keys.
func fingerprint(d Draft) ([]byte, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("cannot fingerprint a draft: %w", err)
	}
	sum := sha256.Sum256(raw)
	return sum[:], nil
}

// Progress is how far a notice has come.
type Progress struct {
	Notice
	Pushed int // recipients to whom a push service took a push
	Read   int // recipients who opened it
}

var errNotReader = fault.New(fault.Forbidden, "only clerks and approvers look at notices")

func mayLook(who actor.Staff) error {
	if !who.Has(actor.Clerk) && !who.Has(actor.Approver) || who.Municipality == "" {
		return errNotReader
	}
	return nil
}

// Sent lists the notices of the officer's municipality, newest first, with counts: no
// recipient's row is read.
func (x *Office) Sent(ctx context.Context, who actor.Staff, purpose audit.Purpose, after Place, limit int) (out []Progress, next Place, err error) {
	if err := mayLook(who); err != nil {
		return nil, Place{}, err
	}
	if limit <= 0 || limit > MaxListed {
		limit = MaxListed
	}
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		found, err := x.Rows.Sent(ctx, t, who.Municipality, after, limit+1)
		if err != nil {
			return err
		}
		if len(found) > limit {
			found = found[:limit]
			next = Place{found[limit-1].SentAt, found[limit-1].ID}
		}
		for _, n := range found {
			p := Progress{Notice: n}
			if p.Read, err = x.Rows.CountRead(ctx, t, n.ID); err != nil {
				return err
			}
			if p.Pushed, err = x.Pushes.CountPushed(ctx, t, n.ID); err != nil {
				return err
			}
			out = append(out, p)
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "notice.sent_list", Municipality: who.Municipality})
	})
	return out, next, err
}

func (x *Office) progress(ctx context.Context, t tx.Tx, n Notice) (Progress, []Recipient, error) {
	deliveries, err := x.Rows.Deliveries(ctx, t, n.ID)
	if err != nil {
		return Progress{}, nil, err
	}
	pushed, err := x.Pushes.Pushed(ctx, t, n.ID)
	if err != nil {
		return Progress{}, nil, err
	}
	p := Progress{Notice: n, Pushed: len(pushed)}
	people := make([]Recipient, len(deliveries))
	for i, d := range deliveries {
		r := Recipient{Citizen: d.Citizen, State: notice.InMailbox, ReadAt: d.ReadAt, withheld: d.Channel == Withheld}
		if pushed[d.Citizen] {
			r.State = notice.Pushed
		}
		if !d.ReadAt.IsZero() {
			p.Read++
			r.State = notice.Read
		}
		people[i] = r
	}
	return p, people, nil
}

// Recipient is how far a notice has come with one person.
type Recipient struct {
	Citizen identity.CitizenID
	Ref     string // the municipality's own key of the person
	State   notice.DeliveryState
	ReadAt  time.Time // zero: not yet

	withheld bool // looks like one who has not opened it; the officer must not know
}

// Follow shows one notice of the officer's municipality with its recipients, and records
// for each of them that an officer looked.
func (x *Office) Follow(ctx context.Context, who actor.Staff, purpose audit.Purpose, id string) (p Progress, to []Recipient, err error) {
	if err := mayLook(who); err != nil {
		return p, nil, err
	}
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		n, ok, err := x.Rows.ByID(ctx, t, who.Municipality, id)
		if err != nil {
			return err
		}
		if !ok {
			return errNoNotice
		}
		if p, to, err = x.progress(ctx, t, n); err != nil {
			return err
		}
		return x.name(ctx, t, who, purpose, id, to)
	})
	return p, to, err
}

// name adds the recipients' refs, in their order, and records each look.
func (x *Office) name(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, id string, to []Recipient) error {
	ids := make([]identity.CitizenID, len(to))
	for i, r := range to {
		ids[i] = r.Citizen
	}
	refs, err := x.People.RefsOf(ctx, t, ids)
	if err != nil {
		return err
	}
	entries := make([]audit.Event, len(to))
	for i := range to {
		to[i].Ref = refs[to[i].Citizen]
		entries[i] = audit.Event{Purpose: hiding(purpose, to[i].withheld), Action: "notice.follow", CitizenID: to[i].Citizen,
			Municipality: who.Municipality, Object: id, Items: []string{"delivery"}}
	}
	if err := x.Record.AppendAll(ctx, t, who, entries); err != nil {
		return err
	}
	slices.SortFunc(to, func(a, b Recipient) int { return strings.Compare(a.Ref, b.Ref) })
	return nil
}
