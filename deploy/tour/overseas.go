package tour

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"madoguchi.example/deploy/population"
	"madoguchi.example/mobile-api/client"
)

func (w *certificateWalk) wrongDigit(ctx context.Context) error {
	lines := w.Stage.Cast.Parent.MRZ
	second := []byte(lines[1])
	second[19] = '0' + (second[19]-'0'+1)%10 // the birth date's check digit
	_, err := w.phone.IssueCertificate(ctx, client.Ask{Person: w.me.People[0].ID, Use: "overseas", MRZ: []string{lines[0], string(second)}})
	p, err := refusal(err, "invalid_argument")
	if err != nil {
		return err
	}
	return want(p.Reason == "birth_date_check" && slices.Equal(p.Places, []string{"body.mrz.1"}),
		"the refusal names %v and %q", p.Places, p.Reason)
}

// rendering gives the certificate in one format.
func rendering(c client.Certificate, format string) (client.Rendering, error) {
	for _, r := range c.Renderings {
		if r.Format == format {
			return r, nil
		}
	}
	return client.Rendering{}, fmt.Errorf("the certificate has no %s, left out: %v", format, c.LeftOut)
}

func (w *certificateWalk) twoTowns(ctx context.Context) (err error) {
	if w.mover, err = w.SignIn(ctx, population.SubMoved); err != nil {
		return err
	}
	if w.overseas, err = w.abroad(ctx); err != nil {
		return err
	}
	c := w.overseas
	if len(c.Doses) != 3 || c.PersonName == w.Stage.Cast.Moved.Name || c.Reference == "" {
		return fmt.Errorf("the certificate has %d doses of both municipalities, reference %q", len(c.Doses), c.Reference)
	}
	for format, begins := range map[string]string{"shc": "shc:/", "hcert": "HC1:", "vdsnc": "{"} {
		r, err := rendering(c, format)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(r.QRText, begins) || len(r.QRPNG) == 0 || r.Specimen != (format == "vdsnc") {
			return fmt.Errorf("the code of %s is another (specimen %v)", format, r.Specimen)
		}
	}
	return nil
}

// abroad asks for the mover's certificate with the passport.
func (w *certificateWalk) abroad(ctx context.Context) (client.Certificate, error) {
	me, err := w.mover.Me(ctx)
	if err != nil {
		return client.Certificate{}, err
	}
	return w.mover.IssueCertificate(ctx, client.Ask{Person: me.People[0].ID, Use: "overseas", MRZ: w.Stage.Cast.Moved.MRZ[:]})
}

func (w *certificateWalk) otherFormat(ctx context.Context) error {
	r, err := rendering(w.overseas, "hcert")
	if err != nil {
		return err
	}
	return w.bothSay(ctx, r.QRText, "valid")
}

func (w *certificateWalk) specimen(ctx context.Context) error {
	r, err := rendering(w.overseas, "vdsnc")
	if err != nil {
		return err
	}
	if err := w.bothSay(ctx, r.QRText, "untrusted_issuer"); err != nil {
		return err
	}
	shown, err := w.desk.Verdict(ctx, r.QRText)
	if err != nil {
		return err
	}
	if v, err := w.judged(ctx, []byte(r.QRText)); err != nil || !v.found("specimen") {
		return errors.Join(fmt.Errorf("the command found %v", v.Findings), err)
	}
	return want(strings.Contains(shown.text(), "見本"), "the desk says: %.200s", shown.text())
}

// split cuts a SMART Health Card's code into parts, as cards too long for one code were
// given out (SMART Health Cards Framework 1.0.0, "Chunking").
func split(qr string, parts int) ([]string, error) {
	digits, ok := strings.CutPrefix(qr, "shc:/")
	if !ok || len(digits)%2 != 0 {
		return nil, errors.New("the code is not numeric")
	}
	each := len(digits) / 2 / parts * 2
	var out []string
	for i := range parts {
		end := (i + 1) * each
		if i == parts-1 {
			end = len(digits)
		}
		out = append(out, fmt.Sprintf("shc:/%d/%d/%s", i+1, parts, digits[i*each:end]))
	}
	return out, nil
}

func (w *certificateWalk) inParts(ctx context.Context) error {
	parts, err := split(w.qr, 3)
	if err != nil {
		return err
	}
	for read, in := range [][]string{{parts[1]}, {parts[1], parts[0]}} {
		said, err := w.desk.Parts(ctx, strings.Join(in, "\n"))
		if err != nil {
			return err
		}
		if !strings.Contains(said, fmt.Sprintf("%d/3", read+1)) {
			return fmt.Errorf("after %d parts the desk says %s", read+1, said)
		}
	}
	return w.bothSay(ctx, parts[1]+"\n"+parts[0]+"\n"+parts[2], "valid")
}

func (w *certificateWalk) picture(ctx context.Context) error {
	for _, format := range []string{"shc", "hcert"} {
		r, err := rendering(w.overseas, format)
		if err != nil {
			return err
		}
		atDesk, err := w.desk.Picture(ctx, r.QRPNG)
		if err != nil {
			return err
		}
		v, err := w.judged(ctx, r.QRPNG)
		if err != nil {
			return err
		}
		if atDesk != "valid" || v.Outcome != "valid" || v.Format != format {
			return fmt.Errorf("%s: the desk said %s, the command %s of %s", format, atDesk, v.Outcome, v.Format)
		}
	}
	return nil
}
