package config_test

import (
	"slices"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/config"
	"madoguchi.example/shared/settings"
)

func TestTheDefaultIsUsable(t *testing.T) {
	if _, err := config.Load(nil, nil); err != nil {
		t.Fatal(err)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	env := map[string]string{"MADOGUCHI_AGENT_LOG_LEVEL": "loud"}
	_, err := config.Load([]byte(`
state_dir = "here"
colour = "blue"
[desk]
listen = "0.0.0.0:8090"
lock_after = "1s"
operators = []
[backend]
url = "http://madoguchi.example/x"
timeout = 3
`), func(k string) string { return env[k] })
	faults := settings.Faults(err)
	want := []string{"backend.timeout:", "backend.url:", "colour:", "desk.listen:", "desk.lock_after:", "desk.operators:", "log.level:", "state_dir:"}
	var got []string
	for _, f := range faults {
		key, _, _ := strings.Cut(f, " ")
		got = append(got, key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("faults in\n%s\nwant keys %v", strings.Join(faults, "\n"), want)
	}
}

func TestTheBackendMayBePlainOnlyOnLoopback(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://madoguchi.example": true, "http://127.0.0.1:8080": true, "http://localhost:1": true,
		"http://madoguchi.example": false, "http://10.0.0.1": false, "ftp://x": false, "https://a@b": false, "": false,
	} {
		c := config.Default()
		c.Backend.URL = url
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// FuzzLoad: whatever the file says, it is a valid configuration or a list of faults.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("state_dir = \"/var/lib/x\"\n[desk]\nlisten = \"127.0.0.1:0\"\noperators = [\"a\"]\n"))
	f.Add([]byte("[queue]\nmax_records = 1\n[backend]\nurl = \"http://10.0.0.1\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := config.Load(text, func(string) string { return "" })
		if err == nil && c.Validate() != nil {
			t.Fatal("a configuration with faults was loaded")
		}
		if err != nil && len(settings.Faults(err)) == 0 {
			t.Fatalf("no fault is told: %v", err)
		}
	})
}

// Each key has its bounds, and a fault names it.
func TestTheBoundsOfKeys(t *testing.T) {
	for text, want := range map[string]string{
		"[vault]\nkey = \"tpm\"":        "vault.key",
		"[vault]\nkey = \"passphrase\"": "vault.passphrase_file",
		"[vault]\nkey = \"passphrase\"\npassphrase_file = \"/etc/madoguchi/p\"": "",
		"[vault]\ntpm = \"tpmrm0\"":               "vault.tpm",
		"[vault]\ntpm = \"unix:/run/swtpm.sock\"": "",
		"[vault]\nkey_file = \"k\"":               "vault.key_file",
		"[queue]\nmax_age = \"59m\"":              "queue.max_age",
		"[queue]\nkeep_accepted = \"1441h\"":      "queue.keep_accepted",
		"[sync]\nbeat = \"10s\"":                  "sync.beat",
		"[sync]\nspread = \"-1s\"":                "sync.spread",
		"[metrics]\nlisten = \"0.0.0.0:9100\"":    "metrics.listen",
		"[metrics]\nlisten = \"[::1]:9100\"\n[sync]\nspread = \"2h\"\n[vault]\nkey = \"tpm2\"": "",
	} {
		_, err := config.Load([]byte(text), nil)
		faults := settings.Faults(err)
		if got := strings.Join(faults, "\n"); (want == "") != (err == nil) || !strings.HasPrefix(got, want) || len(faults) > 1 {
			t.Errorf("%q: %q, want a fault of %q", text, got, want)
		}
	}
}
