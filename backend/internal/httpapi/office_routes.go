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
	if o.Benefits != nil {
		routes = append(routes, benefitPages(o)...)
	}
	if o.Children != nil {
		routes = append(routes, childPages(o)...)
	}
	if o.Certificates != nil {
		routes = append(routes, certificatePages(o)...)
	}
	if o.Protection != nil {
		routes = append(routes, protectionPages(o)...)
	}
	if o.Terminals != nil {
		routes = append(routes,
			Screen(http.MethodGet, "/office/terminals", StaffWith(actor.TerminalManager), o.TerminalList),
			Screen(http.MethodPost, "/office/terminals/codes", StaffWith(actor.TerminalManager), o.IssueCode),
			Screen(http.MethodPost, "/office/terminals/stop", StaffWith(actor.TerminalManager), o.StopTerminal))
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

func benefitPages(o *office.Office) []Route {
	reads := StaffWith(actor.Clerk, actor.Approver)
	works, approves := StaffWith(actor.Clerk), StaffWith(actor.Approver)
	// Protectors bring a withheld notice to its family by hand, and note what came of it.
	one, answers := StaffWith(actor.Clerk, actor.Approver, actor.Protector), StaffWith(actor.Clerk, actor.Protector)
	const runs, awards, lists = "/office/benefits/runs", "/office/benefits/awards/{id}", "/office/benefits/lists/{id}"
	return []Route{
		Screen(http.MethodGet, "/office/benefits", reads, o.RunList),
		Screen(http.MethodGet, "/office/benefits/new", works, o.NewRun),
		Screen(http.MethodPost, runs, works, o.DraftRun).Limit(office.MaxSheet),
		Screen(http.MethodGet, runs+"/{id}", reads, o.RunPage),
		Screen(http.MethodGet, runs+"/{id}/progress", reads, o.RunProgress),
		Screen(http.MethodGet, runs+"/{id}/awards", reads, o.AwardList),
		Screen(http.MethodGet, runs+"/{id}/questions", reads, o.QuestionList),
		Screen(http.MethodPost, runs+"/{id}/act", works, o.ActOnRun).Limit(office.MaxSheet),
		Screen(http.MethodPost, runs+"/{id}/list", works, o.Propose).Limit(office.MaxSheet),
		Screen(http.MethodGet, awards, one, o.AwardPage),
		Screen(http.MethodPost, awards+"/letter", answers, o.RecordLetter).Limit(office.MaxSheet),
		Screen(http.MethodPost, awards+"/refusal", answers, o.RecordRefusal).Limit(office.MaxSheet),
		Screen(http.MethodGet, lists, reads, o.ListPage),
		Screen(http.MethodPost, lists+"/approve", approves, o.ApproveList).Limit(office.MaxSheet),
		Screen(http.MethodPost, lists+"/return", approves, o.ReturnList).Limit(office.MaxSheet),
	}
}

func childPages(o *office.Office) []Route {
	reads := StaffWith(actor.ChildOfficer, actor.ChildApprover)
	works, approves := StaffWith(actor.ChildOfficer), StaffWith(actor.ChildApprover)
	const one = "/office/children/cases/{id}"
	return []Route{
		Screen(http.MethodGet, "/office/children", reads, o.CaseList),
		Screen(http.MethodGet, "/office/children/erasures", StaffWith(actor.ChildApprover, actor.Auditor), o.ErasureList),
		Screen(http.MethodGet, one, reads, o.CasePage),
		Screen(http.MethodPost, one+"/assess", works, o.AssessCase).Limit(office.MaxSheet),
		Screen(http.MethodPost, one+"/approve", approves, o.ApproveContact).Limit(office.MaxSheet),
		Screen(http.MethodPost, one+"/return", approves, o.ReturnCase).Limit(office.MaxSheet),
		Screen(http.MethodPost, one+"/close", works, o.CloseCase).Limit(office.MaxSheet),
	}
}

func certificatePages(o *office.Office) []Route {
	reads := StaffWith(actor.Clerk, actor.Approver)
	const list, corrections, papers = "/office/certificates", "/office/certificates/corrections/{id}", "/office/certificates/papers/{id}"
	return []Route{
		Screen(http.MethodGet, list, reads, o.CertificatesPage),
		Screen(http.MethodPost, list+"/find", reads, o.FindPaper).Limit(office.MaxSheet),
		Screen(http.MethodGet, corrections, reads, o.CorrectionPage),
		Screen(http.MethodPost, corrections+"/answer", StaffWith(actor.Clerk), o.AnswerCorrection).Limit(office.MaxSheet),
		Screen(http.MethodGet, papers, reads, o.PaperPage),
		Screen(http.MethodPost, papers+"/revoke", StaffWith(actor.Approver), o.RevokePaper).Limit(office.MaxSheet),
	}
}

func protectionPages(o *office.Office) []Route {
	protects := StaffWith(actor.Protector)
	return []Route{
		Screen(http.MethodGet, "/office/protection", protects, o.ProtectionPage),
		Screen(http.MethodGet, "/office/protection/withheld/{id}", protects, o.WithheldPage),
		Screen(http.MethodPost, "/office/protection/withheld/{id}", protects, o.Settle).Limit(office.MaxSheet),
		Screen(http.MethodPost, "/office/protection/flags", protects, o.SetFlag).Limit(office.MaxSheet),
		Screen(http.MethodPost, "/office/protection/flags/lift", protects, o.LiftFlag).Limit(office.MaxSheet),
	}
}

// OfficeErrorPage shows faults in the console's own words.
func OfficeErrorPage(o *office.Office) ErrorPage {
	return func(r office.Request, p *apiv1.Problem) office.Page {
		if p.Reason != "" {
			return o.FailedFor(r, p.Status, p.Reason, p.Trace)
		}
		return o.Failed(r, p.Status, fault.Code(p.Code), p.Trace)
	}
}
