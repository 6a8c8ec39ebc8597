package shc_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
)

// walked is one issued card, taken apart with the library's tools and none of ours.
type walked struct {
	jws, qr  string
	header   map[string]any
	text     []byte
	trailing int
	payload  map[string]any
	kid      string
	verdict  cert.Verdict
}

func walk(t *testing.T, c cert.Certificate, o shc.Options) walked {
	t.Helper()
	key := testKey(t, 7)
	w := walked{jws: issue(t, c, o)}
	var err error
	if w.qr, err = shc.QRText(w.jws); err != nil {
		t.Fatal(err)
	}
	if w.kid, err = shc.KeyID(&key.PublicKey); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(w.jws, ".")
	decode := func(part string) []byte {
		b, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	compressed := bytes.NewReader(decode(parts[1]))
	if w.text, err = io.ReadAll(flate.NewReader(compressed)); err != nil {
		t.Fatal(err)
	}
	w.trailing = compressed.Len()
	for _, err := range []error{json.Unmarshal(decode(parts[0]), &w.header), json.Unmarshal(w.text, &w.payload)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.verdict = shc.VerifyJWS([]byte(w.jws), believe(t, key), at)
	return w
}

type object = map[string]any

func (w walked) vc() object      { return w.payload["vc"].(object) }
func (w walked) subject() object { return w.vc()["credentialSubject"].(object) }
func (w walked) bundle() object  { return w.subject()["fhirBundle"].(object) }
func (w walked) entries() []any  { return w.bundle()["entry"].([]any) }
func (w walked) resources(kind string) (out []object) {
	for _, e := range w.entries() {
		if r := e.(object)["resource"].(object); r["resourceType"] == kind {
			out = append(out, r)
		}
	}
	return out
}

// only tells whether an object has no members but these.
func only(o any, names ...string) bool {
	m, ok := o.(object)
	for name := range m {
		ok = ok && slices.Contains(names, name)
	}
	return ok
}

// every tells whether a rule holds for all resources of a kind, and that there are some.
func (w walked) every(kind string, holds func(object) bool) bool {
	all := w.resources(kind)
	return len(all) > 0 && !slices.ContainsFunc(all, func(r object) bool { return !holds(r) })
}

// nowhere tells whether no object of the bundle, at any depth, is as told.
func nowhere(v any, name string, bad func(name string, o object) bool) bool {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if !nowhere(item, name, bad) {
				return false
			}
		}
	case object:
		if bad(name, v) {
			return false
		}
		for member, value := range v {
			if !nowhere(value, member, bad) {
				return false
			}
		}
	}
	return true
}

var (
	day   = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	pairs = regexp.MustCompile(`^shc:/([0-6]\d|7[0-7])+$`)
	blank = regexp.MustCompile(`[{\[,:]\s|\s[}\]]`)
)

func text(v any) bool { s, ok := v.(string); return ok && s != "" }

func has(name string) func(string, object) bool {
	return func(_ string, o object) bool { _, there := o[name]; return there }
}

