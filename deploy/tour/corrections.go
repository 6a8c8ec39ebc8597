package tour

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/stage"
	"madoguchi.example/mobile-api/client"
)

func (w *certificateWalk) correctionSteps() []step {
	return []step{
		{"a correction asked for in the app has a reference", w.askCorrection},
		{"the officer of that municipality answers it in the console", w.answerCorrection},
		{"a corrected record comes by file and revokes what states it, with a notice", w.corrected},
		{"the terminal's next trust list says so: revoked, as SHC, as HC1 and at the wallet", w.revoked},
		{"a certificate issued anew states what was corrected, and is good", w.anew},
		{"the access record shows who did it", w.seen},
	}
}

func (w *certificateWalk) askCorrection(ctx context.Context) error {
	c, err := w.mover.AskCorrection(ctx, client.Wrong{Person: w.overseas.Person, Kind: "wrong", Certificate: w.overseas.ID, Dose: 3,
		Words: "3回目の製造番号が接種済証とちがいます"})
	if err != nil {
		return err
	}
	w.ticket = c.Reference
	return want(c.Reference != "" && c.State == "open" && c.Counter.Municipality == "やまのべ町",
		"the request %q is %s at %s", c.Reference, c.State, c.Counter.Municipality)
}

func (w *certificateWalk) answerCorrection(ctx context.Context) error {
	path := "/office/certificates/corrections/" + w.ticket
	stranger, err := w.Console(ctx, population.SubMinatoClerk)
	if err != nil {
		return err
	}
	if status, err := stranger.Status(ctx, path); err != nil || status == 200 {
		return errors.Join(fmt.Errorf("an officer of another municipality was answered with %d", status), err)
	}
	officer, err := w.Console(ctx, population.SubYamanobeClerk)
	if err != nil {
		return err
	}
	list, err := officer.open(ctx, "/office/certificates")
	if err != nil {
		return err
	}
	if !strings.Contains(list.text(), w.ticket) {
		return fmt.Errorf("the request does not wait in the console: %s", short(list))
	}
	if _, err := officer.done(ctx, path, having("answer", "corrected"),
		map[string]string{"answer": "corrected", "words": "接種済証を確かめ、製造番号を直しました"}); err != nil {
		return err
	}
	all, err := w.mover.Corrections(ctx)
	if err != nil {
		return err
	}
	return want(len(all) == 1 && all[0].State == "corrected" && all[0].Answer != "", "the app shows %d requests", len(all))
}

const correctLot = "PX-MENDED-7"

// Correction gives vaccination_corrections.csv with another lot for the mover's record that
// came by FHIR.
func Correction(s *stage.Stage, lot string) (csv string, err error) {
	row, err := shotOf(s, lot)
	const head = "record_ref,resident_ref,municipality_code,vaccine_code,product,manufacturer,lot,dose_number,given_on,performer,country,act,corrected_on,reason\n"
	return head + strings.Join(row, ",") + "\n", err
}

// shotOf finds the mover's record in the bundle of FHIR.
func shotOf(s *stage.Stage, lot string) (row []string, err error) {
	raw, err := os.ReadFile(filepath.Join(s.PeopleDir(), population.FHIRFile))
	if err != nil {
		return nil, err
	}
	var b struct {
		Entry []struct {
			Resource struct {
				ResourceType string
				Patient      struct{ Reference string }
				Identifier   []struct{ Value string }
				VaccineCode  struct {
					Coding []struct{ Code string }
					Text   string
				}
				Manufacturer       struct{ Display string }
				OccurrenceDateTime string
				Performer          []struct{ Actor struct{ Display string } }
				ProtocolApplied    []struct{ DoseNumberPositiveInt json.Number }
			}
		}
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, err
	}
	me := s.Cast.Moved
	for _, e := range b.Entry {
		r := e.Resource
		if r.ResourceType == "Immunization" && r.Patient.Reference == "Patient/"+strings.ToLower(me.ResidentRef) {
			return []string{r.Identifier[0].Value, me.ResidentRef, me.MunicipalityCode, r.VaccineCode.Coding[0].Code, r.VaccineCode.Text,
				r.Manufacturer.Display, lot, r.ProtocolApplied[0].DoseNumberPositiveInt.String(), r.OccurrenceDateTime, r.Performer[0].Actor.Display,
				"JPN", "replace", day(s.Clock.Now().In(population.Japan)), "製造番号の誤り"}, nil
		}
	}
	return nil, errors.New("the mover's record is not in the bundle")
}

