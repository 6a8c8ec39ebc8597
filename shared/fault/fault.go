// Package fault promises one small vocabulary of failures for the whole project.
//
// An Error carries a Code, the place that was wrong (a field, column or line, never
// its value) and words for the person who reads it. Packages below an edge return
// these; the edge (HTTP, desk, command line) translates a Code once and shows Message.
// Nothing here knows a transport.
package fault

import (
	"errors"
	"fmt"
)

// Code names a kind of failure. The value is what stands on the wire, in snake case.
type Code string

// The codes. A new one is added here, with its HTTP meaning in the backend's edge.
const (
	InvalidArgument  Code = "invalid_argument"  // the input is malformed; Place says where
	TooLarge         Code = "too_large"         // a named size limit was exceeded
	UnsupportedMedia Code = "unsupported_media" // the body is of a kind that is not taken here
	NotFound         Code = "not_found"         // there is no such thing, or the caller may not know of it
	Conflict         Code = "conflict"          // same id with other content, or a state that forbids the act
	Unauthenticated  Code = "unauthenticated"   // no usable credential
	Forbidden        Code = "forbidden"         // a good credential that may not do this
	IdentityUnlinked Code = "identity_unlinked" // signed in, but not linked to exactly one resident: go to the counter
	MyNumberRefused  Code = "my_number_refused" // free input that is a valid My Number; it was not kept
	RateLimited      Code = "rate_limited"      // too many attempts; wait
	Unavailable      Code = "unavailable"       // a part is out for now; nothing was done, or it is safe to repeat
	Restored         Code = "restored"          // what the office knows is being checked after a restoration; nothing was done
	Unknown          Code = "unknown_outcome"   // it may or may not have happened: repeat under the same id
	QueueFull        Code = "queue_full"        // the terminal takes no new work; what it holds stays
	NoRecord         Code = "no_record"         // no vaccination record to certify: ask for a correction
	Internal         Code = "internal"          // our fault; details are in the log under the trace id
)

// Error is a failure with a code. The zero value is not useful.
// Message and Place never hold personal data: they may be logged and shown.
type Error struct {
	Code    Code
	Place   string // "insurer_number", "line 12 column 3"; empty where it means nothing
	Message string // what the person does next, in English; faces translate by Code and Place
	Cause   error  // for the log alone
}

// Error gives "message: cause" for logs.
func (e *Error) Error() string {
	s := e.Message
	if e.Place != "" {
		s = e.Place + ": " + s
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Cause }

// New makes an Error without a place.
func New(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// At makes an Error that names the place that was wrong.
func At(code Code, place, format string, args ...any) *Error {
	return &Error{Code: code, Place: place, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an Error with a cause that only the log sees.
func Wrap(code Code, cause error, message string) *Error {
	return &Error{Code: code, Message: message, Cause: cause}
}

// CodeOf gives the code of the first Error in err's chain, Internal where there is none
// and the empty code for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// PlaceOf gives the place of the first Error in err's chain, or "".
func PlaceOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Place
	}
	return ""
}
