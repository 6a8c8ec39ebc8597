package reception

import (
	"html/template"
	"slices"
	"strings"
	"time"

	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shlink"
	"madoguchi.example/shared/cert/vaccine"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/notice"
)

// verdictView is a verdict as a tired person reads it: one word, why, what to do, then what
// the certificate says.
type verdictView struct {
	cert.Verdict
	Tone       string // good, attention, stop
	Head       string // keys of the catalogue
	Why, Next  string
	Remarks    []string // what a person at the counter should know
	Asides     []string // what differs from the standard and changes nothing
	Believable bool     // the claims may be shown as the issuer's word
	Proven     bool     // the issuer signed it, whatever it is worth now
	Link       bool     // to be opened over the network
	Passcode   bool     // the link wants one
	Stale      bool
	At         time.Time // the time that the verdict is of
	TrustAsOf  time.Time
	LineUp     bool
}

// newVerdict puts a verdict into words. Nothing is shown as valid that is a specimen, or
// that is no proof of vaccination.
func newVerdict(v *pageView) verdictView {
	w := verdictView{
		Verdict: *v.Verdict, Believable: believable(v.Verdict.Outcome), Proven: cert.BadSignature.Before(v.Verdict.Outcome), Stale: stale(v.Verdict.Outcome),
		At: v.Clock.At, TrustAsOf: v.TrustAsOf, LineUp: v.Line.Up,
	}
	has := func(f cert.Finding) bool { return slices.Contains(w.Findings, f) }
	w.Link = has(cert.NeedsNetwork) && !has(inspect.LinkGone) && !has(inspect.LinkLocked)
	w.Passcode = w.Link && has(shlink.Passcode)
	w.Tone, w.Head, w.Why, w.Next = "stop", "o."+string(w.Outcome), "why."+string(w.Outcome), nextStep(v)
	switch {
	case has(cert.NeedsNetwork):
		w.Tone, w.Head, w.Why, w.Next = "attention", "o.link", "why.link", w.linkStep()
	case has(cert.Specimen) && w.Outcome != cert.Malformed && w.Outcome != cert.Unsupported:
		w.Head, w.Why, w.Next = "o.specimen", "why.specimen", "next.refuse"
	case w.Believable && w.Certificate != nil && notVaccination(w.Certificate) != "":
		w.Head, w.Why, w.Next = notVaccination(w.Certificate), "why.not_vaccination", "next.not_vaccination"
		w.Tone = "attention"
	case w.Outcome == cert.Valid && !has(inspect.ClockSetBack):
		w.Tone = "good"
	case w.Believable:
		w.Tone = "attention"
	}
	w.remark()
	return w
}

// linkStep says what to do with a link that was not followed, or not yet.
func (w *verdictView) linkStep() string {
	switch {
	case !w.Link:
		return "next.refuse"
	case !w.LineUp:
		return "next.link_offline"
	}
	return "next.link"
}

// notVaccination gives the headline of a good certificate that is no proof of vaccination.
func notVaccination(c *cert.Certificate) string {
	switch {
	case c.Content == cert.Vaccination || c.Content == "":
		return ""
	case c.Content == cert.Test:
		return "o.test"
	case c.Content == cert.Recovery:
		return "o.recovery"
	}
	return "o.other"
}

// remark sorts the findings into what a person should know and what changes nothing.
func (w *verdictView) remark() {
	for _, f := range w.Findings {
		key, aside := remarkKey(f)
		switch {
		case key == "" || (slices.Contains(w.Remarks, key)):
		case aside:
			w.Asides = append(w.Asides, strings.ReplaceAll(string(f), "_", " "))
		default:
			w.Remarks = append(w.Remarks, key)
		}
	}
}

