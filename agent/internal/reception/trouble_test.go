package reception_test

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/reception"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
)

// typed is a whole form, as the browser sends it.
var typed = url.Values{
	"insurer_number": {"33120015"}, "symbol": {"４７"}, "number": {"7654399"}, "branch": {"02"}, "birth_date": {"S55.4.1"},
	"visit_day": {"2026-11-20"}, "label": {"サトウ　ジロウ"}, "evidence": {"notice"}, "copayment": {"20"},
}

func keepsWhatWasTyped(t *testing.T, body string) {
	t.Helper()
	for field, values := range typed {
		if want := `value="` + values[0] + `"`; !strings.Contains(body, want) || (field == "evidence" || field == "copayment") && !strings.Contains(body, want+" selected") {
			t.Errorf("%s is not kept", field)
		}
	}
}

// What keeps a check from being recorded is said in words, what was typed stays, and the
// log tells the cause without it.
func TestWhatIsNotRecordedIsSaidAndStaysOnTheForm(t *testing.T) {
	disk := &os.PathError{Op: "write", Path: "/state/agent.db", Err: syscall.ENOSPC}
	for _, c := range []struct {
		err  error
		want string
	}{
		{fault.New(fault.QueueFull, "the terminal holds as many unsent records as it can"), "記録がいっぱいのため、受け付けられません。前の記録は残っています"},
		{fault.Wrap(fault.Unknown, disk, "the terminal's file did not confirm the write"), "ディスクに書けないため、記録できませんでした"},
		{fault.Wrap(fault.Unavailable, &os.PathError{Op: "open", Err: syscall.EROFS}, "nothing was stored"), "ディスクに書けないため、記録できませんでした"},
		{fault.New(fault.Unavailable, "nothing was stored"), "記録できませんでした。もう一度"},
		{fault.At(fault.Unavailable, check.PlaceClock, "set it"), "端末の時計が大きくずれています"},
		{fault.At(fault.Unavailable, check.PlacePayer, "connect it"), "まだ設定を受け取っていません"},
		{fault.At(fault.InvalidArgument, "at", "must be a time of this age"), "形が正しくありません"},
	} {
		var log bytes.Buffer
		s := open(t, func(s *stage) { s.log = &log })
		s.desk.err = c.err
		for _, header := range [][]string{nil, {"HX-Request", "true"}} {
			status, body := s.post(t, "/checks", typed, header...)
			if status < 400 || !strings.Contains(body, c.want) {
				t.Errorf("%v: %d, %q is not on the page", c.err, status, c.want)
			}
			keepsWhatWasTyped(t, body)
		}
		if told := strings.Contains(log.String(), "was not recorded"); told != (fault.CodeOf(c.err) != fault.InvalidArgument) {
			t.Errorf("%v: in the log: %v", c.err, told)
		}
		for _, values := range typed {
			if len(values[0]) > 2 && strings.Contains(log.String(), values[0]) {
				t.Errorf("%v: the log holds %q", c.err, values[0])
			}
		}
		if status, _ := s.get(t, "/"); status != http.StatusOK {
			t.Errorf("%v: afterwards %d", c.err, status)
		}
	}
}

func TestARecordWhoseRowCannotBeShownIsConfirmedAllTheSame(t *testing.T) {
	s := open(t)
	first := s.desk.cases[0]
	s.desk.cases = []check.View{first}
	s.desk.lost = true
	if status, body := s.post(t, "/checks", typed); status != http.StatusCreated || !strings.Contains(body, "記録しました") {
		t.Errorf("%d", status)
	}
}

func TestTheBarSaysWhatNeedsAPerson(t *testing.T) {
	all := []string{"新しく記録できません", "送れなかった記録 2件", "こわれて読めない記録 1件", "別に保存しました（3個）", "一覧に出せない行 4件", "相手が受け付けません"}
	calm := open(t)
	_, body := calm.get(t, "/parts/bar")
	for _, words := range all {
		if strings.Contains(body, words) {
			t.Errorf("a calm bar says %q", words)
		}
	}
	s := open(t, func(s *stage) {
		s.stats = queue.Stats{Pending: 100, MaxRecords: 100, MaxBytes: 1 << 20, Dead: 3, Damaged: 1, OldestAt: noon}
		s.damage = reception.Damage{Files: 3, Rows: 4}
		s.line = uplink.Line{Up: true, Since: noon, Reason: fault.Unauthenticated}
	})
	for _, path := range []string{"/parts/bar", "/"} {
		_, body := s.get(t, path)
		for _, words := range all {
			if !strings.Contains(body, words) {
				t.Errorf("%s: %q is not said", path, words)
			}
		}
	}
}

