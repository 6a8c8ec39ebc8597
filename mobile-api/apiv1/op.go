// Package apiv1 is the contract that phones see: every operation with its request and
// response types, from which openapi.json is written. It serves nothing itself.
//
// Names on the wire are snake_case, times RFC 3339 in UTC, days YYYY-MM-DD, identifiers
// opaque. Errors are RFC 9457 problem documents (Problem). Unsafe operations that create
// something take an Idempotency-Key header; lists answer an ETag and opaque cursors.
package apiv1

import "github.com/danielgtaylor/huma/v2"

// Op is one operation with its input and output types, in huma's shape: I holds path,
// query, header and Body fields, O holds header and Body fields.
type Op[I, O any] struct{ huma.Operation }

// Counter is an office's counter that a person can go to.
type Counter struct {
	Municipality string `json:"municipality"`
	Name         string `json:"name"`
	Place        string `json:"place"`
	Phone        string `json:"phone"`
	Hours        string `json:"hours"`
}
