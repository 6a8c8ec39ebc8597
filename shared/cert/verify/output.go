package verify

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/civil"
)

// JSON writes a verdict as one line, {"format","outcome","findings":[],"certificate":{…}},
// with "reason", "trust_as_of" and "trust_age" where there is one.
func JSON(v cert.Verdict) ([]byte, error) {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("cannot write the verdict: %w", err)
	}
	return []byte(escapeUnseen(out.String())), nil
}

// escapeUnseen writes what a terminal obeys instead of showing it, or what turns the
// direction of a line, as JSON escapes: such characters stand within strings alone.
func escapeUnseen(text string) string {
	if !strings.ContainsFunc(text, unseen) {
		return text
	}
	var out strings.Builder
	for _, c := range text {
		switch {
		case c == '\n' || !unseen(c):
			out.WriteRune(c)
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, c)
		}
	}
	return out.String()
}

// unseen tells whether a character is a control or a format character: escape sequences
// begin with one, and names may be made to look like others by them.
func unseen(c rune) bool { return unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// visible writes a text of somebody else's so that a terminal shows it and does nothing.
func visible(text string) string {
	return strings.Map(func(c rune) rune {
		if unseen(c) {
			return unicode.ReplacementChar
		}
		return c
	}, text)
}

// Sentence writes a verdict as one English sentence: the outcome, what it is, by whom and
// until when, why not, and how old a trust list is that is too old. It holds no personal
// data: how many doses and when the last was given, but not of whom.
func Sentence(v cert.Verdict) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: %s", v.Outcome, Title(v.Format))
	if c := v.Certificate; c != nil {
		s.WriteString(claims(v.Outcome, c))
	}
	if v.Reason != "" {
		fmt.Fprintf(&s, ": %s", v.Reason)
	}
	if v.Outcome == cert.StaleTrust || v.Outcome == cert.StaleRevocation {
		s.WriteString(trustAge(v))
	}
	for i, f := range v.Findings {
		s.WriteString([...]string{"; remarks: ", ", "}[min(i, 1)])
		s.WriteString(string(f))
	}
	return s.String()
}

// claims tells what a certificate says, as its issuer's word only where that was proven.
func claims(outcome cert.Outcome, c *cert.Certificate) string {
	issuer := visible(c.Issuer)
	if issuer == "" {
		issuer = "an issuer without a name"
	}
	switch outcome {
	case cert.Malformed, cert.Unsupported, cert.UnknownKey, cert.UntrustedIssuer, cert.BadSignature:
		return " that names " + issuer
	}
	var s strings.Builder
	fmt.Fprintf(&s, " of %s", issuer)
	if !c.IssuedAt.IsZero() {
		fmt.Fprintf(&s, ", issued %s", c.IssuedAt.Format(time.DateOnly))
	}
	s.WriteString(", " + content(c))
	if c.ExpiresAt.IsZero() {
		s.WriteString(", without an end date")
	} else {
		fmt.Fprintf(&s, ", good until %s", c.ExpiresAt.Format(time.DateOnly))
	}
	return s.String()
}

// content says what is certified. What is no vaccination is called so: somebody may take
// the sentence for one.
func content(c *cert.Certificate) string {
	switch {
	case len(c.Doses) > 0:
		s := count(len(c.Doses), "vaccination")
		if last := lastDay(c.Doses); !last.IsZero() {
			s += ", the last on " + last.String()
		}
		return s
	case len(c.Tests) > 0:
		return count(len(c.Tests), "test") + " and no vaccination"
	case len(c.Recoveries) > 0:
		return "a recovery and no vaccination"
	}
	return "no vaccination"
}

func lastDay(doses []cert.Dose) civil.Date {
	var last civil.Date
	for _, d := range doses {
		if last.Before(d.On) {
			last = d.On
		}
	}
	return last
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// trustAge tells how old the trust list is, in days and hours.
func trustAge(v cert.Verdict) string {
	age, err := time.ParseDuration(v.TrustAge)
	if err != nil || v.TrustAsOf.IsZero() {
		return "; the trust list does not say how old it is"
	}
	const day = 24 * time.Hour
	return fmt.Sprintf("; the trust list is %s and %s old, made %s",
		count(int(age/day), "day"), count(int(age%day/time.Hour), "hour"), v.TrustAsOf.UTC().Format(time.RFC3339))
}
