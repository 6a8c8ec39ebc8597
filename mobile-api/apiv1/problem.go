package apiv1

import (
	"net/http"

	"madoguchi.example/shared/fault"
)

// ProblemType is the media type of every error answer.
const ProblemType = "application/problem+json"

// Problem is an error answer, application/problem+json (RFC 9457). Code is stable and is
// what programs look at; nothing in it repeats what the caller sent.
type Problem struct {
	Type   string   `json:"type" doc:"urn:madoguchi:problem:<code>"`
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Code   string   `json:"code" doc:"a fault code; restored: the office checks its records, which may take hours"`
	Places []string `json:"places,omitempty" doc:"names of the fields that were wrong, never their values"`
	Trace  string   `json:"trace" doc:"quote this when asking for help"`
	// Counter is where to go when the code is identity_unlinked or no_record.
	Counter *Counter `json:"counter,omitempty"`
	// Reason says what is wrong at the place, where the place alone does not.
	Reason string `json:"reason,omitempty" doc:"of a passport's lines (places body.mrz.N): length, characters, document, name_form, number_check, birth_date_check, expiry_check, optional_check, composite_check, birth_date, expiry, sex, expired, other_birth_date, other_name"`
	// Reference names this refusal at the counter, where one is kept.
	Reference string `json:"reference,omitempty" doc:"read it to the counter: letters and digits that cannot be mistaken, the last one checks the others"`
	// Correction is the kind of correction that helps, for POST /v1/corrections.
	Correction string `json:"correction,omitempty" enum:"missing,wrong,name"`
}

// NewProblem makes the answer for a status and a code. The words are the same for every
// occurrence; the caller adds places, trace and counter.
func NewProblem(status int, code fault.Code) *Problem {
	return &Problem{
		Type:   "urn:madoguchi:problem:" + string(code),
		Title:  http.StatusText(status),
		Status: status,
		Code:   string(code),
	}
}

// Error gives the title, so that a Problem can travel as an error.
func (p *Problem) Error() string { return p.Title }

// GetStatus gives the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType turns JSON into problem+json.
func (p *Problem) ContentType(string) string { return ProblemType }
