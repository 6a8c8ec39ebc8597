package fence

import (
	"maps"
	"slices"
	"strings"
)

// Side says where an act is felt.
type Side string

// The sides.
const (
	// Outward acts tell somebody outside what they did not know, give out what can be used
	// against us, or move money. They wait for the fence.
	Outward Side = "outward"
	// Inward acts take a person's or a terminal's word in, or show officers what the store
	// holds.
	Inward Side = "inward"
)

// routes declares every route. A path that ends with * stands for all that lies below it and
// is not declared by itself; only what is outward, or the same for everybody, is declared so:
// a file that leaves the house must not be taken for a page.
var routes = map[string]Side{
	"GET /livez":  Inward,
	"GET /readyz": Inward,

	// The citizens' app itself is the same for everybody and says nothing of anybody.
	"GET /":       Inward,
	"GET /app":    Inward,
	"GET /app/*":  Inward,
	"HEAD /app/*": Inward,

	// Tokens of citizens. Who still holds an access token may give their word with it for its
	// few minutes; what the app would be shown may have been overtaken.
	"POST /v1/sign-in/start":                  Outward,
	"POST /v1/sign-in/finish":                 Outward,
	"POST /v1/sign-in/refresh":                Outward,
	"POST /v1/sign-out":                       Inward,
	"GET /v1/me":                              Outward,
	"POST /v1/certificates":                   Outward,
	"GET /v1/certificates":                    Outward, // a paper that was revoked since would look good
	"POST /v1/certificates/{id}/wallet-offer": Outward,
	"POST /v1/corrections":                    Inward,
	"GET /v1/corrections":                     Outward,
	"GET /v1/notices":                         Outward,
	"GET /v1/notices/{id}":                    Outward,
	"POST /v1/notices/{id}/read":              Inward,
	"GET /v1/pushes/{handle}":                 Outward,
	"GET /v1/benefits":                        Outward,
	"GET /v1/benefits/{id}":                   Outward,
	"POST /v1/benefits/{id}/refusal":          Inward, // a refusal in time always wins
	"GET /v1/offers":                          Outward,
	"GET /v1/offers/{id}":                     Outward,
	"PUT /v1/offers/{id}/answer":              Inward,
	"PUT /v1/devices/{device}":                Inward,
	"DELETE /v1/devices/{device}":             Inward,
	"GET /v1/access-log":                      Outward,

	// Keys and lists that verifiers read, and all that wallets ask for.
	"GET /.well-known/*":    Outward,
	"GET /wallet/*":         Outward,
	"GET /vct/*":            Outward,
	"POST /wallet/*":        Outward,
	"GET /wallet/assets/*":  Inward,
	"HEAD /wallet/assets/*": Inward,

	// Terminals send again what the store forgot, and get their answers; none is enrolled and
	// none is told whom to trust.
	"POST /terminal/v1/enrol":   Outward,
	"POST /terminal/v1/token":   Inward,
	"GET /terminal/v1/nonce":    Inward,
	"POST /terminal/v1/batches": Inward,
	"GET /terminal/v1/answers":  Inward,
	"GET /terminal/v1/profile":  Inward,
	"GET /terminal/v1/trust":    Outward,

	// Officers sign in and read, note what came in, and revoke. They write to nobody, start no
	// run, and touch no list of payments.
	"GET /office":                                       Inward,
	"GET /office/":                                      Inward,
	"GET /office/assets/*":                              Inward,
	"HEAD /office/assets/*":                             Inward,
	"GET /office/sign-in":                               Inward,
	"GET /office/sign-in/start":                         Inward,
	"GET /office/callback":                              Inward,
	"GET /office/terminals":                             Inward,
	"GET /office/records":                               Inward,
	"GET /office/notices":                               Inward,
	"GET /office/notices/new":                           Inward,
	"GET /office/notices/{id}":                          Inward,
	"GET /office/benefits":                              Inward,
	"GET /office/benefits/new":                          Inward,
	"GET /office/benefits/runs/{id}":                    Inward,
	"GET /office/benefits/runs/{id}/progress":           Inward,
	"GET /office/benefits/runs/{id}/awards":             Inward,
	"GET /office/benefits/runs/{id}/questions":          Inward,
	"GET /office/benefits/awards/{id}":                  Inward,
	"GET /office/benefits/lists/{id}":                   Inward,
	"GET /office/children":                              Inward,
	"GET /office/children/erasures":                     Inward,
	"GET /office/children/cases/{id}":                   Inward,
	"GET /office/certificates":                          Inward,
	"GET /office/certificates/corrections/{id}":         Inward,
	"GET /office/certificates/papers/{id}":              Inward,
	"GET /office/protection":                            Inward,
	"GET /office/protection/withheld/{id}":              Inward,
	"POST /office/sign-out":                             Inward,
	"POST /office/language":                             Inward,
	"POST /office/notices":                              Outward,
	"POST /office/notices/edit":                         Inward,
	"POST /office/notices/preview":                      Inward,
	"POST /office/benefits/runs":                        Inward, // a draft
	"POST /office/benefits/runs/{id}/act":               Outward,
	"POST /office/benefits/runs/{id}/list":              Outward,
	"POST /office/benefits/awards/{id}/letter":          Inward,
	"POST /office/benefits/awards/{id}/refusal":         Inward,
	"POST /office/benefits/lists/{id}/approve":          Outward,
	"POST /office/benefits/lists/{id}/return":           Outward,
	"POST /office/children/cases/{id}/assess":           Inward,
	"POST /office/children/cases/{id}/approve":          Outward, // the family gets an offer
	"POST /office/children/cases/{id}/return":           Inward,
	"POST /office/children/cases/{id}/close":            Inward,
	"POST /office/certificates/find":                    Inward,
	"POST /office/certificates/corrections/{id}/answer": Outward,
	"POST /office/certificates/papers/{id}/revoke":      Inward, // what was revoked since the copy is entered again
	"POST /office/protection/withheld/{id}":             Inward,
	"POST /office/protection/flags":                     Inward,
	"POST /office/protection/flags/lift":                Inward,
	"POST /office/terminals/codes":                      Outward, // a code enrols a terminal
	"POST /office/terminals/stop":                       Inward,  // those that were stopped since the copy are stopped again
}

