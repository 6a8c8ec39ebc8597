package verify

import (
	"encoding/json"
	"fmt"
	"strings"

	"madoguchi.example/shared/cert"
)

// JSON writes a verdict as one line, {"format","outcome","findings":[],"certificate":{…}},
// with "reason" where there is one.
func JSON(v cert.Verdict) ([]byte, error) {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("cannot write the verdict: %w", err)
	}
	return []byte(out.String()), nil
}

// Sentence writes a verdict as one English sentence without personal data.
func Sentence(v cert.Verdict) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: %s", v.Outcome, Title(v.Format))
	if c := v.Certificate; c != nil {
		s.WriteString(claims(v.Outcome, c))
	}
	if v.Reason != "" {
		fmt.Fprintf(&s, ": %s", v.Reason)
	}
	for i, f := range v.Findings {
		s.WriteString([...]string{"; remarks: ", ", "}[min(i, 1)])
		s.WriteString(string(f))
	}
	return s.String()
}

// claims tells what a card says, as its issuer's word only where that was proven.
func claims(outcome cert.Outcome, c *cert.Certificate) string {
	switch outcome {
	case cert.Malformed, cert.Unsupported, cert.UnknownKey, cert.UntrustedIssuer, cert.BadSignature:
		return " that names " + c.Issuer
	}
	return fmt.Sprintf(" of %s, issued %s, %s", c.Issuer, c.IssuedAt.Format("2006-01-02"), count(len(c.Doses)))
}

func count(doses int) string {
	if doses == 1 {
		return "1 vaccination"
	}
	return fmt.Sprintf("%d vaccinations", doses)
}
