package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

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
	if status >= http.StatusInternalServerError {
		s.log.LogAttrs(ctx, slog.LevelError, "handler failed", slog.String("method", r.Method),
			slog.String("route", r.Path), slog.String("code", string(code)),
			slog.String("trace", p.Trace), slog.String("cause", withoutNumbers(err.Error())))
	}
	return p
}

// maxCause caps how much of an error's text one log line takes.
const maxCause = 400

// withoutNumbers masks runs of four and more digits and caps the text: an error of a
// library may quote what it was given.
func withoutNumbers(text string) string {
	var b strings.Builder
	digits := 0
	for _, c := range text {
		if b.Len() >= maxCause {
			break
		}
		if c >= '0' && c <= '9' {
			if digits++; digits > 3 {
				c = '#'
			}
		} else {
			digits = 0
		}
		b.WriteRune(c)
	}
	return b.String()
}

// problem makes an answer for an error that is known by its status alone.
func (s *Server) problem(ctx context.Context, status int) *apiv1.Problem {
	p := apiv1.NewProblem(status, apiv1.CodeOfStatus(status))
	p.Trace = TraceOf(ctx)
	return p
}

// answer replaces whatever was written so far by the problem.
func (s *Server) answer(c *fiber.Ctx, p *apiv1.Problem) {
	c.Response().Reset()
	s.commonHeaders(c)
	c.Set(fiber.HeaderXRequestID, p.Trace)
	if p.Status == http.StatusUnauthorized {
		c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
	}
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		c.Set(fiber.HeaderRetryAfter, "5")
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