// jobs declares every kind of job.
var jobs = map[string]Side{
	"push_send":      Outward,
	"push_sweep":     Outward, // asks for pushes
	"award_run":      Outward, // decides, and tells families
	"payer_answer":   Outward, // asks payers, and tells clinics by a register that imports have overtaken
	"payer_sweep":    Outward,
	"child_indicate": Inward, // a family is told by nobody before an officer's review
	"child_expire":   Inward,
}

// RouteSide gives the side of a route. What was not declared is outward.
func RouteSide(method, path string) Side {
	if side, ok := DeclaredRoute(method, path); ok {
		return side
	}
	return Outward
}

// DeclaredRoute tells whether a route was declared, and its side.
func DeclaredRoute(method, path string) (Side, bool) {
	name, ok := DeclaredBy(method, path)
	if !ok {
		return Outward, false
	}
	return routes[name], true
}

// DeclaredBy gives the line of the table that declares a route.
func DeclaredBy(method, path string) (string, bool) {
	name := method + " " + path
	if _, ok := routes[name]; ok {
		return name, true
	}
	for at := strings.LastIndexByte(path, '/'); at >= 0; at = strings.LastIndexByte(path[:at], '/') {
		name := method + " " + path[:at+1] + "*"
		if _, ok := routes[name]; ok {
			return name, true
		}
	}
	return "", false
}

// DeclaredRoutes lists the lines of the table, in order.
func DeclaredRoutes() []string { return slices.Sorted(maps.Keys(routes)) }

// DeclaredJobs lists the declared kinds of jobs, in order.
func DeclaredJobs() []string { return slices.Sorted(maps.Keys(jobs)) }

// JobSide gives the side of a kind of job. What was not declared is outward.
func JobSide(kind string) Side {
	if side, ok := DeclaredJob(kind); ok {
		return side
	}
	return Outward
}

// DeclaredJob tells whether a kind of job was declared, and its side.
func DeclaredJob(kind string) (Side, bool) {
	side, ok := jobs[kind]
	return side, ok
}
