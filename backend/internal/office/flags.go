package office

import (
	"context"
	"net/url"
	"strings"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/civil"
)

const (
	protectionPath = "/office/protection"
	// protectedShown is how many lines each table of the protectors' page shows.
	protectedShown = 200
)

// protecting is the protectors' page.
type protecting struct {
	sheet
	Waiting []Withheld
	InForce []Protected
	More    bool
	Kinds   []string
	Done    string
}

var (
	settleWays = []string{InPerson, ByPhone, ByLawyer, NotSent}
	flagKinds  = []string{DoNotContact, NonDisclosure}
)

// ProtectionPage shows what was withheld and the forms of the register.
func (o *Office) ProtectionPage(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	return o.protectionPage(ctx, who, r, newSheet("", url.Values{}))
}

func (o *Office) protectionPage(ctx context.Context, who actor.Staff, r Request, s sheet) (Page, error) {
	waiting, err := o.Protection.Waiting(ctx, who, protectedShown)
	if err != nil {
		return Page{}, err
	}
	inForce, err := o.Protection.InForce(ctx, who, protectedShown)
	if err != nil {
		return Page{}, err
	}
	return o.sheetPage(ctx, who, r, "protection", s, protecting{
		s, waiting, inForce, len(waiting) >= protectedShown || len(inForce) >= protectedShown, flagKinds, doneOf(r),
	})
}

// settling is the page of one withheld thing.
type settling struct {
	sheet
	Withheld
	Ways []string
}

// WithheldPage shows one withheld thing and how to settle it.
func (o *Office) WithheldPage(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	return o.withheldPage(ctx, who, r, newSheet("settle", url.Values{}))
}

func (o *Office) withheldPage(ctx context.Context, who actor.Staff, r Request, s sheet) (Page, error) {
	waiting, err := o.Protection.Waiting(ctx, who, protectedShown)
	if err != nil {
		return Page{}, err
	}
	for _, w := range waiting {
		if w.ID == r.Param["id"] {
			return o.sheetPage(ctx, who, r, "withheld", s, settling{s, w, settleWays})
		}
	}
	return Page{Location: protectionPath}, nil // somebody else has settled it
}

// Settle records what was done about a withheld thing.
func (o *Office) Settle(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("settle", r.Form)
	how, note := s.oneOf("how", settleWays...), s.reason("note")
	if s.ok() {
		err := o.Protection.Settle(ctx, who, r.Param["id"], how, note)
		if err == nil {
			return Page{Location: protectionPath + "?done=settled"}, nil
		}
		if err := s.take(err, "how", "note"); err != nil {
			return Page{}, err
		}
	}
	return o.withheldPage(ctx, who, r, s)
}

// SetFlag protects a person.
func (o *Office) SetFlag(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("flag", r.Form)
	f := Flag{Ref: s.ref("ref"), Kind: s.oneOf("kind", flagKinds...), Until: s.day("until", false)}
	if !f.Until.IsZero() && f.Until.Before(civil.In(o.Now())) {
		s.blame("until", "past")
	}
	return o.protect(ctx, who, r, s, "set", []string{"ref", "kind", "until"}, func() error {
		return o.Protection.Set(ctx, who, f)
	})
}

// LiftFlag ends a protection.
func (o *Office) LiftFlag(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("lift", r.Form)
	ref, kind := s.ref("ref"), s.oneOf("kind", flagKinds...)
	if s.Form.Get("sure") != "yes" {
		s.blame("sure", "sure")
	}
	return o.protect(ctx, who, r, s, "lifted", []string{"ref", "kind"}, func() error {
		return o.Protection.Lift(ctx, who, ref, kind)
	})
}

func (o *Office) protect(ctx context.Context, who actor.Staff, r Request, s sheet, done string, fields []string, act func() error) (Page, error) {
	if s.ok() {
		err := act()
		if err == nil {
			return Page{Location: protectionPath + "?done=" + done}, nil
		}
		if err := s.take(err, fields...); err != nil {
			return Page{}, err
		}
	}
	return o.protectionPage(ctx, who, r, s)
}

// ref reads a resident reference.
func (s *sheet) ref(field string) string {
	text := s.words(field, 1, maxRefBytes)
	if len(text) > maxRefBytes || strings.ContainsAny(text, "\n\t") {
		s.blame(field, "invalid")
	}
	return text
}
