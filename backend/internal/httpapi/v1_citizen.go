package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

// CitizenDeps is what the routes of a signed-in citizen need; all are required but Benefits,
// Offers and Corrections, whose routes are left out where they are nil.
type CitizenDeps struct {
	Registry    *citizen.Registry
	Issuance    *issuance.Office
	Mailbox     *mailbox.Office
	Push        *push.Desk
	Benefits    Benefits
	Offers      Offers
	Corrections Corrections
	Cursors     *Cursors
	Now         func() time.Time
}

// The limits of one citizen's calls. Certificates are signed, drawn and kept: few of them
// go a long way.
const (
	citizenBurst  = 300
	citizenRefill = 100 * time.Millisecond
	issueBurst    = 20
	issueRefill   = time.Minute
)

// limitedCitizen counts the call against its citizen.
func limitedCitizen[I, O any](l *limiter, h func(context.Context, actor.Citizen, *I) (*O, error)) func(context.Context, actor.Citizen, *I) (*O, error) {
	return func(ctx context.Context, who actor.Citizen, in *I) (*O, error) {
		if err := l.take(string(who.ID)); err != nil {
			return nil, err
		}
		return h(ctx, who, in)
	}
}

// CitizenRoutes binds everything that a signed-in citizen does.
func CitizenRoutes(d CitizenDeps) []Route {
	f := citizenFace{d}
	all, issues := newLimiter(citizenBurst, citizenRefill, maxCallers, d.Now), newLimiter(issueBurst, issueRefill, maxCallers, d.Now)
	routes := []Route{
		Bind(apiv1.GetMe, CitizenOnly, limitedCitizen(all, f.me)),
		Bind(apiv1.IssueCert, CitizenOnly, limitedCitizen(issues, f.issue)),
		Bind(apiv1.ListCerts, CitizenOnly, limitedCitizen(all, f.certificates)),
		Bind(apiv1.ListNotice, CitizenOnly, limitedCitizen(all, f.notices)),
		Bind(apiv1.GetNotice, CitizenOnly, limitedCitizen(all, f.notice)),
		Bind(apiv1.ReadNotice, CitizenOnly, limitedCitizen(all, f.read)),
		Bind(apiv1.ResolvePush, CitizenOnly, limitedCitizen(all, f.byPush)),
		Bind(apiv1.PutDevice, CitizenOnly, limitedCitizen(all, f.register)),
		Bind(apiv1.DeleteDevice, CitizenOnly, limitedCitizen(all, f.unregister)),
		Bind(apiv1.ListAccesses, CitizenOnly, limitedCitizen(all, f.accesses)),
	}
	if d.Corrections != nil {
		routes = append(routes, f.correctionRoutes(all, issues)...)
	}
	if d.Benefits != nil {
		routes = append(routes, f.benefitRoutes(all)...)
	}
	if d.Offers != nil {
		routes = append(routes, f.offerRoutes(all)...)
	}
	return routes
}

type citizenFace struct{ CitizenDeps }

// privately forbids every cache on the way; the app keeps what it wants itself.
const privately = "private, no-store"

// revalidated lets the app keep a list and ask whether it is still right.
const revalidated = "private, no-cache"

func (f citizenFace) me(ctx context.Context, who actor.Citizen, _ *apiv1.Nothing) (*apiv1.Me, error) {
	me, err := f.Registry.Me(ctx, who, audit.Self)
	if err != nil {
		return nil, err
	}
	out := &apiv1.Me{}
	m := me.Municipality
	out.Body.Municipality = m.NameJA
	out.Body.Counter = apiv1.Counter{Municipality: m.NameJA, Name: m.Counter.Name, Place: m.Counter.Place, Phone: m.Counter.Phone, Hours: m.Counter.Hours}
	out.Body.People = make([]apiv1.Person, len(me.People))
	for i, p := range me.People {
		relation := "child"
		if p.Self {
			relation = "self"
		}
		out.Body.People[i] = apiv1.Person{ID: string(p.ID), Relation: relation, Name: p.Name.Kanji(), NameKana: p.Name.Kana(),
			NameLatin: p.Name.Latin(), BirthDate: p.BirthDate.Date.String()}
	}
	return out, nil
}

// noticePlaces and accessPlaces name the lists to which a cursor belongs.
const (
	noticePlaces = "listNotices"
	accessPlaces = "listAccesses"
)

