package httpapi

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/mobile-api/apiv1"
)

// signInDeadline leaves room for the provider's three answers.
const signInDeadline = 20 * time.Second

// SignIn is what the sign-in routes need. *authn.Citizens implements it.
type SignIn interface {
	Start(ctx context.Context, binding string) (string, error)
	Finish(ctx context.Context, code, state, secret string) (authn.Pair, error)
	Refresh(ctx context.Context, token string) (authn.Pair, error)
	SignOut(ctx context.Context, who actor.Citizen) error
}

// SignInRoutes binds signing in and out.
func SignInRoutes(a SignIn) []Route {
	return []Route{
		Bind(apiv1.StartSignIn, Public, func(ctx context.Context, _ actor.Anyone, in *apiv1.SignInStart) (*apiv1.SignInStarted, error) {
			to, err := a.Start(ctx, in.Body.Binding)
			out := &apiv1.SignInStarted{}
			out.Body.AuthorizationURL = to
			return out, err
		}).Within(signInDeadline),
		Bind(apiv1.FinishSignIn, Public, func(ctx context.Context, _ actor.Anyone, in *apiv1.SignInFinish) (*apiv1.Tokens, error) {
			return tokens(a.Finish(ctx, in.Body.Code, in.Body.State, in.Body.Secret))
		}).Within(signInDeadline),
		Bind(apiv1.RefreshToken, Public, func(ctx context.Context, _ actor.Anyone, in *apiv1.Refresh) (*apiv1.Tokens, error) {
			return tokens(a.Refresh(ctx, in.Body.RefreshToken))
		}),
		Bind(apiv1.SignOut, CitizenOnly, func(ctx context.Context, who actor.Citizen, _ *apiv1.Nothing) (*apiv1.Empty, error) {
			return &apiv1.Empty{}, a.SignOut(ctx, who)
		}),
	}
}

func tokens(p authn.Pair, err error) (*apiv1.Tokens, error) {
	if err != nil {
		return nil, err
	}
	return &apiv1.Tokens{CacheControl: "no-store", Body: apiv1.TokenPair{
		TokenType: "Bearer", AccessToken: p.Access, RefreshToken: p.Refresh,
		ExpiresIn: int(p.ExpiresIn / time.Second),
	}}, nil
}
