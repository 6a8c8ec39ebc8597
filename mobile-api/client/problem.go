package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/fault"
)

// Problem is a refusal by the server. errors.As finds it, and fault.CodeOf gives its code.
type Problem struct{ apiv1.Problem }

// Error names the status, the code and the trace; a problem never repeats what was sent.
func (p *Problem) Error() string {
	s := fmt.Sprintf("the server answered %d %s", p.Status, p.Code)
	if len(p.Places) > 0 {
		s += " at " + strings.Join(p.Places, ", ")
	}
	if p.Reason != "" {
		s += " (" + p.Reason + ")"
	}
	if p.Trace != "" {
		s += " (trace " + p.Trace + ")"
	}
	return s
}

// Unwrap gives the same refusal in the project's own vocabulary.
func (p *Problem) Unwrap() error {
	return &fault.Error{Code: fault.Code(p.Code), Place: strings.Join(p.Places, ", "), Message: p.Title}
}

// problemOf reads a refusal. One that is no problem document (a proxy's page, say) becomes
// "unavailable" from 500 on and "internal" below, without its text.
func problemOf(resp *http.Response, body []byte) error {
	p := &Problem{}
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if media != "application/problem+json" || json.Unmarshal(body, &p.Problem) != nil || p.Code == "" {
		p.Problem = apiv1.Problem{Title: http.StatusText(resp.StatusCode), Code: string(fault.Internal)}
		if resp.StatusCode >= 500 {
			p.Code = string(fault.Unavailable)
		}
	}
	p.Status = resp.StatusCode
	return p
}

func notSignedIn() error {
	return &Problem{apiv1.Problem{Title: "Sign in first", Status: http.StatusUnauthorized, Code: string(fault.Unauthenticated)}}
}
