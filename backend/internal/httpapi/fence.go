package httpapi

import (
	"context"

	"github.com/gofiber/fiber/v2"
)

// Fence keeps a restored store from acting on the world. *fence.Fence implements it.
type Fence interface {
	// Holds tells whether a route waits for the fence.
	Holds(method, path string) bool
	// Check answers an error while the fence stands.
	Check(ctx context.Context) error
	// Current answers an error when the store was restored under this process.
	Current(ctx context.Context) error
}

// fence stands before the route: nothing of the request is decoded, and nobody is asked for,
// while it holds. What is outward waits for the fence to lift, all else for a new start where
// the store was restored under this process. Health tells how it is.
func (s *Server) fence(r Route) {
	f := s.config.Fence
	if f == nil || r.Path == livezPath || r.Path == readyzPath {
		return
	}
	check := f.Current
	if f.Holds(r.Method, r.Path) {
		check = f.Check
	}
	s.handle(r, func(c *fiber.Ctx) error {
		err := check(c.UserContext())
		if err == nil {
			return c.Next()
		}
		if r.refuse != nil {
			r.refuse(s, c, r, err)
			return nil
		}
		s.answer(c, s.problemOf(c.UserContext(), r, err))
		return nil
	})
}
