package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"madoguchi.example/backend/internal/office"
	"madoguchi.example/mobile-api/apiv1"
)

// outermost surrounds every request: trace, common headers, recovery, the answer to an
// error by its status alone, and one line in the log that holds no value of the request.
func (s *Server) outermost(c *fiber.Ctx) error {
	start := s.config.Now()
	trace := s.newTrace()
	ctx := context.WithValue(s.base, traceKey{}, trace)
	c.SetUserContext(ctx)
	s.commonHeaders(c)
	c.Set(fiber.HeaderXRequestID, trace)
	s.guarded(ctx, c)
	s.record(ctx, c, start, trace)
	return nil
}

func (s *Server) guarded(ctx context.Context, c *fiber.Ctx) {
	defer func() {
		if r := recover(); r != nil {
			s.logCrash(ctx, newCrash(r))
			s.answer(c, s.problem(ctx, http.StatusInternalServerError))
		}
	}()
	if status := refusal(c); status != 0 {
		s.answer(c, s.problem(ctx, status))
		return
	}
	if err := c.Next(); err != nil {
		s.refuse(c, s.problem(ctx, statusOf(err)))
	}
}

// refuse answers what no route took: a page to an officer, a problem to everybody else.
func (s *Server) refuse(c *fiber.Ctx, p *apiv1.Problem) {
	if s.config.ErrorPage == nil || c.Path() != "/office" && !strings.HasPrefix(c.Path(), "/office/") {
		s.answer(c, p)
		return
	}
	h := headersOf(c)
	writePage(c, s.config.ErrorPage(office.Request{
		Method: http.MethodGet, Path: "/office/", Cookie: cookiesOf(h), Accept: h.Get("Accept-Language"),
	}, p))
}

// refusal gives the status for what no route accepts: a compressed body (it would be
// unpacked without a limit) and two Authorization headers (parts may believe different ones).
func refusal(c *fiber.Ctx) int {
	if e := c.Get(fiber.HeaderContentEncoding); e != "" && !strings.EqualFold(e, "identity") {
		return http.StatusUnsupportedMediaType
	}
	if len(c.Request().Header.PeekAll(fiber.HeaderAuthorization)) > 1 {
		return http.StatusBadRequest
	}
	return 0
}

func (s *Server) record(ctx context.Context, c *fiber.Ctx, start time.Time, trace string) {
	took := s.config.Now().Sub(start)
	route := "-"
	if r := c.Route(); r != nil && r.Path != "/" && r.Path != "" {
		route = r.Path
	}
	status := c.Response().StatusCode()
	s.log.LogAttrs(ctx, slog.LevelInfo, "request", slog.String("method", c.Method()), slog.String("route", route),
		slog.Int("status", status), slog.Duration("took", took), slog.String("trace", trace))
	if s.config.Observe != nil {
		s.config.Observe(c.Method(), route, status, took)
	}
}

// onError answers what fails before a handler is reached, by the status alone.
func (s *Server) onError(c *fiber.Ctx, err error) error {
	trace := s.newTrace()
	ctx := context.WithValue(s.base, traceKey{}, trace)
	p := s.problem(ctx, statusOf(err))
	s.answer(c, p)
	s.log.LogAttrs(ctx, slog.LevelInfo, "request refused", slog.Int("status", p.Status), slog.String("trace", trace))
	return nil
}

// knownMethods answers methods that Fiber would answer in plain text, past every hook.
func (s *Server) knownMethods(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	known := map[string]bool{}
	for _, m := range fiber.DefaultMethods {
		known[m] = true
	}
	return func(fc *fasthttp.RequestCtx) {
		if known[string(fc.Method())] {
			next(fc)
			return
		}
		fc.Request.Header.SetMethod(fiber.MethodGet)
		fc.Request.SetBody(nil)
		c := s.app.AcquireCtx(fc)
		defer s.app.ReleaseCtx(c)
		_ = s.onError(c, fiber.NewError(http.StatusNotImplemented))
	}
}

// commonHeaders are on every answer. A page's own policy replaces the strict one.
func (s *Server) commonHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderCacheControl, "no-store") // an answer that may be kept says so itself
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	if s.config.TLS != nil {
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
}

// crash is what may be told of a panic: its type and where it happened, never its text.
type crash struct{ kind, at string }

func newCrash(r any) *crash {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	at := "unknown"
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			at = fmt.Sprintf("%s:%d", f.Function, f.Line)
			break
		}
		if !more {
			break
		}
	}
	return &crash{kind: fmt.Sprintf("%T", r), at: at}
}

func (s *Server) logCrash(ctx context.Context, c *crash) {
	s.log.LogAttrs(ctx, slog.LevelError, "panic", slog.String("type", c.kind), slog.String("at", c.at),
		slog.String("trace", TraceOf(ctx)))
}
