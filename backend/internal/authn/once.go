package authn

import (
	"context"

	"madoguchi.example/backend/internal/actor"
)

// Once finds out who sits at a browser, for one occasion: no session and no token come of
// it. It is safe for concurrent use.
type Once struct {
	Parts
	provider *Provider
	linker   Linker
	flows    flows
}

// NewOnce makes Once for one face, whose sign-ins no other face can finish. The provider's
// redirect URL must be that face's own.
func NewOnce(face string, p Parts, provider *Provider, linker Linker) *Once {
	return &Once{Parts: p, provider: provider, linker: linker, flows: flows{face, p.Secret, p.Rows, p.Run, p.Now, p.Rand}}
}

// Start begins a sign-in and gives where to send the browser, which keeps the secret and
// must bring it back.
func (o *Once) Start(ctx context.Context, secret string) (authorizationURL string, err error) {
	if _, err := o.provider.discover(ctx); err != nil {
		return "", err
	}
	f, err := o.flows.begin(ctx, hashOf(secret))
	if err != nil {
		return "", err
	}
	return o.provider.authorizationURL(ctx, f)
}

// Finish ends a sign-in with what the provider sent back, and gives who it was. A person
// who is not linked to exactly one resident is the linker's fault IdentityUnlinked.
func (o *Once) Finish(ctx context.Context, code, state, secret string) (actor.Citizen, error) {
	f, err := o.flows.take(ctx, state, secret)
	if err != nil {
		return actor.Citizen{}, err
	}
	claims, err := o.provider.redeem(ctx, f, code)
	if err != nil {
		return actor.Citizen{}, err
	}
	return o.linker.Link(ctx, claims)
}

// Abandon ends a sign-in that the provider ended without a code.
func (o *Once) Abandon(ctx context.Context, state, secret string) error {
	_, err := o.flows.take(ctx, state, secret)
	return err
}
