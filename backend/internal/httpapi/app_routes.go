package httpapi

import (
	"context"
	"net/http"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/mobile-api/pwa"
)

// AppRoutes binds the citizen app's files and pages below /app/, and leads / and /app there.
func AppRoutes() ([]Route, error) {
	routes, err := Files("/app", pwa.Files(), pwa.ContentSecurityPolicy, Public, pwa.Pages()...)
	if err != nil {
		return nil, err
	}
	return append(routes, leadTo("/", "/app/"), leadTo("/app", "/app/")), nil
}

func leadTo(from, to string) Route {
	return Raw(http.MethodGet, from, Public, func(context.Context, actor.Anyone, Request) (Response, error) {
		return Response{Status: http.StatusSeeOther, Header: http.Header{"Location": {to}}}, nil
	})
}
