package httpapi

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"madoguchi.example/backend/internal/office"
	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/fault"
)

// ErrorPage writes the page that a person sees when a Screen fails. The problem holds
// nothing that they sent.
type ErrorPage func(r office.Request, p *apiv1.Problem) office.Page

// officePolicy lets the console's pages load their own files and post to themselves.
const officePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// Screen binds a page of the office console. Pages are never stored by a cache, and an
// unsafe method is refused unless the browser says that our own page sent it.
func Screen[A any](method, path string, rule Rule[A], h func(context.Context, A, office.Request) (office.Page, error)) Route {
	rule.mustExist(path)
	r := newRoute(method, path, rule.name, func(s *Server, r Route) {
		s.handle(r, func(c *fiber.Ctx) error {
			ctx := c.UserContext()
			req, err := pageRequest(c, r)
			var page office.Page
			if err == nil {
				page, err = screen(s, ctx, r, c, rule, req, h)
			}
			if err != nil {
				page = s.errorPage(ctx, r, req, err)
			}
			writePage(c, page)
			return nil
		})
	})
	r.refuse = func(s *Server, c *fiber.Ctx, r Route, held error) {
		req, _ := pageRequest(c, r) // what cannot be read is not shown
		writePage(c, s.errorPage(c.UserContext(), r, req, held))
	}
	return r
}

func screen[A any](s *Server, ctx context.Context, r Route, c *fiber.Ctx, rule Rule[A], req office.Request, h func(context.Context, A, office.Request) (office.Page, error)) (office.Page, error) {
	if unsafeMethod(r.Method) && c.Get("Sec-Fetch-Site") != "same-origin" {
		return office.Page{}, fault.New(fault.Forbidden, "the form was not sent by our own page")
	}
	who, err := rule.prove(ctx, s.gate, credentialsOf(c))
	if err != nil {
		return office.Page{}, err
	}
	return within(s, ctx, r.deadline, func(ctx context.Context) (office.Page, error) { return h(ctx, who, req) })
}

func unsafeMethod(m string) bool { return m != http.MethodGet && m != http.MethodHead }

func pageRequest(c *fiber.Ctx, r Route) (office.Request, error) {
	in, err := requestOf(c, r)
	if err != nil {
		return office.Request{}, err
	}
	out := office.Request{
		Method:  r.Method,
		Path:    r.Path,
		Param:   in.Param,
		Query:   in.Query,
		Partial: in.Header.Get("HX-Request") == "true",
		Cookie:  cookiesOf(in.Header),
		Accept:  in.Header.Get("Accept-Language"),
	}
	if unsafeMethod(r.Method) {
		out.Form, err = formOf(in)
	}
	return out, err
}

// errorPage sends a person who is not signed in to the sign-in page, and shows every
// other one what happened.
func (s *Server) errorPage(ctx context.Context, r Route, req office.Request, err error) office.Page {
	p := s.problemOf(ctx, r, err)
	if s.config.ErrorPage == nil {
		return office.Page{Status: p.Status}
	}
	return s.config.ErrorPage(req, p)
}

func writePage(c *fiber.Ctx, p office.Page) {
	c.Set(fiber.HeaderContentSecurityPolicy, officePolicy)
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderVary, "HX-Request")
	if p.Reload {
		c.Set("HX-Refresh", "true")
	}
	for _, cookie := range p.Cookies {
		c.Response().Header.Add(fiber.HeaderSetCookie, cookie.String())
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
