package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
`, nil)
	all := strings.Join(faults, "\n")
	for _, key := range []string{"listen", "public_url", "roles", "log_level", "metrics", "store.dsn", "tls.key_file", "http.grace",
		"push.fcm.endpoint", "push.fcm.project"} {
		if !strings.Contains(all, key+":") {
			t.Errorf("%s is not told:\n%s", key, all)
		}
	}
	if strings.Contains(strings.ReplaceAll(all, "himitsu_key", ""), "himitsu") {
		t.Errorf("a value is told:\n%s", all)
	}
}

func TestLoginsAreNeededByTheirRoles(t *testing.T) {
	_, faults := load(t, `roles = ["worker"]`, nil)
	if len(faults) > 0 {
		t.Errorf("a worker needs no sign-in: %v", faults)
	}
	_, faults = load(t, `roles = ["api"]`, nil)
	if len(faults) != 2 {
		t.Errorf("the api needs its sign-in alone: %v", faults)
	}
}
