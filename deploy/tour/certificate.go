package tour

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/practice/wallet"
	"madoguchi.example/deploy/stage"
	"madoguchi.example/mobile-api/client"
)

// certificateWalk is what the steps of journey 1 hand on.
type certificateWalk struct {
	*Guide
	desk   *Desk
	phone  *client.Client
	me     client.Me
	qr     string
	issuer string

	mover    *client.Client     // whose doses lie in two municipalities
	overseas client.Certificate // of the mover, with the passport
	wallet   *wallet.Wallet
	kept     []wallet.Kept // the mover's copies
	ticket   string        // the correction's reference
	nextKey  string        // published, not yet signing
	oldCard  string        // signed by the key before
}

func certificate(g *Guide) journey {
	w := &certificateWalk{Guide: g, desk: NewDesk(g.Clinic)}
	return journey{"certificate: from import to a counter without a network", slices.Concat([]step{
		{"the import took every row of every file", w.imported},
		{"the same files a second time change nothing", w.importedAgain},
		{"a bad row is told by line and column without its value, the good rows are kept", w.badRow},
		{"sign-in by code flow and PKCE leads to exactly one resident", w.signIn},
		{"who is no resident is sent to the counter", w.nobody},
		{"who is registered twice is sent to the counter", w.twice},
		{"the app knows the person and the children of the household", w.people},
		{"a certificate for oneself is a SMART Health Card in one QR code", w.forSelf},
		{"a certificate for a child of the household", w.forChild},
		{"who has no record gets a reason, not a certificate", w.noRecord},
		{"a wrong check digit of a passport is refused by its name", w.wrongDigit},
		{"doses of two municipalities, by CSV and by FHIR, stand in one certificate of three formats", w.twoTowns},
		{"the issuer's keys are at /.well-known/jwks.json", w.keys},
		{"the line is cut and the desk sees it", w.cut},
		{"the desk verifies the code without a network", w.deskVerifies},
		{"madoguchi-agent verify says the same", w.commandVerifies},
		{"both verify the HC1 code of the same record", w.otherFormat},
		{"the code for borders is told as a specimen that nobody trusts", w.specimen},
		{"a code in three parts is 1/3, 2/3, and then read", w.inParts},
		{"the picture that the phone shows is read", w.picture},
		{"a changed code is refused by both", w.tampered},
		{"the line is whole again and the counted verifications are sent", w.restored},
	}, w.walletSteps(), w.correctionSteps(), w.keySteps())}
}

func (w *certificateWalk) imported(context.Context) error {
	for _, f := range population.ImportFiles() {
		rows, err := csvRows(filepath.Join(w.Stage.PeopleDir(), f.Name))
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s: %d rows, %d added, 0 changed, 0 unchanged, 0 refused", f.Name, rows, rows)
		if !strings.Contains(w.Imported, line) {
			return fmt.Errorf("the import did not say %q but:\n%s", line, w.Imported)
		}
	}
	return want(strings.Contains(w.Imported, population.FHIRFile+": ") && strings.Contains(w.Imported, " 0 unchanged, 0 refused"),
		"the import did not take the bundle:\n%s", w.Imported)
}

func csvRows(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	return len(all) - 1, err
}

func (w *certificateWalk) importedAgain(ctx context.Context) error {
	out, err := w.Stage.Import(ctx)
	if err != nil {
		return err
	}
	for _, f := range population.ImportFiles() {
		rows, err := csvRows(filepath.Join(w.Stage.PeopleDir(), f.Name))
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s: %d rows, 0 added, 0 changed, %d unchanged, 0 refused", f.Name, rows, rows)
		if !strings.Contains(string(out), line) {
			return fmt.Errorf("the import did not say %q but:\n%s", line, out)
		}
	}
	return nil
}

func (w *certificateWalk) badRow(ctx context.Context) error {
	dir, err := os.MkdirTemp(w.Stage.Dir, "bad-row-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	parent := w.Stage.Cast.Parent
	var b strings.Builder
	for _, f := range population.ImportFiles() {
		if f.Name == "vaccinations.csv" {
			b.WriteString(strings.Join(f.Columns, ",") + "\n")
		}
	}
	for i, on := range []string{"2023-13-45", "2023-09-30"} {
		fmt.Fprintf(&b, "T00000%d,%s,%s,208,コミナティ筋注,ファイザー,PX0001,4,%s,みなと市集団接種会場,JPN\n",
			i+1, parent.ResidentRef, parent.MunicipalityCode, on)
	}
	file := filepath.Join(dir, "vaccinations.csv")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return err
	}
	_, err = w.Stage.Tool(ctx, "import", file) // its status is not zero: one row was refused
	said := fmt.Sprint(err)
	if strings.Contains(said, "2023-13-45") {
		return fmt.Errorf("the report repeats the value")
	}
	return want(err != nil && strings.Contains(said, "vaccinations.csv") && strings.Contains(said, "line 2") && strings.Contains(said, "given_on"),
		"the import said: %s", said)
}

