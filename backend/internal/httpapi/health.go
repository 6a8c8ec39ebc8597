package httpapi

import (
	"context"
	"net/http"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/fault"
)

// HealthRoutes binds /livez, which depends on nothing, and /readyz, which answers 503
// while ready returns an error.
func HealthRoutes(ready func(context.Context) error) []Route {
	return []Route{
		Raw(http.MethodGet, "/livez", Public, func(context.Context, actor.Anyone, Request) (Response, error) {
			return jsonResponse(map[string]string{"status": "ok"})
		}),
		Raw(http.MethodGet, "/readyz", Public, func(ctx context.Context, _ actor.Anyone, _ Request) (Response, error) {
			if err := ready(ctx); err != nil {
				return Response{}, fault.Wrap(fault.Unavailable, err, "the backend is not ready")
			}
			return jsonResponse(map[string]string{"status": "ok"})
		}),
	}
}
