package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"madoguchi.example/backend/internal/consent"
	"madoguchi.example/backend/internal/wallet"
	"madoguchi.example/shared/fault"
)

// consentPolicy lets the pages load their own style and post to themselves. What stands
// behind form-action may also answer the form: browsers look at where it leads.
const consentPolicy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// consentPage answers one page of the consent pages.
type consentPage func(ctx context.Context, r consent.Request) (consent.Page, error)

func (f walletFace) pages() []Route {
	return []Route{
		f.page(http.MethodGet, wallet.AuthorizePath, f.Pages.Authorize).Within(signInDeadline),
		f.page(http.MethodGet, wallet.CallbackPath, f.Pages.Callback).Within(signInDeadline),
		f.page(http.MethodGet, wallet.ConsentPath, f.Pages.Ask),
		f.page(http.MethodPost, wallet.ConsentPath, f.Pages.Answer),
	}
}

// page binds a page that anybody may open: who sits at the browser is known by the secret
// in its cookie. An answer is refused unless the browser says that our own page sent it.
func (f walletFace) page(method, path string, h consentPage) Route {
	Public.mustExist(path)
	route := newRoute(method, path, Public.name, func(s *Server, r Route) {
		s.handle(r, func(c *fiber.Ctx) error {
			ctx := c.UserContext()
			in, err := consentRequest(c, r)
			if err == nil {
				err = f.all.take(method + path)
			}
			var page consent.Page
			if err == nil {
				page, err = within(s, ctx, r.deadline, func(ctx context.Context) (consent.Page, error) { return h(ctx, in) })
			}
			if err != nil {
				p := s.problemOf(ctx, r, err)
				page = f.Pages.Failed(in, p.Status, fault.Code(p.Code), p.Trace)
			}
			writeConsent(c, page)
			return nil
		})
	})
	route.refuse = func(s *Server, c *fiber.Ctx, r Route, held error) {
		in, _ := consentRequest(c, r) // what cannot be read is not shown
		p := s.problemOf(c.UserContext(), r, held)
		writeConsent(c, f.Pages.Failed(in, p.Status, fault.Code(p.Code), p.Trace))
	}
	return route
}

func consentRequest(c *fiber.Ctx, r Route) (consent.Request, error) {
	in, err := requestOf(c, r)
	if err != nil {
		return consent.Request{}, err
	}
	out := consent.Request{Query: in.Query, Cookie: cookiesOf(in.Header), Accept: in.Header.Get("Accept-Language")}
	if !unsafeMethod(r.Method) {
		return out, nil
	}
	if in.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return out, fault.New(fault.Forbidden, "the form was not sent by our own page")
	}
	out.Form, err = formOf(in)
	return out, err
}

func writeConsent(c *fiber.Ctx, p consent.Page) {
	policy := consentPolicy
	if home := sourceOf(p.Home); home != "" {
		policy += " " + home
	}
	c.Set(fiber.HeaderContentSecurityPolicy, policy)
	c.Set(fiber.HeaderCacheControl, "no-store")
	if p.Cookie != nil {
		c.Response().Header.Add(fiber.HeaderSetCookie, p.Cookie.String())
	}
	if p.Location != "" {
		c.Set(fiber.HeaderLocation, p.Location)
		if p.Status == 0 {
			p.Status = http.StatusSeeOther
		}
	}
	if p.Status == 0 {
		p.Status = http.StatusOK
	}
	c.Status(p.Status)
	c.Response().SetBody(p.HTML)
	c.Set(fiber.HeaderContentType, "text/html; charset=utf-8")
}

// sourceOf gives the policy's word for a wallet's address: its origin, or its own scheme.
// Policies have no word for an IPv6 address (CSP 3 section 2.3.1).
func sourceOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return ""
	}
	if (u.Scheme == "https" || u.Scheme == "http") && !strings.HasPrefix(u.Host, "[") {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + ":"
}
