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
}

// fence stands before the route where it is outward: nothing of the request is decoded, and
// nobody is asked for, while it holds.
func (s *Server) fence(r Route) {
	f := s.config.Fence
	if f == nil || !f.Holds(r.Method, r.Path) {
		return
	}
	s.handle(r, func(c *fiber.Ctx) error {
		err := f.Check(c.UserContext())
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
