package logmask_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/logmask"
)

func TestNothingPersonalIsLogged(t *testing.T) {
	const secret = "hidden-4711"
	day := civil.Date{Year: 1980, Month: 4, Day: 1}
	name := identity.PersonName{FamilyKanji: secret, GivenLatin: secret}
	var out bytes.Buffer
	log := logmask.New(&out, slog.LevelDebug)
	log.Info("a", "insurer_number", secret, "Authorization", secret, "refresh_token", secret, "dsn", secret)
	log.Info("b", "who", name, "born", identity.BirthDate{Date: day})
	log.Info("c", "inquiry", eligibility.Inquiry{RecordID: "r", InsurerNumber: secret, BirthDate: day})
	log.With("kana", secret).Info(fmt.Sprintf("d %v %s", name, identity.BirthDate{Date: day}))
	log.Info("e", slog.Group("person", "address_line", secret))
	if s := out.String(); strings.Contains(s, secret) || strings.Contains(s, "1980") {
		t.Fatalf("a personal value stands in the log:\n%s", s)
	}
}

func TestOperationalKeysStay(t *testing.T) {
	var out bytes.Buffer
	logmask.New(&out, slog.LevelInfo).Info("listening", "address", "127.0.0.1:8080", "terminal", "trm_1")
	for _, want := range []string{"127.0.0.1:8080", "trm_1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
}
