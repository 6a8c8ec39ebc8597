package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/config"
	"madoguchi.example/shared/settings"
)

const complete = `
[citizen_login]
issuer = "https://idp.example"
client_id = "app"
[staff_login]
issuer = "https://idp.example"
client_id = "office"
`

func load(t *testing.T, text string, env map[string]string) (config.Config, []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, func(k string) string { return env[k] })
	return c, settings.Faults(err, c.Validate())
}

func TestDefaultsAndEnvironment(t *testing.T) {
	c, faults := load(t, complete, map[string]string{"MADOGUCHI_BACKEND_STORE_DSN": "postgres://db/x", "MADOGUCHI_BACKEND_PUBLIC_URL": "https://a.example/"})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if c.Store.DSN != "postgres://db/x" || c.PublicURL != "https://a.example" ||
		c.CitizenLogin.RedirectURL != "https://a.example/app/sign-in" || c.StaffLogin.RedirectURL != "https://a.example/office/callback" {
		t.Errorf("got %+v", c)
	}
	if !c.Has(config.RoleAPI) || !c.Has(config.RoleWorker) || !c.Has(config.RoleOffice) {
		t.Error("not every role is on by default")
	}
}

// Every fault is told at once, by its key, without the value.
func TestEveryFaultAtOnce(t *testing.T) {
	_, faults := load(t, `
listen = "himitsu"
public_url = "ftp://himitsu"
roles = ["himitsu"]
log_level = "himitsu"
metrics = "himitsu"
himitsu_key = 1
[store]
dsn = "mysql://user:himitsu@db"
[tls]
cert_file = "himitsu"
[http]
grace = "himitsu"
[push.fcm]
endpoint = "himitsu"
[certificates]
cache_lifetime = "10s"
[certificates.vdsnc]
key_file = "himitsu"
key_label = "himitsu"
[certificates.pkcs11]
token_label = "himitsu"
pin_file = "himitsu"
`, nil)
	all := strings.Join(faults, "\n")
	for _, key := range []string{"listen", "public_url", "roles", "log_level", "metrics", "store.dsn", "tls.key_file", "http.grace",
		"push.fcm.endpoint", "push.fcm.project", "certificates.cache_lifetime", "certificates.vdsnc.key_file", "certificates.vdsnc.certificate_file",
		"certificates.vdsnc.key_label", "certificates.pkcs11.token_label", "certificates.pkcs11.pin_file"} {
		if !strings.Contains(all, key+":") {
			t.Errorf("%s is not told:\n%s", key, all)
		}
	}
	if strings.Contains(strings.ReplaceAll(all, "himitsu_key", ""), "himitsu") {
		t.Errorf("a value is told:\n%s", all)
	}
}

// Without a file and without an environment everything has a value, and none is at fault.
func TestDefaultsHoldNoFault(t *testing.T) {
	c, err := config.Load("", func(string) string { return "" })
	if faults := settings.Faults(err, c.Validate()); len(faults) > 0 {
		t.Fatal(faults)
	}
	if c.CitizenLogin.Issuer != config.PracticeIssuer || c.CitizenLogin.ClientID == "" || c.StaffLogin.Issuer != config.PracticeIssuer ||
		c.StaffLogin.ClientID == "" || c.PublicURL != "https://madoguchi.example" || c.CitizenLogin.RedirectURL != "https://madoguchi.example/app/sign-in" {
		t.Errorf("got %+v", c)
	}
}

// Nothing that signs people in or names the backend travels in clear over a network.
func TestPlainHTTPStaysOnTheMachine(t *testing.T) {
	set := map[string]string{
		"public_url":                 "public_url = %s",
		"citizen_login.issuer":       "[citizen_login]\nissuer = %s",
		"citizen_login.redirect_url": "[citizen_login]\nredirect_url = %s",
		"staff_login.issuer":         "[staff_login]\nissuer = %s",
		"staff_login.redirect_url":   "[staff_login]\nredirect_url = %s",
		"push.fcm.endpoint":          "[push.fcm]\nproject = \"x\"\nendpoint = %s",
	}
	for value, good := range map[string]bool{
		"https://a.example": true, "https://a.example:8443/x": true, "http://127.0.0.1:8070": true, "http://[::1]:1": true, "http://localhost:1/x": true,
		"http://a.example": false, "http://192.0.2.1": false, "http://127.0.0.1.a.example": false, "http://localhost.a.example": false,
		"https://u:p@a.example": false, "https://": false, "https://:443": false, "ftp://a.example": false, "https://a.example/?x": false, "https://a.example#x": false,
	} {
		for key, text := range set {
			_, faults := load(t, fmt.Sprintf(text, strconv.Quote(value)), nil)
			told := strings.Contains(strings.Join(faults, "\n"), key+":")
			if told == good {
				t.Errorf("%s = %s: %v", key, value, faults)
			}
		}
	}
}

func TestLoginsAreNeededByTheirRoles(t *testing.T) {
	const none = `
[citizen_login]
issuer = ""
client_id = ""
[staff_login]
issuer = ""
client_id = ""
`
	_, faults := load(t, `roles = ["worker"]`+none, nil)
	if len(faults) > 0 {
		t.Errorf("a worker needs no sign-in: %v", faults)
	}
	_, faults = load(t, `roles = ["api"]`+none, nil)
	if len(faults) != 2 {
		t.Errorf("the api needs its sign-in alone: %v", faults)
	}
}

func TestKeysOfCertificates(t *testing.T) {
	c, faults := load(t, complete+`
[certificates]
cache_lifetime = "48h"
trust_dir = "trust"
[certificates.vdsnc]
key_label = "border"
certificate_file = "border.pem"
[certificates.pkcs11]
module = "softhsm.so"
token_label = "cell"
pin_file = "pin"
`, map[string]string{"MADOGUCHI_BACKEND_CERTIFICATES_PKCS11_PIN_FILE": "other"})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if x := c.Certificates; x.CacheLifetime != 48*time.Hour || x.TrustDir != "trust" || x.VDSNC.KeyLabel != "border" || x.PKCS11.PINFile != "other" {
		t.Errorf("got %+v", x)
	}
	if c, _ := load(t, complete, nil); c.Certificates.CacheLifetime != 168*time.Hour {
		t.Errorf("the default is %s", c.Certificates.CacheLifetime)
	}
}

func TestAFileThatCannotBeReadIsTheOnlyFault(t *testing.T) {
	c, err := config.Load(t.TempDir()+"/absent.toml", func(string) string { return "" })
	if err == nil {
		t.Error("a file that is not there was read")
	}
	if err := c.Validate(); err != nil {
		t.Errorf("the defaults have faults: %v", err)
	}
}
