// Package authn proves who is calling: citizens and officers through an OpenID provider,
// citizens' apps and terminals by short-lived access tokens, officers by a session cookie.
//
// It promises that a sign-in can be finished only once, in the browser that began it and
// within ten minutes; that nothing kept in the store can be used to sign in (states,
// refresh tokens and sessions are kept as hashes, nonces and PKCE verifiers not at all);
// that a refresh token is replaced when it is used, may be brought again for RefreshAgain
// while its successor was not used (the answer may have been lost), and otherwise ends the
// session at its second use; and that an access
// token is taken only in the one form in which it was made.
package authn

import "time"

// Lifetimes.
const (
	FlowLifetime    = 10 * time.Minute    // from the start of a sign-in to its end
	AccessLifetime  = 10 * time.Minute    // of an access token
	SessionLifetime = 90 * 24 * time.Hour // of a citizen's session, however often it is refreshed
	RefreshAgain    = 2 * time.Minute     // a used refresh token may come again, if its successor never came
	StaffIdle       = 30 * time.Minute    // an officer's session without a request
	StaffLifetime   = 12 * time.Hour      // of an officer's session in all
	AssertionLimit  = 5 * time.Minute     // how far ahead a terminal's assertion may expire
	MaxTokenBytes   = 4 << 10             // of any token that is looked at
)

// Audiences of access tokens.
const (
	AudienceMobile   = "madoguchi-mobile"
	AudienceTerminal = "madoguchi-terminal"
)
