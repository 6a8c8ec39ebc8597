package httpapi

import (
	"net/http"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/fault"
)

// OfficeRoutes binds the pages of the office console, each with the role that it needs.
// Pages of parts that the console does not have are left out.
func OfficeRoutes(o *office.Office) ([]Route, error) {
	assets, err := office.Assets()
	if err != nil {
		return nil, err
	}
	routes, err := Files("/office/assets", assets, officePolicy, Public)
	if err != nil {
		return nil, err
	}
	routes = append(routes,
		Screen(http.MethodGet, "/office", Public, o.Root),
		Screen(http.MethodGet, "/office/sign-in", Public, o.SignInPage),
		Screen(http.MethodGet, "/office/sign-in/start", Public, o.BeginSignIn).Within(signInDeadline),
		Screen(http.MethodGet, "/office/callback", Public, o.Callback).Within(signInDeadline),
		Screen(http.MethodPost, "/office/sign-out", StaffWith(), o.SignOut),
		Screen(http.MethodPost, "/office/language", Public, o.ChooseLanguage),
		Screen(http.MethodGet, "/office/", StaffWith(), o.Today),
	)
	if o.Notices != nil {
		routes = append(routes, noticePages(o)...)
	}
	if o.Terminals != nil {
		routes = append(routes,
			Screen(http.MethodGet, "/office/terminals", StaffWith(actor.TerminalManager), o.TerminalList),
			Screen(http.MethodPost, "/office/terminals/codes", StaffWith(actor.TerminalManager), o.IssueCode))
	}
	if o.Trail != nil {
		routes = append(routes, Screen(http.MethodGet, "/office/records", StaffWith(actor.Auditor), o.Records))
	}
	return routes, nil
}

func noticePages(o *office.Office) []Route {
	reads := StaffWith(actor.Clerk, actor.Approver)
	writes := StaffWith(actor.Clerk)
	return []Route{
		Screen(http.MethodGet, "/office/notices", reads, o.NoticeList),
		Screen(http.MethodGet, "/office/notices/new", writes, o.Write),
		Screen(http.MethodPost, "/office/notices/edit", writes, o.Rewrite).Limit(office.MaxForm),
		Screen(http.MethodPost, "/office/notices/preview", writes, o.Preview).Limit(office.MaxForm),
		Screen(http.MethodPost, "/office/notices", writes, o.Send).Limit(office.MaxForm),
		Screen(http.MethodGet, "/office/notices/{id}", reads, o.Sent),
	}
}

// OfficeErrorPage shows faults in the console's own words.
func OfficeErrorPage(o *office.Office) ErrorPage {
	return func(r office.Request, p *apiv1.Problem) office.Page {
		return o.Failed(r, p.Status, fault.Code(p.Code), p.Trace)
	}
}
