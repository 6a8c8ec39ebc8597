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

// Problem is an error answer, application/problem+json (RFC 9457). Code is stable and is
// what programs look at; nothing in it repeats what the caller sent.
type Problem struct {
	Type   string   `json:"type" doc:"urn:madoguchi:problem:<code>"`
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Code   string   `json:"code" doc:"a fault code"`
	Places []string `json:"places,omitempty" doc:"names of the fields that were wrong, never their values"`
	Trace  string   `json:"trace" doc:"quote this when asking for help"`
	// Counter is where to go when the code is identity_unlinked or no_record.
	Counter *Counter `json:"counter,omitempty"`
}

// Counter is an office's counter that a person can go to.
type Counter struct {
	Municipality string `json:"municipality"`
	Name         string `json:"name"`
	Place        string `json:"place"`
	Phone        string `json:"phone"`
	Hours        string `json:"hours"`
}