func (f citizenFace) notices(ctx context.Context, who actor.Citizen, in *apiv1.ListNotices) (*apiv1.Notices, error) {
	text, err := f.Cursors.Open(noticePlaces, string(who.ID), in.Cursor)
	if err != nil {
		return nil, err
	}
	after, err := noticePlace(text)
	if err != nil {
		return nil, err
	}
	tag := func(version string) string {
		return ETag("notices", string(who.ID), text, strconv.Itoa(in.Limit), version)
	}
	page, err := f.Mailbox.List(ctx, who, audit.Self, after, in.Limit, func(version string) bool { return Matches(in.IfNoneMatch, tag(version)) })
	if err != nil {
		return nil, err
	}
	out := &apiv1.Notices{ETag: tag(page.Version), CacheControl: revalidated}
	if page.Same {
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body.Notices = make([]apiv1.Notice, len(page.Notices))
	for i, n := range page.Notices {
		out.Body.Notices[i] = received(n)
	}
	out.Body.Next, err = f.Cursors.Seal(noticePlaces, string(who.ID), placeText(page.Next))
	return out, err
}

// placeText writes a place in a list of notices, "" for none.
func placeText(p mailbox.Place) string {
	if p.ID == "" {
		return ""
	}
	return strconv.FormatInt(p.At.UnixMicro(), 10) + " " + p.ID
}

func noticePlace(text string) (mailbox.Place, error) {
	if text == "" {
		return mailbox.Place{}, nil
	}
	at, id, _ := strings.Cut(text, " ")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" {
		return mailbox.Place{}, fault.At(fault.InvalidArgument, "query.cursor", "the cursor is not one of this list: start from the first page")
	}
	return mailbox.Place{At: time.UnixMicro(micros).UTC(), ID: id}, nil
}

func received(n mailbox.Received) apiv1.Notice {
	out := apiv1.Notice{ID: n.ID, Number: n.Number, Kind: string(n.Kind), From: n.Sender, Phone: n.Phone, SentAt: n.SentAt,
		Deadline: n.Deadline.String()}
	if !n.ReadAt.IsZero() {
		out.ReadAt = &n.ReadAt
	}
	if n.Subject != (notice.Subject{}) {
		out.About = &apiv1.About{Kind: string(n.Subject.Kind), ID: n.Subject.ID}
	}
	out.Texts = []apiv1.Text{}
	for _, language := range notice.Languages() {
		if t, ok := n.Texts[language]; ok {
			out.Texts = append(out.Texts, apiv1.Text{Language: string(language), Title: t.Title, Body: t.Body})
		}
	}
	return out
}

func oneNotice(n mailbox.Received, err error) (*apiv1.OneNotice, error) {
	if err != nil {
		return nil, err
	}
	return &apiv1.OneNotice{CacheControl: privately, Body: received(n)}, nil
}

func (f citizenFace) notice(ctx context.Context, who actor.Citizen, in *apiv1.ByNotice) (*apiv1.OneNotice, error) {
	return oneNotice(f.Mailbox.Get(ctx, who, audit.Self, in.ID))
}

func (f citizenFace) byPush(ctx context.Context, who actor.Citizen, in *apiv1.ByPush) (*apiv1.OneNotice, error) {
	return oneNotice(f.Mailbox.ByPush(ctx, who, audit.Self, in.Handle))
}

func (f citizenFace) read(ctx context.Context, who actor.Citizen, in *apiv1.ByNotice) (*apiv1.Empty, error) {
	return &apiv1.Empty{}, f.Mailbox.Read(ctx, who, audit.NoticeDelivery, in.ID)
}

func (f citizenFace) register(ctx context.Context, who actor.Citizen, in *apiv1.RegisterDevice) (*apiv1.Empty, error) {
	return &apiv1.Empty{}, f.Push.Register(ctx, who, audit.Account, push.Device{
		Device: in.Device, Transport: push.Transport(in.Body.Transport), Token: in.Body.Token, Language: notice.Language(in.Body.Language),
	})
}

func (f citizenFace) unregister(ctx context.Context, who actor.Citizen, in *apiv1.ByDevice) (*apiv1.Empty, error) {
	return &apiv1.Empty{}, f.Push.Unregister(ctx, who, audit.Account, in.Device)
}

func (f citizenFace) accesses(ctx context.Context, who actor.Citizen, in *apiv1.ListAccess) (*apiv1.AccessLog, error) {
	place, err := f.Cursors.Open(accessPlaces, string(who.ID), in.Cursor)
	if err != nil {
		return nil, err
	}
	seen, next, err := f.Registry.AccessLog(ctx, who, audit.Self, place, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &apiv1.AccessLog{CacheControl: privately}
	out.Body.Entries = make([]apiv1.Access, len(seen))
	for i, s := range seen {
		out.Body.Entries[i] = apiv1.Access{At: s.At, Who: s.Who, Purpose: s.Purpose, Action: s.Action, Items: append([]string{}, s.Items...)}
	}
	out.Body.Next, err = f.Cursors.Seal(accessPlaces, string(who.ID), next)
	return out, err
}