func (w *certificateWalk) corrected(ctx context.Context) error {
	csv, err := Correction(w.Stage, correctLot)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(w.Stage.Dir, "corrections-")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "vaccination_corrections.csv")
	if err := os.WriteFile(file, []byte(csv), 0o600); err != nil {
		return err
	}
	for _, says := range []string{"1 rows, 0 added, 1 changed, 0 unchanged", "1 rows, 0 added, 0 changed, 1 unchanged"} { // the second time nothing happens
		out, err := w.Stage.Tool(ctx, "import", file)
		if err != nil {
			return err
		}
		if !strings.Contains(string(out), says) {
			return fmt.Errorf("the import did not say %q but: %s", says, out)
		}
	}
	list, err := w.mover.ListCertificates(ctx)
	if err != nil {
		return err
	}
	if len(list) != 1 || list[0].RevokedAt == nil || list[0].RevokedFor != "correction" {
		return fmt.Errorf("of %d certificates none was revoked for the correction", len(list))
	}
	got, err := w.mover.Notices(ctx, "")
	if err != nil {
		return err
	}
	return want(len(got.Notices) == 2, "the citizen has %d notices: of the answer and of the certificate", len(got.Notices))
}

func (w *certificateWalk) revoked(ctx context.Context) error {
	for _, format := range []string{"shc", "hcert"} {
		r, err := rendering(w.overseas, format)
		if err != nil {
			return err
		}
		if err := until(ctx, func() (bool, string, error) {
			outcome, err := w.verifyByCommand(ctx, r.QRText)
			return outcome == "revoked", format + " " + outcome, err
		}); err != nil {
			return err
		}
		if err := w.bothSay(ctx, r.QRText, "revoked"); err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
	}
	for _, k := range w.kept {
		status, err := w.wallet.Status(ctx, k)
		if err != nil {
			return err
		}
		if status != 1 {
			return fmt.Errorf("the wallet's copy has the status %d", status)
		}
		if err := w.bothSay(ctx, k.Whole(), "revoked"); err != nil {
			return fmt.Errorf("the wallet's copy: %w", err)
		}
	}
	return nil
}

func (w *certificateWalk) anew(ctx context.Context) error {
	c, err := w.abroad(ctx)
	if err != nil {
		return err
	}
	if len(c.Doses) != 3 || c.Doses[2].Lot != correctLot {
		return fmt.Errorf("the certificate has %d doses, the lot of the third was not corrected", len(c.Doses))
	}
	w.overseas, w.oldCard = c, c.QRText
	for _, format := range []string{"shc", "hcert"} {
		r, err := rendering(c, format)
		if err != nil {
			return err
		}
		if err := w.bothSay(ctx, r.QRText, "valid"); err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
	}
	return nil
}

func (w *certificateWalk) seen(ctx context.Context) error {
	var acts []string
	for cursor, more := "", true; more; {
		page, err := w.mover.AccessLog(ctx, cursor)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			acts = append(acts, e.Action)
		}
		cursor, more = page.Next, page.Next != ""
	}
	for _, act := range []string{"certificate.issue", "wallet.offer", "wallet.consent", "wallet.credential", "correction.ask", "correction.answer", "certificate.revoke"} {
		if !slices.Contains(acts, act) {
			return fmt.Errorf("%s is not in the access record: %v", act, acts)
		}
	}
	return nil
}
