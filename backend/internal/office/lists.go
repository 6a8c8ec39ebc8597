package office

import (
	"context"
	"net/url"

	"madoguchi.example/backend/internal/actor"
)

func listPath(id string) string { return "/office/benefits/lists/" + url.PathEscape(id) }

// listed is one payment list's page.
type listed struct {
	sheet
	ListDetail
	Decide bool // the acts are shown
	Done   string
}

// ListPage shows one payment list.
func (o *Office) ListPage(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	return o.listPage(ctx, who, r, newSheet("", nil))
}

func (o *Office) listPage(ctx context.Context, who actor.Staff, r Request, s sheet) (Page, error) {
	d, err := o.Benefits.List(ctx, who, r.Param["id"])
	if err != nil {
		return Page{}, err
	}
	body := listed{sheet: s, ListDetail: d, Done: doneOf(r)}
	body.Decide = d.Approval != nil && !d.Approval.Own && d.Balanced && who.Has(actor.Approver)
	return o.sheetPage(ctx, who, r, "list", s, body)
}

// ApproveList is the second person's yes, with what they counted.
func (o *Office) ApproveList(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("approve", r.Form)
	count, total, reason := s.number("count"), s.number("total"), s.reason("reason")
	if s.ok() {
		err := o.Benefits.Approve(ctx, who, r.Param["id"], int(count), total, reason)
		if err == nil {
			return Page{Location: listPath(r.Param["id"]) + "?done=approved"}, nil
		}
		if err := s.take(err, "count", "total", "reason"); err != nil {
			return Page{}, err
		}
	}
	return o.listPage(ctx, who, r, s)
}

// ReturnList sends a list back.
func (o *Office) ReturnList(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("return", r.Form)
	reason := s.reason("reason")
	if s.ok() {
		err := o.Benefits.Return(ctx, who, r.Param["id"], reason)
		if err == nil {
			return Page{Location: listPath(r.Param["id"]) + "?done=returned"}, nil
		}
		if err := s.take(err, "reason"); err != nil {
			return Page{}, err
		}
	}
	return o.listPage(ctx, who, r, s)
}
