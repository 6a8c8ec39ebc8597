package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/shared/wire"
)

// maxTokenForm is the largest form that the token endpoint reads.
const maxTokenForm = 16 << 10

// Granter gives terminals tokens. *authn.Terminals implements it.
type Granter interface {
	Grant(ctx context.Context, form url.Values) (authn.Granted, error)
}

// TokenDesk gives terminals tokens, and nonces for those whose clock is wrong.
// *authn.Terminals implements it.
type TokenDesk interface {
	Granter
	Nonce(ctx context.Context) (wire.Nonce, error)
}

// TerminalTokenRoute binds the terminals' token endpoint.
func TerminalTokenRoute(g Granter) Route {
	return Raw(http.MethodPost, authn.TokenPath, Public, func(ctx context.Context, _ actor.Anyone, in Request) (Response, error) {
		form, err := formOf(in)
		if err != nil {
			return Response{}, err
		}
		granted, err := g.Grant(ctx, form)
		if err != nil {
			return Response{}, err
		}
		return jsonResponse(granted)
	}).Limit(maxTokenForm)
}

// jsonResponse answers v as JSON that no cache keeps.
func jsonResponse(v any) (Response, error) {
	body, err := json.Marshal(v)
	return Response{
		ContentType: "application/json", Body: body,
		Header: http.Header{"Cache-Control": {"no-store"}},
	}, err
}
