package pwa_test

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/skip2/go-qrcode"

	"madoguchi.example/mobile-api/apiv1"
)

const (
	firstCard  = "crt_01jd0000000000000000000001" // the parent's, for Japan
	abroadCard = "crt_01jd0000000000000000000002" // the parent's, for abroad, with a passport
	bareCard   = "crt_01jd0000000000000000000003" // the child's, for abroad, without one
	goneCard   = "crt_01jd0000000000000000000004" // the parent's, for Japan, revoked
	openCase   = "K7Q4-XM2P-3"
	closedCase = "K2D9-TT6R-8"
	myNumber   = "123456789018" // the published example of a check digit
)

// The specimen passport of ICAO Doc 9303.
var passport = []string{"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"}

// cards is what the canned world knows of certificates.
type cards struct {
	certs       []apiv1.Certificate
	corrections []apiv1.Correction

	noRecord  bool
	mrzReason string        // not empty: the second line is refused for it
	hold      chan struct{} // not nil: issuing, offering and asking wait for it
	keys      []string      // of asks for certificates
	asked     []apiv1.IssueCertificate
	offerKeys []string
	stale     bool // the certificate cannot go into a wallet any more
	wrongKeys []string
	wrong     []apiv1.RequestCorrection
	answered  map[string]apiv1.Correction // by key
}

func (c *canned) serveCards(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/certificates", c.citizen(func(w http.ResponseWriter, r *http.Request) {
		c.tagged(w, r, map[string]any{"certificates": c.certs})
	}))
	mux.HandleFunc("POST /v1/certificates", c.citizen(c.issue))
	mux.HandleFunc("POST /v1/certificates/{id}/wallet-offer", c.citizen(c.offer))
	mux.HandleFunc("GET /v1/corrections", c.citizen(func(w http.ResponseWriter, r *http.Request) {
		c.tagged(w, r, map[string]any{"corrections": c.corrections})
	}))
	mux.HandleFunc("POST /v1/corrections", c.citizen(c.askCorrection))
}

// waitFor lends the lock to others while it waits.
func (c *canned) waitFor(hold chan struct{}) {
	if hold == nil {
		return
	}
	c.mu.Unlock()
	<-hold
	c.mu.Lock()
}

func (c *canned) issue(w http.ResponseWriter, r *http.Request) {
	in := apiv1.IssueCertificate{}
	decode(r, &in.Body)
	c.keys, c.asked = append(c.keys, r.Header.Get("Idempotency-Key")), append(c.asked, in)
	c.waitFor(c.hold)
	switch {
	case c.noRecord:
		refuse(w, 409, apiv1.Problem{Code: "no_record", Trace: "01JD4KQ7XS", Reference: "R4KQ-7XSM-2", Correction: "missing", Counter: &counter})
		return
	case c.mrzReason != "" && len(in.Body.MRZ) > 0:
		refuse(w, 422, apiv1.Problem{Code: "invalid_argument", Trace: "01JD4KQ8", Places: []string{"body.mrz.1"}, Reason: c.mrzReason, Correction: "name", Counter: &counter})
		return
	}
	id := "crt_01jd000000000000000000001" + string(rune('0'+len(c.certs)))
	cert := domestic(in.Body.Person, id)
	if in.Body.Use == "overseas" {
		cert = overseas(in.Body.Person, id, len(in.Body.MRZ) > 0)
	}
	cert.IssuedAt = moment(clock)
	c.certs = append([]apiv1.Certificate{cert}, c.certs...)
	reply(w, 201, cert)
}

func (c *canned) offer(w http.ResponseWriter, r *http.Request) {
	c.offerKeys = append(c.offerKeys, r.Header.Get("Idempotency-Key"))
	c.waitFor(c.hold)
	if c.stale {
		refuse(w, 409, apiv1.Problem{Code: "conflict", Places: []string{"certificate"}, Trace: "01JD4KQ9"})
		return
	}
	uri := "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fcell.example%2Fwallet%2Foffers%2F01jd0000000000000000000001"
	reply(w, 201, apiv1.WalletOffer{OfferURI: uri, QRPNG: picture(uri), TxCode: "042917", ExpiresAt: moment(clock).Add(10 * time.Minute)})
}

