package httpapi

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"madoguchi.example/shared/fault"
)

// DefaultBodyLimit is how many bytes of body a Raw or Screen route takes when it says nothing.
const DefaultBodyLimit = 64 << 10

// Request is what a Raw handler gets: copies, which stay as they are.
type Request struct {
	Method string
	Param  map[string]string // the path's parameters
	Header http.Header
	Query  url.Values
	Body   []byte // at most the route's limit, not decompressed
	// From is the address of the connection; behind a proxy that is the proxy's.
	From netip.Addr
}

// Response is what a Raw handler answers. Status 0 means 200.
type Response struct {
	Status      int
	ContentType string
	Header      http.Header
	Body        []byte
}

// Raw binds a method and path whose body is bytes, not a contract's JSON.
func Raw[A any](method, path string, rule Rule[A], h func(context.Context, A, Request) (Response, error)) Route {
	rule.mustExist(path)
	return newRoute(method, path, rule.name, func(s *Server, r Route) {
		s.handle(r, func(c *fiber.Ctx) error {
			ctx := c.UserContext()
			out, err := raw(s, ctx, r, c, rule, h)
			if err != nil {
				s.answer(c, s.problemOf(ctx, r, err))
				setSlot(c, err)
				return nil
			}
			write(c, out)
			return nil
		})
	})
}

// slotted is what an error of any package implements to say when to come again.
type slotted interface {
	error
	RetryAfter() time.Duration
}

// setSlot names the caller's own time in place of the usual one.
func setSlot(c *fiber.Ctx, err error) {
	if s, ok := errors.AsType[slotted](err); ok {
		c.Set(fiber.HeaderRetryAfter, strconv.FormatInt(int64((s.RetryAfter()+time.Second-1)/time.Second), 10))
	}
}

func raw[A any](s *Server, ctx context.Context, r Route, c *fiber.Ctx, rule Rule[A], h func(context.Context, A, Request) (Response, error)) (Response, error) {
	who, err := rule.prove(ctx, s.gate, credentialsOf(c))
	if err != nil {
		return Response{}, err
	}
	in, err := requestOf(c, r)
	if err != nil {
		return Response{}, err
	}
	return within(s, ctx, r.deadline, func(ctx context.Context) (Response, error) { return h(ctx, who, in) })
}

func requestOf(c *fiber.Ctx, r Route) (Request, error) {
	body := c.Request().Body()
	if len(body) > r.limit {
		return Request{}, fault.At(fault.TooLarge, "body", "the body is larger than %d bytes", r.limit)
	}
	query, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		return Request{}, fault.At(fault.InvalidArgument, "query", "the query cannot be read")
	}
	return Request{
		Method: c.Method(),
		Param:  paramsOf(c),
		Header: headersOf(c),
		Query:  query,
		Body:   bytes.Clone(body),
		From:   addressOf(c),
	}, nil
}

func addressOf(c *fiber.Ctx) netip.Addr {
	from, _ := netip.AddrFromSlice(c.Context().RemoteIP())
	return from
}

func paramsOf(c *fiber.Ctx) map[string]string {
	out := map[string]string{}
	for name, value := range c.AllParams() {
		out[strings.Clone(name)] = strings.Clone(value)
	}
	return out
}

func headersOf(c *fiber.Ctx) http.Header {
	out := http.Header{}
	for key, value := range c.Request().Header.All() {
		out.Add(string(key), string(value))
	}
	return out
}

func write(c *fiber.Ctx, out Response) {
	for name, values := range out.Header {
		for i, v := range values {
			if i == 0 {
				c.Set(name, v)
			} else {
				c.Response().Header.Add(name, v)
			}
		}
	}
	status := out.Status
	if status == 0 {
		status = http.StatusOK
	}
	c.Status(status)
	c.Response().SetBody(out.Body)
	if out.ContentType != "" {
		c.Set(fiber.HeaderContentType, out.ContentType)
	}
}
