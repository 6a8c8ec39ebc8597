package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"

	"madoguchi.example/mobile-api/apiv1"
)

// DefaultDeadline is how long a handler may take when its route says nothing.
const DefaultDeadline = 10 * time.Second

// Route is one method and path with the rule that guards it and the function that
// answers. Only Bind, Raw, Screen and Files make one.
type Route struct {
	Method    string
	Path      string // as the contract writes it: "/v1/notices/{id}"
	Operation string // the OpenAPI operation, or ""
	Rule      string // who may call, for the route table
	deadline  time.Duration
	limit     int
	install   func(*Server, Route)
	// refuse answers a request that the fence holds; nil: a problem.
	refuse func(*Server, *fiber.Ctx, Route, error)
}

// Within gives the route its own deadline.
func (r Route) Within(d time.Duration) Route {
	r.deadline = d
	return r
}

// Limit sets how many bytes of body a Raw or Screen route takes.
func (r Route) Limit(bytes int) Route {
	r.limit = bytes
	return r
}

func newRoute(method, path, rule string, install func(*Server, Route)) Route {
	return Route{
		Method: method, Path: path, Rule: rule,
		deadline: DefaultDeadline, limit: DefaultBodyLimit, install: install,
	}
}

// Bind binds an operation of the contract to its rule and its handler. The rule decides
// the actor's type, so another face's rule does not compile; a zero rule panics.
//
// The handler may return any error: a fault.Error is answered by its code, anything else
// as internal. Where the output has a Status field left 0, the operation's default counts.
func Bind[I, O, A any](op apiv1.Op[I, O], rule Rule[A], h func(context.Context, A, *I) (*O, error)) Route {
	rule.mustExist(op.Path)
	r := newRoute(op.Method, op.Path, rule.name, func(s *Server, r Route) {
		o := op.Operation
		o.Middlewares = huma.Middlewares{s.jsonOnly, provide(s, rule)}
		huma.Register(s.api, o, func(ctx context.Context, in *I) (*O, error) {
			who, _ := ctx.Value(actorKey{}).(A)
			out, err := within(s, ctx, r.deadline, func(ctx context.Context) (*O, error) { return h(ctx, who, in) })
			if err != nil {
				return nil, s.problemOf(ctx, r, err)
			}
			defaultStatus(out, r.Method, o.DefaultStatus)
			return out, nil
		})
	})
	r.Operation = op.OperationID
	return r
}

// defaultStatus fills an output's Status field that the handler left 0.
func defaultStatus(out any, method string, status int) {
	v := reflect.ValueOf(out)
	if v.IsNil() {
		return
	}
	f := v.Elem().FieldByName("Status")
	if !f.IsValid() || f.Kind() != reflect.Int || f.Int() != 0 {
		return
	}
	if status == 0 {
		status = http.StatusOK
	}
	f.SetInt(int64(status))
}

// provide proves the caller before anything of the request is decoded.
func provide[A any](s *Server, rule Rule[A]) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		c := humafiber.Unwrap(hc)
		who, err := rule.prove(hc.Context(), s.gate, credentialsOf(c))
		if err != nil {
			s.answer(c, s.problemOf(hc.Context(), Route{Method: hc.Method(), Path: hc.Operation().Path}, err))
			return
		}
		next(huma.WithValue(hc, actorKey{}, who))
	}
}

// jsonOnly refuses a body that does not say that it is JSON: huma would guess.
func (s *Server) jsonOnly(hc huma.Context, next func(huma.Context)) {
	c := humafiber.Unwrap(hc)
	if len(c.Request().Body()) > 0 && mediaType(c.Get(fiber.HeaderContentType)) != "application/json" {
		s.answer(c, s.problem(hc.Context(), http.StatusUnsupportedMediaType))
		return
	}
	next(hc)
}

type actorKey struct{}

// Unbound names the operations of the contract that the table does not bind exactly once.
func Unbound(routes []Route) []string {
	bound := map[string]int{}
	for _, r := range routes {
		bound[r.Operation]++
	}
	var out []string
	for _, d := range apiv1.All() {
		if bound[d.Operation.OperationID] != 1 {
			out = append(out, d.Operation.OperationID)
		}
	}
	return out
}