func (c *canned) askCorrection(w http.ResponseWriter, r *http.Request) {
	in := apiv1.RequestCorrection{}
	decode(r, &in.Body)
	c.wrongKeys, c.wrong = append(c.wrongKeys, r.Header.Get("Idempotency-Key")), append(c.wrong, in)
	c.waitFor(c.hold)
	if strings.Contains(in.Body.Words, myNumber) {
		refuse(w, 422, apiv1.Problem{Code: "my_number_refused", Places: []string{"body.words"}, Trace: "01JD4KQA"})
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if _, again := c.answered[key]; !again {
		one := correction("K9ZZ-4WRT-6", in.Body.Kind, in.Body.Person, in.Body.Words, "open")
		c.corrections = append([]apiv1.Correction{one}, c.corrections...)
		c.answered[key] = one
	}
	reply(w, 201, c.answered[key])
}

func correction(reference, kind, person, words, state string) apiv1.Correction {
	return apiv1.Correction{Reference: reference, Kind: kind, Person: person, Words: words, State: state, AskedAt: moment("2026-11-19T03:00:00Z"), Counter: counter}
}

// tellOfCards gives the parent a full set: abroad with a specimen for borders, a revoked one
// before, the child's without a passport, and two corrections.
func (c *canned) tellOfCards() {
	gone := domestic(parent, goneCard)
	at := moment("2026-10-30T01:00:00Z")
	gone.IssuedAt, gone.RevokedAt, gone.RevokedFor = at.Add(-240*time.Hour), &at, "correction"
	c.certs = []apiv1.Certificate{domestic(parent, firstCard), overseas(parent, abroadCard, true), overseas(child, bareCard, false), gone}
	answered := moment("2026-11-20T04:00:00Z")
	closed := correction(closedCase, "wrong", parent, "2回目の製造番号がちがいます。接種済証には GB5679 とあります。", "corrected")
	closed.Certificate, closed.Dose, closed.AnsweredAt = firstCard, 2, &answered
	closed.Answer = "接種済証と照らし合わせ、2回目の製造番号を GB5679 に訂正しました。"
	c.corrections = []apiv1.Correction{
		correction(openCase, "missing", child, "2025年11月に中央病院で受けた、みなみの麻しん風しんの接種がのっていません。", "open"),
		closed,
	}
}

// domestic is a certificate for Japan: one form, the kanji name.
func domestic(person, id string) apiv1.Certificate {
	text := "shc:/" + strings.Repeat("5676290952432060346029243740446031222959532654603460292540", 20)
	name, _, birth := named(person)
	c := card(person, id, name, birth, text)
	c.Use = "domestic"
	c.Renderings[0].Where = "domestic"
	return c
}

// overseas has the Latin name and as many forms as there can be.
func overseas(person, id string, withPassport bool) apiv1.Certificate {
	text := "shc:/" + strings.Repeat("5762433031295953265460346029254056762909524320603460292437", 21)
	_, latin, birth := named(person)
	c := card(person, id, latin, birth, text)
	c.Use = "overseas"
	c.Renderings[0].Where = "overseas_clinic"
	hc1 := "HC1:" + strings.Repeat("NCFOXN%TSMAHN-H3YS1IK47ES6IXJR4E47X5", 10)
	c.Renderings = append(c.Renderings, apiv1.Rendering{Format: "hcert", Title: "HC1（EU DCC）", QRText: hc1, QRPNG: picture(hc1), Where: "eu_who", Doses: 1})
	if !withPassport {
		c.LeftOut = []apiv1.LeftOut{{Format: "vdsnc", Title: "ICAO VDS-NC", Why: "no_passport"}}
		return c
	}
	vds := `{"data":{"hdr":{"is":"UTO","t":"icao.vacc","v":1},"msg":"` + strings.Repeat("0123456789abcdef", 40) + `"}}`
	border := apiv1.Rendering{Format: "vdsnc", Title: "ICAO VDS-NC", QRText: vds, QRPNG: picture(vds), Where: "border", Doses: 2, Specimen: true}
	c.Renderings = append(c.Renderings, border)
	return c
}

func card(person, id, name, birth, text string) apiv1.Certificate {
	png := picture(text)
	file := `{"verifiableCredential":["eyJ.canned.card"]}`
	return apiv1.Certificate{
		ID: id, Reference: "C" + id[len(id)-1:] + "M4-P8TX-5", Person: person, PersonName: name, BirthDate: birth, Format: "shc", IssuedAt: moment("2026-11-01T01:00:00Z"),
		Issuer: "みなと市", QRText: text, QRPNG: png, File: file, LeftOut: []apiv1.LeftOut{},
		Renderings: []apiv1.Rendering{{Format: "shc", Title: "SMART Health Card", QRText: text, QRPNG: png, File: file, FileName: "minato.smart-health-card", Doses: 2}},
		Doses: []apiv1.Dose{
			{Number: 1, Product: "コミナティ筋注", On: "2024-10-05", Lot: "FA1234"},
			{Number: 2, Product: "コミナティ筋注", On: "2025-11-09", Lot: "GB5678"},
		},
	}
}

func named(person string) (name, latin, birth string) {
	if person == child {
		return "髙橋﨑 みなみ", "TAKAHASHIZAKI MINAMI", "2018-07-20"
	}
	return "髙橋﨑 ヴァシリエヴィチ", "TAKAHASHIZAKI VASILIEVICH", "1984-04-01"
}

var pictures sync.Map // text → PNG: drawing one takes longer than most tests

// picture is a QR code of the text.
func picture(text string) []byte {
	if png, ok := pictures.Load(text); ok {
		return png.([]byte)
	}
	png, err := qrcode.Encode(text, qrcode.Low, -6)
	if err != nil {
		panic(err)
	}
	pictures.Store(text, png)
	return png
}