func (w *certificateWalk) signIn(ctx context.Context) (err error) {
	w.phone, err = w.SignIn(ctx, population.SubParent)
	return err
}

func (w *certificateWalk) toCounter(ctx context.Context, sub string) error {
	_, err := w.SignIn(ctx, sub)
	p, err := refusal(err, "identity_unlinked")
	if err != nil {
		return err
	}
	return want(p.Counter != nil && p.Counter.Municipality == "みなと市" && p.Counter.Place != "" && p.Counter.Hours != "",
		"the refusal names the counter %+v", p.Counter)
}

func (w *certificateWalk) nobody(ctx context.Context) error {
	return w.toCounter(ctx, population.SubNobody)
}
func (w *certificateWalk) twice(ctx context.Context) error {
	return w.toCounter(ctx, population.SubAmbiguous)
}

func (w *certificateWalk) people(ctx context.Context) (err error) {
	if w.me, err = w.phone.Me(ctx); err != nil {
		return err
	}
	cast := w.Stage.Cast
	if len(w.me.People) != 3 || w.me.People[0].Relation != "self" || w.me.People[0].Name != cast.Parent.Name {
		return fmt.Errorf("the app knows %d people", len(w.me.People))
	}
	_, err = w.child()
	return err
}

func (w *certificateWalk) child() (id string, err error) {
	for _, p := range w.me.People {
		if p.Relation == "child" && p.BirthDate == w.Stage.Cast.Child.BirthDate {
			return p.ID, nil
		}
	}
	return "", fmt.Errorf("the child of the household is not there")
}

func (w *certificateWalk) forSelf(ctx context.Context) error {
	c, err := w.phone.IssueCertificate(ctx, client.Ask{Person: w.me.People[0].ID, Use: "domestic"})
	if err != nil {
		return err
	}
	w.qr, w.issuer = c.QRText, c.Issuer
	if !strings.HasPrefix(c.QRText, "shc:/") || strings.Contains(c.QRText[5:], "/") || len(c.QRPNG) == 0 {
		return fmt.Errorf("the code is not one SMART Health Card QR code")
	}
	if len(c.Doses) < 3 || c.PersonName != w.Stage.Cast.Parent.Name || c.Format != "shc" {
		return fmt.Errorf("the certificate has %d doses, format %s", len(c.Doses), c.Format)
	}
	var file struct {
		VerifiableCredential []string `json:"verifiableCredential"`
	}
	if err := json.Unmarshal([]byte(c.File), &file); err != nil || len(file.VerifiableCredential) != 1 {
		return fmt.Errorf("the .smart-health-card file does not hold one card")
	}
	again, err := w.phone.ListCertificates(ctx)
	if err != nil {
		return err
	}
	return want(len(again) == 1 && again[0].ID == c.ID, "the list has %d certificates", len(again))
}

func (w *certificateWalk) forChild(ctx context.Context) error {
	id, err := w.child()
	if err != nil {
		return err
	}
	c, err := w.phone.IssueCertificate(ctx, client.Ask{Person: id, Use: "overseas"})
	if err != nil {
		return err
	}
	return want(c.Person == id && len(c.Doses) == 3, "the child's certificate has %d doses", len(c.Doses))
}

func (w *certificateWalk) noRecord(ctx context.Context) error {
	phone, err := w.SignIn(ctx, population.SubUnvaccinated)
	if err != nil {
		return err
	}
	me, err := phone.Me(ctx)
	if err != nil {
		return err
	}
	_, err = phone.IssueCertificate(ctx, client.Ask{Person: me.People[0].ID, Use: "domestic"})
	_, err = refusal(err, "no_record")
	return err
}