// rules are those of PROFILE.md.
var rules = map[string]func(walked) bool{
	"header": func(w walked) bool {
		return maps.Equal(w.header, object{"alg": "ES256", "zip": "DEF", "kid": w.kid})
	},
	"deflate":   func(w walked) bool { return w.trailing == 0 },
	"minified":  func(w walked) bool { return !blank.Match(w.text) && !bytes.Contains(w.text, []byte(`\u`)) },
	"signature": func(w walked) bool { return w.verdict.Outcome == cert.Valid && len(w.verdict.Findings) == 0 },
	"length":    func(w walked) bool { return len(w.jws) <= 1195 },
	"alphabet":  func(w walked) bool { return pairs.MatchString(w.qr) },
	"issuer": func(w walked) bool {
		iss, _ := w.payload["iss"].(string)
		return strings.HasPrefix(iss, "https://") && !strings.HasSuffix(iss, "/")
	},
	"times": func(w walked) bool {
		nbf, ok := w.payload["nbf"].(float64)
		exp, ends := w.payload["exp"].(float64)
		return ok && nbf == float64(int64(nbf)) && (!ends || (exp == float64(int64(exp)) && exp > nbf))
	},
	"type": func(w walked) bool {
		types, _ := w.vc()["type"].([]any)
		return len(types) == 1 && types[0] == "https://smarthealth.cards#health-card"
	},
	"members": func(w walked) bool {
		return only(w.payload, "iss", "nbf", "exp", "vc") && only(w.vc(), "type", "credentialSubject", "rid") && only(w.subject(), "fhirVersion", "fhirBundle")
	},
	"rid": func(w walked) bool {
		rid, there := w.vc()["rid"]
		return !there || regexp.MustCompile(`^[A-Za-z0-9_-]{1,24}$`).MatchString(fmt.Sprint(rid))
	},
	"fhir-version": func(w walked) bool { return w.subject()["fhirVersion"] == "4.0.1" },
	"bundle": func(w walked) bool {
		return only(w.bundle(), "resourceType", "type", "entry") && w.bundle()["resourceType"] == "Bundle" && w.bundle()["type"] == "collection"
	},
	"full-url": func(w walked) bool {
		for i, e := range w.entries() {
			if !only(e, "fullUrl", "resource") || e.(object)["fullUrl"] != fmt.Sprintf("resource:%d", i) {
				return false
			}
		}
		return true
	},
	"no-id":   func(w walked) bool { return nowhere(w.bundle(), "", has("id")) },
	"no-meta": func(w walked) bool { return nowhere(w.bundle(), "", has("meta")) },
	"no-text": func(w walked) bool { return nowhere(w.bundle(), "", has("text")) },
	"no-display": func(w walked) bool {
		return nowhere(w.bundle(), "", func(name string, o object) bool { _, there := o["display"]; return there && name == "coding" })
	},
	"patient-first": func(w walked) bool {
		first := w.entries()[0].(object)["resource"].(object)
		return len(w.resources("Patient")) == 1 && first["resourceType"] == "Patient"
	},
	"patient-members": func(w walked) bool {
		return w.every("Patient", func(r object) bool { return only(r, "resourceType", "name", "birthDate") })
	},
	"patient-name": func(w walked) bool {
		return w.every("Patient", func(r object) bool {
			names, _ := r["name"].([]any)
			if len(names) != 1 || !only(names[0], "family", "given") {
				return false
			}
			family, hasFamily := names[0].(object)["family"]
			given, hasGiven := names[0].(object)["given"].([]any)
			return (hasFamily || hasGiven) && (!hasFamily || text(family)) && !slices.ContainsFunc(given, func(g any) bool { return !text(g) })
		})
	},
	"birth-date": func(w walked) bool {
		return w.every("Patient", func(r object) bool { return day.MatchString(fmt.Sprint(r["birthDate"])) })
	},
	"immunization-members": func(w walked) bool {
		return w.every("Immunization", func(r object) bool {
			return only(r, "resourceType", "status", "vaccineCode", "patient", "occurrenceDateTime", "manufacturer", "lotNumber", "performer")
		})
	},
	"status": func(w walked) bool {
		return w.every("Immunization", func(r object) bool { return r["status"] == "completed" })
	},
	"vaccine-code": func(w walked) bool {
		return w.every("Immunization", func(r object) bool {
			codings, _ := r["vaccineCode"].(object)["coding"].([]any)
			return only(r["vaccineCode"], "coding") && len(codings) > 0 && !slices.ContainsFunc(codings, func(c any) bool {
				return !only(c, "system", "code") || c.(object)["system"] != "http://hl7.org/fhir/sid/cvx" || !text(c.(object)["code"])
			})
		})
	},
	"one-occurrence": func(w walked) bool {
		return w.every("Immunization", func(r object) bool {
			n := 0
			for name := range r {
				if strings.HasPrefix(name, "occurrence") {
					n++
				}
			}
			return n == 1 && day.MatchString(fmt.Sprint(r["occurrenceDateTime"]))
		})
	},
	"patient-reference": func(w walked) bool {
		return w.every("Immunization", func(r object) bool { return maps.Equal(r["patient"].(object), object{"reference": "resource:0"}) })
	},
	"manufacturer": func(w walked) bool {
		return w.every("Immunization", func(r object) bool {
			m, there := r["manufacturer"]
			if !there {
				return true
			}
			id := m.(object)["identifier"]
			return only(m, "identifier") && only(id, "system", "value") && id.(object)["system"] == "http://hl7.org/fhir/sid/mvx" && text(id.(object)["value"])
		})
	},
	"lot": func(w walked) bool {
		return w.every("Immunization", func(r object) bool { lot, there := r["lotNumber"]; return !there || text(lot) })
	},
	"performer": func(w walked) bool {
		return w.every("Immunization", func(r object) bool {
			p, _ := r["performer"].([]any)
			return len(p) <= 1 && !slices.ContainsFunc(p, func(p any) bool {
				return !only(p, "actor") || !only(p.(object)["actor"], "display") || !text(p.(object)["actor"].(object)["display"])
			})
		})
	},
}

// TestIssuedCardsKeepTheProfile walks the rules over cards of every kind, and holds the
// list of rules against PROFILE.md.
func TestIssuedCardsKeepTheProfile(t *testing.T) {
	listed, err := os.ReadFile("PROFILE.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z-]+) \|`).FindAllStringSubmatch(string(listed), -1) {
		if m[1] != "rule" {
			names = append(names, m[1])
		}
	}
	if slices.Sort(names); !slices.Equal(names, slices.Sorted(maps.Keys(rules))) {
		t.Errorf("PROFILE.md lists %v, walked are %v", names, slices.Sorted(maps.Keys(rules)))
	}
	bare := claims(1)
	bare.ID, bare.Holder.GivenKanji = "", ""
	bare.Doses[0].Lot, bare.Doses[0].Manufacturer, bare.Doses[0].Performer = "", "a maker of no code", ""
	ends := claims(2)
	ends.ExpiresAt = at.Add(time.Hour)
	cardsWalked := 0
	for name, c := range map[string]struct {
		claims cert.Certificate
		form   shc.NameForm
	}{
		"one dose": {claims(1), shc.NameKanji}, "Latin": {claims(3), shc.NameLatin}, "many doses": {claims(12), shc.NameKanji}, "bare": {bare, shc.NameKanji}, "ends": {ends, shc.NameLatin},
	} {
		w := walk(t, c.claims, shc.Options{Name: c.form})
		cardsWalked++
		for rule, holds := range rules {
			if !holds(w) {
				t.Errorf("%s: %s does not hold: %s", name, rule, w.text)
			}
		}
	}
	t.Logf("%d rules held over %d cards", len(rules), cardsWalked)
}
