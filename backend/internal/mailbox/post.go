package mailbox

import (
	"context"
	"crypto/sha256"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Limits of a posting.
const (
	MaxLetters = push.MaxRecipients // of one call
	MaxAbout   = 20                 // people whom one letter tells of
	MaxOnce    = 200                // bytes
)

// Letter is a notice for one person that another use case posts.
type Letter struct {
	To identity.CitizenID
	// About is whose matters it tells of. A protection of any of them withholds it, as one
	// of To does.
	About        []identity.CitizenID
	Municipality identity.MunicipalityCode
	Kind         notice.Kind
	Deadline     civil.Date // needed for an action
	Texts        map[notice.Language]notice.Text
	Subject      notice.Subject
	// Once names the letter in its municipality: it is posted once under this name.
	Once string
}

// Posted is what became of a letter.
type Posted struct {
	Notice   string
	Withheld bool // a protection holds: it is on the protectors' list, and nowhere else
}

// PostedCopy is a letter that was posted before.
type PostedCopy struct {
	Posted
	Fingerprint []byte
}

// Post posts at most MaxLetters letters in the caller's transaction: mailbox rows, the
// list of what is withheld, the access record and one push job are stored with the
// caller's own rows or not at all. It answers one Posted per letter, in order. A letter
// whose Once was posted before, also earlier in letters, is not posted again and gets the
// same answer, whatever its words say now; for another person or subject it is a Conflict.
//
// The caller has made sure that To lives in the municipality.
func (x *Office) Post(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, letters []Letter) ([]Posted, error) {
	if len(letters) > MaxLetters {
		return nil, fault.At(fault.TooLarge, "letters", "at most %d letters are posted at once", MaxLetters)
	}
	for _, l := range letters {
		if err := l.check(who); err != nil {
			return nil, err
		}
	}
	before, err := x.postedBefore(ctx, t, letters)
	if err != nil {
		return nil, err
	}
	fresh, err := x.stamp(ctx, t, who, letters, before)
	if err != nil {
		return nil, err
	}
	if err := x.post(ctx, t, who, purpose, fresh); err != nil {
		return nil, err
	}
	out := make([]Posted, len(letters))
	for i, l := range letters {
		out[i] = before[l.name()].Posted
	}
	return out, nil
}

// name is the letter in its municipality. A form's client id holds no colon, so that no
// officer can take the name first.
func (l Letter) name() onceName { return onceName{l.Municipality, "once:" + l.Once} }

type onceName struct {
	municipality identity.MunicipalityCode
	clientID     string
}

// fingerprint names what must not change under one Once.
func (l Letter) fingerprint() []byte {
	sum := sha256.Sum256([]byte(string(l.To) + "\n" + string(l.Subject.Kind) + "\n" + l.Subject.ID))
	return sum[:]
}

func (l Letter) check(who actor.Actor) error {
	s, isStaff := who.(actor.Staff)
	switch {
	case isStaff && s.Municipality != l.Municipality:
		return fault.New(fault.Forbidden, "officers post in their own municipality")
	case l.To == "" || l.Municipality == "":
		return fault.At(fault.Internal, "to", "a letter names its reader and its municipality")
	case l.Once == "" || len(l.Once) > MaxOnce:
		return fault.At(fault.Internal, "once", "a letter has a name of at most %d bytes", MaxOnce)
	case len(l.About) > MaxAbout:
		return fault.At(fault.TooLarge, "about", "a letter tells of at most %d people", MaxAbout)
	case l.Kind != notice.Information && l.Kind != notice.Action:
		return fault.At(fault.InvalidArgument, "kind", "a notice informs or asks for an action")
	case l.Kind == notice.Action && l.Deadline.IsZero():
		return fault.At(fault.InvalidArgument, "deadline", "an action has a last day")
	}
	return checkTexts(l.Texts)
}

// postedBefore finds the letters whose Once was used, and refuses those that mean
// something else by it.
func (x *Office) postedBefore(ctx context.Context, t tx.Tx, letters []Letter) (map[onceName]PostedCopy, error) {
	ask := map[identity.MunicipalityCode][]string{}
	for _, l := range letters {
		ask[l.Municipality] = append(ask[l.Municipality], l.name().clientID)
	}
	out := map[onceName]PostedCopy{}
	for m, ids := range ask {
		found, err := x.Rows.Posted(ctx, t, m, ids)
		if err != nil {
			return nil, err
		}
		for id, p := range found {
			out[onceName{m, id}] = p
		}
	}
	for _, l := range letters {
		if p, ok := out[l.name()]; ok {
			if err := sameLetter(p, l); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func sameLetter(p PostedCopy, l Letter) error {
	if string(p.Fingerprint) != string(l.fingerprint()) {
		return fault.At(fault.Conflict, "once", "another letter was posted under this name")
	}
	return nil
}

// addressed is a notice with its only recipient.
type addressed struct {
	Notice
	to       identity.CitizenID
	withheld bool
}

// stamp makes the notices of the letters that were not posted before and notes in before
// what will become of each.
func (x *Office) stamp(ctx context.Context, t tx.Tx, who actor.Actor, letters []Letter, before map[onceName]PostedCopy) ([]addressed, error) {
	flagged, err := x.Protection.Flagged(ctx, t, everybody(letters))
	if err != nil {
		return nil, err
	}
	posting, err := x.IDs.New("pst")
	if err != nil {
		return nil, err
	}
	offices := map[identity.MunicipalityCode]citizen.Municipality{}
	at := x.Now().UTC().Truncate(time.Microsecond)
	var out []addressed
	for _, l := range letters {
		if p, ok := before[l.name()]; ok {
			if err := sameLetter(p, l); err != nil {
				return nil, err
			}
			continue
		}
		if _, ok := offices[l.Municipality]; !ok {
			if offices[l.Municipality], err = x.People.Municipality(ctx, t, l.Municipality); err != nil {
				return nil, err
			}
		}
		n := l.notice(offices[l.Municipality])
		if n.ID, err = x.IDs.New("ntc"); err != nil {
			return nil, err
		}
		n.Number, n.Posting, n.SentAt, n.WrittenBy = number(n.ID), posting, at, who.AuditActor().ID
		a := addressed{n, l.To, l.withheldBy(flagged)}
		before[l.name()] = PostedCopy{Posted{n.ID, a.withheld}, n.Fingerprint}
		out = append(out, a)
	}
	return out, nil
}

func everybody(letters []Letter) []identity.CitizenID {
	var ids []identity.CitizenID
	for _, l := range letters {
		ids = append(append(ids, l.To), l.About...)
	}
	return ids
}

func (l Letter) withheldBy(flagged map[identity.CitizenID]bool) bool {
	withheld := flagged[l.To]
	for _, id := range l.About {
		withheld = withheld || flagged[id]
	}
	return withheld
}

func (l Letter) notice(m citizen.Municipality) Notice {
	return Notice{
		Municipality: m.Code, ClientID: l.name().clientID, Fingerprint: l.fingerprint(), Kind: l.Kind,
		Sender: m.NameJA + " " + m.Counter.Name, Phone: m.Counter.Phone, Deadline: l.Deadline, Texts: l.Texts,
		Recipients: 1, Subject: l.Subject, About: l.About,
	}
}

// post stores new letters with all that belongs to them.
func (x *Office) post(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, fresh []addressed) error {
	if len(fresh) == 0 {
		return nil
	}
	parcel := parcel{purpose: purpose, action: "notice.post", batch: push.Batch{Notice: fresh[0].Posting}}
	notices := make([]Notice, len(fresh))
	for i, a := range fresh {
		notices[i] = a.Notice
		parcel.add(a.Notice, a.to, a.withheld)
	}
	stored, err := x.Rows.InsertAll(ctx, t, notices)
	if err != nil {
		return err
	}
	if stored != len(notices) {
		return errPostedAtOnce
	}
	return x.dispatch(ctx, t, who, parcel)
}

// errPostedAtOnce: another transaction posted under the same name after this one looked.
var errPostedAtOnce = fault.New(fault.Conflict, "the same letter is being posted: do it again")
