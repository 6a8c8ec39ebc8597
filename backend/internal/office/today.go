package office

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
)

// quietAfter is when a terminal that says nothing is worth a look.
const quietAfter = 24 * time.Hour

type today struct {
	Write   bool
	Notices []Summary
	Quiet   []Terminal
}

// Today is the first page: what waits for this officer.
func (o *Office) Today(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	var body today
	if o.Notices != nil && (who.Has(actor.Clerk) || who.Has(actor.Approver)) {
		recent, err := o.Notices.Recent(ctx, who, 5)
		if err != nil {
			return Page{}, err
		}
		body.Notices, body.Write = recent, who.Has(actor.Clerk)
	}
	if o.Terminals != nil && who.Has(actor.TerminalManager) {
		all, err := o.Terminals.List(ctx, who)
		if err != nil {
			return Page{}, err
		}
		for _, t := range all {
			if o.quiet(t) {
				body.Quiet = append(body.Quiet, t)
			}
		}
	}
	return o.render(ctx, r, &who, "today", body)
}

func (o *Office) quiet(t Terminal) bool {
	return !t.Disabled && o.Now().Sub(t.LastContact) > quietAfter
}
