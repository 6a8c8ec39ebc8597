package httpapi

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/authn"
)

// NewGate makes the Gate over the authn package. A face that is not served may be nil:
// none of its routes exist then.
func NewGate(citizens *authn.Citizens, staff *authn.Staff, terminals *authn.Terminals) Gate {
	return gate{citizens, staff, terminals}
}

type gate struct {
	citizens  *authn.Citizens
	staff     *authn.Staff
	terminals *authn.Terminals
}

// Citizen implements Gate.
func (g gate) Citizen(_ context.Context, c Credentials) (actor.Citizen, error) {
	return g.citizens.Prove(c.Bearer)
}

// Terminal implements Gate.
func (g gate) Terminal(ctx context.Context, c Credentials) (actor.Terminal, error) {
	return g.terminals.Prove(ctx, c.Bearer)
}

// Staff implements Gate.
func (g gate) Staff(ctx context.Context, c Credentials) (actor.Staff, error) {
	return g.staff.Prove(ctx, c.Session)
}