func (w *certificateWalk) keys(ctx context.Context) error {
	if w.issuer != stage.PublicURL {
		return fmt.Errorf("the certificate names another issuer")
	}
	p, err := getPage(ctx, http.DefaultClient, w.Stage.Public.URL()+"/.well-known/jwks.json")
	if err != nil {
		return err
	}
	var set struct {
		Keys []struct{ Kty, Crv, Alg, Kid string }
	}
	if err := json.Unmarshal([]byte(p.text), &set); err != nil || len(set.Keys) == 0 {
		return fmt.Errorf("status %d, no key set", p.status)
	}
	k := set.Keys[0]
	if k.Kty != "EC" || k.Crv != "P-256" || k.Alg != "ES256" || len(k.Kid) != 43 {
		return fmt.Errorf("a key is %s %s %s", k.Kty, k.Crv, k.Alg)
	}
	return want(p.header.Get("Access-Control-Allow-Origin") == "*", "verifiers in browsers cannot read the keys")
}

func (w *certificateWalk) cut(ctx context.Context) error {
	if err := w.desk.waitLine(ctx, true); err != nil {
		return err
	}
	if err := w.trusts(ctx); err != nil {
		return err
	}
	w.Stage.Line.Cut()
	return w.desk.waitLine(ctx, false)
}

// trusts waits until the terminal has a trust snapshot that knows the issuer.
func (w *certificateWalk) trusts(ctx context.Context) error {
	return until(ctx, func() (bool, string, error) {
		outcome, err := w.verifyByCommand(ctx, w.qr)
		return outcome == "valid", outcome, err
	})
}

func (w *certificateWalk) deskVerifies(ctx context.Context) error {
	outcome, err := w.desk.Verify(ctx, w.qr)
	if err != nil {
		return err
	}
	return want(outcome == "valid" && w.Stage.Line.IsCut(), "the outcome is %s", outcome)
}

func (w *certificateWalk) commandVerifies(ctx context.Context) error {
	outcome, err := w.verifyByCommand(ctx, w.qr)
	if err != nil {
		return err
	}
	return want(outcome == "valid" && w.Stage.Line.IsCut(), "the outcome is %s", outcome)
}

// verifyByCommand runs madoguchi-agent verify and gives the outcome.
func (w *certificateWalk) verifyByCommand(ctx context.Context, text string) (string, error) {
	v, err := w.judged(ctx, []byte(text+"\n"))
	return v.Outcome, err
}

// judgement is what madoguchi-agent verify says.
type judgement struct {
	Format, Outcome string
	Findings        []string
	TrustAge        string `json:"trust_age"`
}

func (j judgement) found(finding string) bool { return slices.Contains(j.Findings, finding) }

// judged runs madoguchi-agent verify and checks that its status fits its words.
func (w *certificateWalk) judged(ctx context.Context, content []byte) (judgement, error) {
	var v judgement
	file := filepath.Join(w.Clinic.Dir, "scanned")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return v, err
	}
	out, status, err := w.Clinic.Try(ctx, "verify", "--json", file)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(out, &v); err != nil {
		return v, fmt.Errorf("status %d, no verdict: %w", status, err)
	}
	return v, want((status == 0) == (v.Outcome == "valid") && status <= 1, "status %d with the outcome %s", status, v.Outcome)
}

// bothSay has the desk and the command judge a text.
func (w *certificateWalk) bothSay(ctx context.Context, text, outcome string) error {
	atDesk, err := w.desk.Verify(ctx, text)
	if err != nil {
		return err
	}
	byCommand, err := w.verifyByCommand(ctx, text)
	if err != nil {
		return err
	}
	return want(atDesk == outcome && byCommand == outcome, "the desk said %s, the command %s", atDesk, byCommand)
}

func (w *certificateWalk) tampered(ctx context.Context) error {
	changed, err := changeSignature(w.qr)
	if err != nil {
		return err
	}
	return w.bothSay(ctx, changed, "bad_signature")
}

// changeSignature changes one character in the middle of the signature. In a numeric
// SMART Health Card each two digits are a character's code minus 45.
func changeSignature(qr string) (string, error) {
	digits, ok := strings.CutPrefix(qr, "shc:/")
	if !ok || len(digits)%2 != 0 || len(digits) < 100 {
		return "", fmt.Errorf("the code is not numeric")
	}
	at := len(digits) - 40
	other := "52" // 'a'
	if digits[at:at+2] == other {
		other = "53"
	}
	return "shc:/" + digits[:at] + other + digits[at+2:], nil
}

func (w *certificateWalk) restored(ctx context.Context) error {
	if err := w.Stage.Line.Restore(); err != nil {
		return err
	}
	return w.desk.waitSent(ctx)
}

// waitSent waits until nothing waits at the terminal any more.
func (d *Desk) waitSent(ctx context.Context) error {
	return until(ctx, func() (bool, string, error) {
		pending, _, up, err := d.Bar(ctx)
		return up && strings.Contains(pending, " 0件"), pending, err
	})
}
