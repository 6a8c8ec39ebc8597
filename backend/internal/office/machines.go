package office

import (
	"context"
	"net/http"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/fault"
)

type machines struct {
	Terminals []line
	Places    []Place
	Issued    *Code
	Place     string
	Fault     string
}

type line struct {
	Terminal
	State string // in_use, quiet, disabled
}

// TerminalList shows the terminals and offers a code.
func (o *Office) TerminalList(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	return o.machines(ctx, who, r, machines{})
}

// IssueCode makes an enrolment code and shows it, this once.
func (o *Office) IssueCode(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	place := r.Form.Get("place")
	if place == "" || len(place) > maxRefBytes {
		return o.machines(ctx, who, r, machines{Fault: "office"})
	}
	code, err := o.Terminals.IssueCode(ctx, who, place)
	switch fault.CodeOf(err) {
	case "":
		return o.machines(ctx, who, r, machines{Issued: &code, Place: place})
	case fault.NotFound, fault.InvalidArgument:
		return o.machines(ctx, who, r, machines{Fault: "office"})
	}
	return Page{}, err
}

func (o *Office) machines(ctx context.Context, who actor.Staff, r Request, body machines) (Page, error) {
	all, err := o.Terminals.List(ctx, who)
	if err != nil {
		return Page{}, err
	}
	for _, t := range all {
		l := line{t, "in_use"}
		if t.Disabled {
			l.State = "disabled"
		} else if o.quiet(t) {
			l.State = "quiet"
		}
		body.Terminals = append(body.Terminals, l)
	}
	if body.Places, err = o.Terminals.Places(ctx, who); err != nil {
		return Page{}, err
	}
	page, err := o.render(ctx, r, &who, "terminals", body)
	if body.Fault != "" {
		page.Status = http.StatusUnprocessableEntity
	}
	return page, err
}

// recordsShown is how many entries the auditor's page shows.
const recordsShown = 200

// Records shows the newest entries of the access record.
func (o *Office) Records(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	entries, err := o.Trail.Newest(ctx, who, recordsShown)
	if err != nil {
		return Page{}, err
	}
	return o.render(ctx, r, &who, "records", struct{ Entries []auditlog.Entry }{entries})
}