// A terminal that may not ask for insurance numbers shows no form for them, whatever the
// address says; one without a profile says what to do.
func TestOnlyInsuranceTerminalsShowTheNumbersForm(t *testing.T) {
	for class, may := range map[profile.Class]bool{profile.Clinic: true, profile.InsurerCounter: true, profile.Counter: false, profile.Shelter: false, "": false} {
		s := open(t, func(s *stage) { s.class = class })
		_, start := s.get(t, "/")
		_, tab := s.get(t, "/?tab=numbers")
		if status, posted := s.post(t, "/checks", typed); !may && (status != http.StatusForbidden || strings.Contains(posted, "7654399")) {
			t.Errorf("class %q: an entry gets %d, or is repeated", class, status)
		}
		for _, body := range []string{start, tab} {
			if strings.Contains(body, `id="numbers"`) != may || strings.Contains(body, `name="insurer_number"`) != may {
				t.Errorf("class %q: the numbers form is shown: %v", class, !may)
			}
			if !may && (!strings.Contains(body, `id="scan"`) || strings.Contains(body, `id="tab-numbers"`) || strings.Contains(body, "7654399")) {
				t.Errorf("class %q: no scan form, a tab of numbers, or a number", class)
			}
		}
		if class == "" && !strings.Contains(start, "まだ設定を受け取っていません") {
			t.Error("a terminal without a profile does not say so")
		}
	}
}

func TestALateAnswerIsSaidAndIsNoWordOnCoverage(t *testing.T) {
	for _, lang := range []string{"ja", "ja-easy", "en"} {
		s := open(t)
		s.desk.cases = []check.View{kase("late", check.DisplayLate, func(c *casebook.Case) { c.State = eligibility.Sent })}
		_, body := s.get(t, "/?case=late&lang="+lang)
		words := reception.Catalogue(lang)
		if !strings.Contains(body, `data-display="late"`) || !strings.Contains(body, `data-state="checking"`) || strings.Contains(body, "[r.") {
			t.Errorf("%s: the late case is not shown as late", lang)
		}
		if _, result, _ := strings.Cut(body, `id="result"`); strings.Contains(result, words["r.invalid"]) {
			t.Errorf("%s: the result says %s", lang, words["r.invalid"])
		}
	}
}

func TestTheVerdictSaysHowOldTheTrustListIs(t *testing.T) {
	holder := &cert.Certificate{Format: shc.Format, Issuer: "https://madoguchi.example", HolderRaw: "山田 花"}
	for _, c := range []struct {
		outcome  cert.Outcome
		asOf     time.Time
		findings []cert.Finding
		want     []string
		not      string
	}{
		{cert.StaleTrust, noon.AddDate(0, 0, -9), nil, []string{"信頼情報が古くなっています", "9日前の情報", "信頼情報を新しくして"}, "時計"},
		{cert.Valid, noon.Add(-5 * time.Hour), nil, []string{"有効な証明書です", "5時間前の情報"}, "時計"},
		{cert.Valid, noon.Add(time.Hour), []cert.Finding{cert.ClockBeforeSnapshot}, []string{"端末の時計がおくれています", "1時間以内"}, "-1"},
		{cert.Valid, noon, []cert.Finding{inspect.ClockSlow}, []string{"端末の時計がおくれています"}, "まだ有効期間の前"},
		{cert.UntrustedIssuer, time.Time{}, nil, []string{"信頼情報がまだありません。回線につないで", "発行者を確認できません"}, "別の証明書"},
		{cert.UntrustedIssuer, noon, nil, []string{"別の証明書"}, "信頼情報がまだありません"},
	} {
		s := open(t)
		s.reader.asOf, s.reader.verdict = c.asOf, cert.Verdict{Format: shc.Format, Outcome: c.outcome, Findings: c.findings, Certificate: holder}
		_, body := s.post(t, "/verify", url.Values{"text": {"shc:/567"}})
		for _, want := range c.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s as of %s: %q is not on the page", c.outcome, c.asOf, want)
			}
		}
		if _, verdict, _ := strings.Cut(body, `id="verdict"`); strings.Contains(verdict, c.not) {
			t.Errorf("%s as of %s: %q is on the page", c.outcome, c.asOf, c.not)
		}
	}
}
