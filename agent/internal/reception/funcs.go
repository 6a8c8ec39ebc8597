package reception

import (
	"fmt"
	"html/template"
	"maps"
	"strings"
	"time"

	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/charge"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/jptext"
	"madoguchi.example/shared/notice"
)

// funcs are what templates may call, in the page's language.
func funcs(w words) template.FuncMap {
	all := wordFuncs(w)
	maps.Copy(all, caseFuncs(w))
	maps.Copy(all, verdictFuncs(w))
	maps.Copy(all, choices())
	maps.Copy(all, outboxFuncs(w))
	return all
}

// wordFuncs give words, days and times.
func wordFuncs(w words) template.FuncMap {
	return template.FuncMap{
		"t":        w.rich,
		"plain":    w.plain,
		"written":  w.written,
		"clock":    clockOf,
		"day":      func(d civil.Date) string { return longDate(w.Lang, d) },
		"dayof":    func(t time.Time) string { return longDate(w.Lang, civil.In(t)) },
		"shortday": func(d civil.Date) string { return fmt.Sprintf("%d/%d", int(d.Month), d.Day) },
		"both":     jptext.Both,
		"age":      func(d time.Duration) string { return age(w, d) },
		"left":     func(now, until time.Time) string { return age(w, until.Sub(now)) },
		"since":    func(now, t time.Time) time.Duration { return now.Sub(t) },
		"share":    func(percent int) string { return w.plain(fmt.Sprintf("co.%d", percent)) },
		"icon":     func(name string) template.HTML { return icons[name] },
		"troubles": func(v *pageView) []template.HTML { return troubles(w, v) },
		"level":    queueLevel,
		"tabkey":   func(tab string) string { return tabKeys[tab] },
		"headers":  func(v *pageView) string { return csrfHeaders(v.Visitor.CSRF) },
		"field": func(v *pageView, name, label, hint, value, mode string) field {
			return field{v, name, label, hint, value, mode}
		},
		"said":     func(f doctor.Finding) template.HTML { return w.written(f.Said(string(w.Lang))) },
		"mend":     func(f doctor.Finding) template.HTML { return w.written(f.Mend(string(w.Lang))) },
		"partname": func(f doctor.Finding) template.HTML { return w.written(f.Part.Name(string(w.Lang))) },
		"scanmend": func(word string) template.HTML { return scanWords(w, word, "mend") },
		"scansaid": func(word string) template.HTML { return scanWords(w, word, "said") },
		"cardicon": cardIcon,
	}
}

func clockOf(t time.Time) string { return t.In(civil.Japan).Format("15:04") }

// scanWords are the doctor's words for a fault of one scan.
func scanWords(w words, fault, what string) template.HTML {
	return w.written(doctor.Catalogue(string(w.Lang))["scan."+fault+"."+what])
}

// caseFuncs tell of rows and cases.
func caseFuncs(w words) template.FuncMap {
	return template.FuncMap{
		"row":          rowState,
		"tone":         tone,
		"tonev":        func(v eligibility.Validity) string { return tone(check.Display(v)) },
		"validity":     func(s string) string { return w.plain("r." + s) },
		"percent":      func(s string) string { return w.plain("co." + s) },
		"refusal":      func(v *check.View) string { return refusalKey(w, v) },
		"refusedfield": func(v *check.View) string { return refusedFields[v.RefusedField] },
		"wildcard":     func(s string) bool { return strings.ContainsRune(s, jptext.Wildcard) },
		"maskedtext":   maskedText,
		"shortid":      func(id string) string { return id[max(0, len(id)-8):] },
		"ruletitle":    func(c charge.Charge) string { return ruleTitle(w, c.Rule.Title) },
		"monthbefore":  func(m *check.Month) string { return monthBy(m, -1) },
		"monthafter":   func(m *check.Month) string { return monthBy(m, 1) },
		"monthnumber":  func(m *check.Month) int { return int(m.Month) },
	}
}

func monthBy(m *check.Month, by time.Month) string {
	return time.Date(m.Year, m.Month+by, 1, 0, 0, 0, 0, civil.Japan).Format("2006-01")
}

func ruleTitle(w words, title charge.Words) string {
	switch w.Lang {
	case notice.English:
		return title.EN
	case notice.Japanese:
		return title.JA
	}
	return title.JAEasy
}

// refusalKey is the key of the words for why a record cannot be asked as it is.
func refusalKey(w words, v *check.View) string {
	if key := "refusal." + v.Refusal; w.text[key] != "" {
		return key
	}
	return "refusal.other"
}

// refusedFields are the keys of the fields that a refusal may name.
var refusedFields = map[string]string{
	"insurer_number": "f.insurer", "symbol": "f.symbol", "number": "f.number", "branch": "f.branch", "birth_date": "f.birth", "visit_day": "f.visit",
}

// verdictFuncs tell of certificates.
func verdictFuncs(w words) template.FuncMap {
	return template.FuncMap{
		"verdictof":  newVerdict,
		"doseline":   func(d cert.Dose) template.HTML { return doseLine(w, d) },
		"testline":   func(t cert.TestResult) template.HTML { return testLine(w, t) },
		"recovery":   func(r cert.Recovered) template.HTML { return recoveryLine(w, r) },
		"holdername": holderName,
		"formatname": verify.Title,
		"trustage":   func(now, asOf time.Time) string { return trustAge(w, now.Sub(asOf)) },
	}
}

// choices are what a person may choose from.
func choices() template.FuncMap {
	return template.FuncMap{
		"evidences": func() []eligibility.Evidence {
			return []eligibility.Evidence{
				eligibility.EvidenceCertificate, eligibility.EvidenceNotice, eligibility.EvidencePortalScreen,
				eligibility.EvidencePastRecord, eligibility.EvidenceVisual,
			}
		},
		"shares": func() []int { return []int{30, 20, 10} },
		"causes": eligibility.Causes,
		"voidings": func() []eligibility.AmendReason {
			return []eligibility.AmendReason{eligibility.WrongPatient, eligibility.CancelledVisit, eligibility.Typo}
		},
		"amendings": func() []eligibility.AmendReason {
			return []eligibility.AmendReason{eligibility.Typo, eligibility.WrongPatient, eligibility.Completed}
		},
		"kinds": insuranceKinds,
	}
}
