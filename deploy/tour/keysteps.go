package tour

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

func (w *certificateWalk) keySteps() []step {
	return []step{
		{"keys rotate publishes the next key, and the one in force goes on signing", w.rotate},
		{"after the caches' lifetime the next key signs, and old cards verify", w.rotated},
		{"a trust list that grew old says so with its age, and locks nothing", w.stale},
		{"a clock that was set back is told, and judged at the last trusted time", w.setBack},
		{"with its line and its clock again the terminal judges as before", w.current},
	}
}

// keyOf gives the name of the key that signed a SMART Health Card.
func keyOf(qr string) (string, error) {
	digits, ok := strings.CutPrefix(qr, "shc:/")
	if !ok || len(digits)%2 != 0 {
		return "", errors.New("the code is not numeric")
	}
	var token bytes.Buffer
	for i := 0; i < len(digits); i += 2 {
		token.WriteByte((digits[i]-'0')*10 + digits[i+1] - '0' + 45)
	}
	head, _, _ := strings.Cut(token.String(), ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return "", err
	}
	var h struct{ Kid string }
	return h.Kid, json.Unmarshal(raw, &h)
}

// published lists the names of the keys at /.well-known/jwks.json.
func (w *certificateWalk) published(ctx context.Context) (map[string]bool, error) {
	p, err := getPage(ctx, http.DefaultClient, w.Stage.Public.URL()+"/.well-known/jwks.json")
	if err != nil {
		return nil, err
	}
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal([]byte(p.text), &set); err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, k := range set.Keys {
		out[k.Kid] = true
	}
	return out, nil
}

func (w *certificateWalk) rotate(ctx context.Context) error {
	before, err := keyOf(w.oldCard)
	if err != nil {
		return err
	}
	out, err := w.Stage.Tool(ctx, "keys", "rotate", "--format", "shc")
	if err != nil {
		return err
	}
	words := strings.Fields(string(out))
	if len(words) < 2 || words[0] != "shc" || words[1] == before {
		return fmt.Errorf("keys rotate said: %s", out)
	}
	w.nextKey = words[1]
	if err := until(ctx, func() (bool, string, error) {
		keys, err := w.published(ctx)
		return keys[w.nextKey] && keys[before], fmt.Sprintf("%d keys", len(keys)), err
	}); err != nil {
		return err
	}
	c, err := w.abroad(ctx)
	if err != nil {
		return err
	}
	now, err := keyOf(c.QRText)
	if err != nil {
		return err
	}
	w.oldCard = c.QRText
	return want(now == before, "the next key signs before its time")
}

// cacheLifetime is how long others may keep the stage's keys: shorter than by default, so
// that the terminal's trust is not stale when the next key signs.
const cacheLifetime = 24 * time.Hour

func (w *certificateWalk) rotated(ctx context.Context) error {
	if err := w.Stage.Clock.Advance(cacheLifetime + time.Hour); err != nil {
		return err
	}
	c, err := w.abroad(ctx)
	if err != nil {
		return err
	}
	if now, err := keyOf(c.QRText); err != nil || now != w.nextKey {
		return errors.Join(errors.New("another key signs than the next one"), err)
	}
	for _, card := range []string{c.QRText, w.oldCard, w.qr} {
		if err := until(ctx, func() (bool, string, error) {
			outcome, err := w.verifyByCommand(ctx, card)
			return outcome == "valid", outcome, err
		}); err != nil {
			return err
		}
	}
	w.overseas = c
	return nil
}

// old is longer than a trust list is good for.
const old = 9 * 24 * time.Hour

func (w *certificateWalk) stale(ctx context.Context) error {
	w.Stage.Line.Cut()
	if err := w.desk.waitLine(ctx, false); err != nil {
		return err
	}
	if err := w.Stage.Clock.Advance(old); err != nil {
		return err
	}
	if err := w.bothSay(ctx, w.qr, "stale_trust"); err != nil {
		return err
	}
	v, err := w.judged(ctx, []byte(w.qr))
	if err != nil {
		return err
	}
	shown, err := w.desk.Verdict(ctx, w.qr)
	if err != nil {
		return err
	}
	age, err := time.ParseDuration(v.TrustAge)
	if err != nil {
		return err
	}
	days := fmt.Sprintf("%d日前", age/(24*time.Hour)) // more than old where the terminal did not ask since the key changed
	if _, whole := shown.byID("holder"); !whole || age < old || !strings.Contains(shown.text(), days) {
		return fmt.Errorf("the age is %q; the desk says: %s", v.TrustAge, short(shown))
	}
	changed, err := changeSignature(w.qr)
	if err != nil {
		return err
	}
	if err := w.bothSay(ctx, changed, "bad_signature"); err != nil {
		return err
	}
	start, err := w.desk.get(ctx, "/")
	if err != nil {
		return err
	}
	_, err = start.form("/checks") // the counter goes on
	return err
}

// restart starts the terminal again, which by then reads the clock that it has.
func (w *certificateWalk) restart(ctx context.Context) error {
	if err := w.Clinic.Process().Stop(10 * time.Second); err != nil {
		return err
	}
	if err := w.Clinic.Start(ctx); err != nil {
		return err
	}
	w.desk = NewDesk(w.Clinic)
	return nil
}

func (w *certificateWalk) setBack(ctx context.Context) error {
	if err := w.Clinic.SetBack(400 * 24 * time.Hour); err != nil {
		return err
	}
	if err := w.restart(ctx); err != nil {
		return err
	}
	v, err := w.judged(ctx, []byte(w.qr))
	if err != nil {
		return err
	}
	if !v.found("clock_set_back") || v.Outcome == "not_yet_valid" {
		return fmt.Errorf("the command says %s %v", v.Outcome, v.Findings)
	}
	shown, err := w.desk.Verdict(ctx, w.qr)
	if err != nil {
		return err
	}
	return want(strings.Contains(shown.text(), "時計") && shown.attr("data-outcome") != "not_yet_valid",
		"the desk says %s: %s", shown.attr("data-outcome"), short(shown))
}

func (w *certificateWalk) current(ctx context.Context) error {
	if err := w.Clinic.SetBack(0); err != nil {
		return err
	}
	if err := w.restart(ctx); err != nil {
		return err
	}
	if err := w.Stage.Line.Restore(); err != nil {
		return err
	}
	if err := w.desk.waitLine(ctx, true); err != nil {
		return err
	}
	for _, card := range []string{w.qr, w.oldCard, w.overseas.QRText} {
		if err := until(ctx, func() (bool, string, error) {
			outcome, err := w.desk.Verify(ctx, card)
			return outcome == "valid", outcome, err
		}); err != nil {
			return err
		}
	}
	return w.desk.waitSent(ctx)
}