// told are the findings with words of their own at the counter; an empty key is one that the
// headline or the facts already say.
var told = map[cert.Finding]string{
	inspect.ClockSetBack:     "w.clock_set_back",
	inspect.ClockSlow:        "v.clock",
	cert.ClockBeforeSnapshot: "v.clock",
	cert.Specimen:            "",
	cert.NoVaccination:       "",
	cert.NeedsNetwork:        "",
	"no_expiry":              "",
	"link_no_certificate":    "w.link_no_certificate",
	cert.HoldersDiffer:       "w.holders_differ",
	cert.SeveralCertificates: "w.several_certificates",
	cert.NoHolderName:        "w.no_holder_name",
	cert.PartialDate:         "w.partial_date",
	cert.NoRevocationList:    "w.revocation_list_absent",
	"no_such_birth_date":     "w.no_such_birth_date",
	"holder_unproven":        "w.holder_unproven",
	"key_binding_unasked":    "w.holder_unproven",
	"doses_withheld":         "w.doses_withheld",
	"outside_stated_period":  "w.outside_stated_period",
	"signer_pinned":          "w.signer_pinned",
	"test_result_unclear":    "w.test_result_unclear",
	inspect.FromLink:         "w.from_link",
	inspect.LinkRefused:      "w.link_refused",
	inspect.LinkUnreachable:  "w.link_unreachable",
	inspect.LinkForbidden:    "w.link_not_followed",
	inspect.WrongPasscode:    "w.link_wrong_passcode",
	inspect.LinkLocked:       "w.link_locked",
	inspect.LinkGone:         "w.link_gone",
	inspect.LinkBusy:         "w.link_busy",
	shlink.Expired:           "w.link_expired",
	shlink.NotHTTPS:          "w.link_not_https",
	shlink.Passcode:          "w.needs_passcode",
}

// remarkKey gives the words of a finding. One that nobody gave words to is an aside, as most
// findings of a format's own are: they tell how a document is written.
func remarkKey(f cert.Finding) (key string, aside bool) {
	if key, ok := told[f]; ok {
		return key, false
	}
	return "w.form", true
}

// doseLine says one vaccination in words.
func doseLine(w words, d cert.Dose) template.HTML {
	day := longDate(w.Lang, d.On)
	if d.On.IsZero() {
		day = w.plain("v.day_unknown")
	}
	if d.Of > 0 {
		return w.rich("v.dose_of", d.Number, d.Of, day, product(w.Lang, d))
	}
	return w.rich("v.dose", d.Number, day, product(w.Lang, d))
}

// product names what was given in the page's language, as far as a list knows it.
func product(lang notice.Language, d cert.Dose) string {
	p, known := vaccine.Product{}, false
	switch d.CodeSystem {
	case cert.EU:
		p, known = vaccine.ByEU(d.Code)
	case cert.CVX, "":
		p, known = vaccine.ByCVX(d.Code)
	}
	switch {
	case known && lang == notice.English && p.Names.En != "":
		return p.Names.En
	case known && lang != notice.English && p.Names.Ja != "":
		return p.Names.Ja
	case d.Product != "":
		return d.Product
	}
	return d.Code
}

// testLine says one test in words.
func testLine(w words, r cert.TestResult) template.HTML {
	result := "v.not_detected"
	if r.Detected {
		result = "v.detected"
	}
	return w.rich("v.test_line", longDate(w.Lang, civil.In(r.Sampled)), w.plain(result))
}

// recoveryLine says one recovery in words.
func recoveryLine(w words, r cert.Recovered) template.HTML {
	return w.rich("v.recovery_line", longDate(w.Lang, r.FirstPositive), longDate(w.Lang, r.Until))
}

// holderName is the name as the certificate writes it.
func holderName(c *cert.Certificate) string {
	switch {
	case c.HolderRaw != "":
		return c.HolderRaw
	case c.Holder.Kanji() != "":
		return c.Holder.Kanji()
	}
	return c.Holder.Latin()
}

// setBackWords say how far the clock is behind.
func setBackWords(w words, r clockfloor.Reading) template.HTML {
	return w.rich("bar.clock_back", age(w, r.SetBack))
}
