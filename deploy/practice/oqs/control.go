package oqs

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Path is where the control lies; the program serves it on loopback alone.
const Path = "/practice/oqs"

const maxControlBytes = 64 << 10

// Card is a patient at the face-recognition reader.
type Card struct {
	Resident     string `json:"resident"`               // resident_ref
	Municipality string `json:"municipality,omitempty"` // where the reference is in several
	Day          string `json:"day,omitempty"`          // YYYY-MM-DD; empty is today
	// Consents are what the patient allowed: drugs, diagnosis, operation, checkups, ceiling, diseases.
	Consents  []string `json:"consents,omitempty"`
	Remark    string   `json:"remark,omitempty"`    // a certificate that ends soon, say
	Reference string   `json:"reference,omitempty"` // 照会番号
	Paper     bool     `json:"paper,omitempty"`     // the patient chose a prescription on paper
}

// consents names the elements of each consent, without their ends.
var consents = map[string]string{
	"drugs": "PharmacistsInfo", "diagnosis": "DiagnosisInfo", "operation": "OperationInfo", "checkups": "SpecificHealthCheckupsInfo",
	"ceiling": "LimitApplicationCertificateRelated", "diseases": "SpecificDiseasesCertificateRelated",
}

// consentTime is how long the data that a patient allowed may be fetched.
const consentTime = 24 * time.Hour

// Face pushes one result of the card reader and gives its file's name. Behaviour holds for
// it as for answers, but silence and abnormal ends.
func (t *Terminal) Face(c Card) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	day := c.Day
	if day == "" {
		day = now.Format(time.DateOnly)
	}
	if !isDate(compact(day)) || len(day) != 10 {
		return "", errors.New("cannot read the card: the day must be YYYY-MM-DD")
	}
	for _, k := range c.Consents {
		if consents[k] == "" {
			return "", errors.New("cannot read the card: there is no such consent")
		}
	}
	about, ok := t.Register.Of(c.Resident, c.Municipality, day)
	if !ok {
		return "", errors.New("cannot read the card: no such resident has coverage")
	}
	b := t.next()
	t.serial++
	t.state.Faces++
	validity := "1"
	if !about.On(day) {
		validity = "2"
	}
	result := told(about, day, b.Rare)
	result.kids = append(result.kids, consentNodes(c.Consents, now)...)
	result.kids = append(result.kids, given([2]string{"ReferenceNumber", c.Reference})...)
	prescription := "1"
	if c.Paper {
		prescription = "2"
	}
	remark := c.Remark
	if remark == "" {
		remark = b.Remark
	}
	body := branch("MessageBody", leaf("ProcessingResultStatus", "1"))
	if remark != "" {
		body.kids = append(body.kids, leaf("ProcessingResultCode", "PRACTICE-R1"), leaf("ProcessingResultMessage", remark))
	}
	body.kids = append(body.kids, leaf("QualificationValidity", validity), branch("ResultList", result), leaf("PrescriptionIssueSelect", prescription))
	doc := branch("XmlMsg", t.header(heading{day: day, identifier: fmt.Sprintf("face%06d", t.serial), segment: done, reference: byCard}, b.Encoding), body)
	name := fmt.Sprintf("OQSsiquc01res_face_%s%06d_%s.xml", t.Institution, t.serial, now.Format(stamp))
	t.plan(Face, name, doc, b, b.delay())
	return name, t.flush()
}

func consentNodes(allowed []string, now time.Time) []*node {
	var out []*node
	for _, k := range []string{"drugs", "diagnosis", "operation", "checkups", "ceiling", "diseases"} {
		name := consents[k]
		if !slices.Contains(allowed, k) {
			out = append(out, leaf(name+"ConsFlg", "0"))
			continue
		}
		out = append(out, leaf(name+"ConsFlg", "1"), leaf(name+"ConsTime", now.Format(stamp)))
		if k != "ceiling" && k != "diseases" {
			out = append(out, leaf(name+"AvailableTime", now.Add(consentTime).Format(stamp)))
		}
	}
	return out
}

// Handler is the control: GET state, GET and PUT behaviour, POST face. Bodies are JSON
// without unknown keys. Serve it on loopback alone.
func (t *Terminal) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"/state", func(w http.ResponseWriter, _ *http.Request) { reply(w, t.State()) })
	mux.HandleFunc("GET "+Path+"/behaviour", func(w http.ResponseWriter, _ *http.Request) {
		t.mu.Lock()
		b := t.behaviour
		t.mu.Unlock()
		reply(w, b)
	})
	mux.HandleFunc("PUT "+Path+"/behaviour", func(w http.ResponseWriter, r *http.Request) {
		var b Behaviour
		if err := body(w, r, &b); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := t.Set(b); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		reply(w, b)
	})
	mux.HandleFunc("POST "+Path+"/face", func(w http.ResponseWriter, r *http.Request) {
		var c Card
		if err := body(w, r, &c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		name, err := t.Face(c)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		reply(w, map[string]string{"file": name})
	})
	return mux
}

func body(w http.ResponseWriter, r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlBytes))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return errors.New("the body is not JSON with the known keys")
	}
	return nil
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // a client that went away needs no answer
}
