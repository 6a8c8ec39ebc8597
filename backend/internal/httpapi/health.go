package httpapi

import (
	"context"
	"net/http"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/fault"
)

// The paths of health.
const (
	livezPath  = "/livez"
	readyzPath = "/readyz"
)

// HealthRoutes binds /livez, which depends on nothing, and /readyz, which answers 503
// while ready returns an error.
func HealthRoutes(ready func(context.Context) error) []Route {
	return []Route{
		Raw(http.MethodGet, livezPath, Public, func(context.Context, actor.Anyone, Request) (Response, error) {
			return jsonResponse(map[string]string{"status": "ok"})
		}),
		Raw(http.MethodGet, readyzPath, Public, func(ctx context.Context, _ actor.Anyone, _ Request) (Response, error) {
			if err := ready(ctx); err != nil {
				return Response{}, fault.Wrap(fault.Unavailable, err, "the backend is not ready")
			}
			return jsonResponse(map[string]string{"status": "ok"})
		}),
	}
}
