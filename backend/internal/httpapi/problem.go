package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"

	"github.com/gofiber/fiber/v2"

	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/fault"
)

// statuses is the one place where a fault's code becomes an HTTP status.
var statuses = map[fault.Code]int{
	fault.InvalidArgument:  http.StatusUnprocessableEntity,
	fault.TooLarge:         http.StatusRequestEntityTooLarge,
	fault.UnsupportedMedia: http.StatusUnsupportedMediaType,
	fault.NotFound:         http.StatusNotFound,
	fault.Conflict:         http.StatusConflict,
	fault.Unauthenticated:  http.StatusUnauthorized,
	fault.Forbidden:        http.StatusForbidden,
	fault.IdentityUnlinked: http.StatusForbidden,
	fault.MyNumberRefused:  http.StatusUnprocessableEntity,
	fault.RateLimited:      http.StatusTooManyRequests,
	fault.Unavailable:      http.StatusServiceUnavailable,
	fault.Restored:         http.StatusServiceUnavailable,
	fault.Unknown:          http.StatusGatewayTimeout,
	fault.QueueFull:        http.StatusServiceUnavailable,
	fault.NoRecord:         http.StatusNotFound,
	fault.Internal:         http.StatusInternalServerError,
}

// WithCounter adds to an error the counter that the person should go to; the answer's
// Problem then names it.
func WithCounter(err error, c apiv1.Counter) error { return &withCounter{err, c} }

type withCounter struct {
	error
	counter apiv1.Counter
}

func (w *withCounter) Unwrap() error { return w.error }

// WhereToGo gives the counter's five lines.
func (w *withCounter) WhereToGo() (municipality, name, place, phone, hours string) {
	c := w.counter
	return c.Municipality, c.Name, c.Place, c.Phone, c.Hours
}

// whereToGo is what an error of any package implements to name a counter.
type whereToGo interface {
	error
	WhereToGo() (municipality, name, place, phone, hours string)
}

// explained is what an error of any package implements to say more than its place.
type explained interface {
	error
	Explain() (reason, reference, correction string)
}

// problemOf turns a handler's error into the answer, and logs what only we should know.
func (s *Server) problemOf(ctx context.Context, r Route, err error) *apiv1.Problem {
	if p, ok := errors.AsType[*apiv1.Problem](err); ok {
		p.Trace = TraceOf(ctx)
		return p
	}
	code := fault.CodeOf(err)
	status, ok := statuses[code]
	if !ok {
		code, status = fault.Internal, http.StatusInternalServerError
	}
	p := apiv1.NewProblem(status, code)
	p.Trace = TraceOf(ctx)
	if place := fault.PlaceOf(err); place != "" {
		p.Places = []string{place}
	}
	if w, ok := errors.AsType[whereToGo](err); ok {
		var c apiv1.Counter
		c.Municipality, c.Name, c.Place, c.Phone, c.Hours = w.WhereToGo()
		p.Counter = &c
	}
	if e, ok := errors.AsType[explained](err); ok {
		p.Reason, p.Reference, p.Correction = e.Explain()
	}
	if status >= http.StatusInternalServerError {
		s.log.LogAttrs(ctx, slog.LevelError, "handler failed", slog.String("method", r.Method),
			slog.String("route", r.Path), slog.String("code", string(code)),
			slog.String("trace", p.Trace), slog.String("cause", withoutValues(err.Error())))
	}
	return p
}

// maxCause caps how much of an error's text one log line takes.
const maxCause = 400

// withoutValues masks what may be a value in an error's text: runs of four and more
// digits, everything between quotation marks, and every letter that is not ASCII (our own
// texts have none). An error of a library may quote what it was given. The result has at
// most maxCause bytes.
func withoutValues(text string) string {
	text = text[:min(len(text), 4*maxCause)]
	text = quoted.ReplaceAllString(text, `"#"`)
	text = numbers.ReplaceAllString(text, "#")
	text = foreign.ReplaceAllString(text, "#")
	return text[:min(len(text), maxCause)]
}

var (
	quoted  = regexp.MustCompile(`(?s)"(?:[^"\\]|\\.)*("|$)|` + "`[^`]*(`|$)")
	numbers = regexp.MustCompile(`[0-9]{4,}`)
	foreign = regexp.MustCompile(`[^\x20-\x7e]+`)
)

// problem makes an answer for an error that is known by its status alone.
func (s *Server) problem(ctx context.Context, status int) *apiv1.Problem {
	p := apiv1.NewProblem(status, apiv1.CodeOfStatus(status))
	p.Trace = TraceOf(ctx)
	return p
}

// retryAfter is how many seconds a caller should wait, where waiting helps.
const retryAfter = "5"

func later(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// answer replaces whatever was written so far by the problem.
func (s *Server) answer(c *fiber.Ctx, p *apiv1.Problem) {
	c.Response().Reset()
	s.commonHeaders(c)
	c.Set(fiber.HeaderXRequestID, p.Trace)
	if p.Status == http.StatusUnauthorized {
		c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
	}
	if later(p.Status) {
		c.Set(fiber.HeaderRetryAfter, retryAfter)
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"code":"internal"}`)
	}
	c.Status(p.Status)
	c.Response().SetBody(body)
	c.Set(fiber.HeaderContentType, apiv1.ProblemType)
}
