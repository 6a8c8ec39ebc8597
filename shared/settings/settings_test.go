package settings_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/settings"
)

type tables struct {
	Listen string `toml:"listen"`
	Store  struct {
		DSN     string        `toml:"dsn"`
		Timeout time.Duration `toml:"timeout"`
	} `toml:"store"`
	Workers  int      `toml:"workers"`
	TLS      bool     `toml:"tls"`
	Hosts    []string `toml:"hosts"`
	Partners []struct {
		ID    string   `toml:"id"`
		Homes []string `toml:"homes"`
	} `toml:"partners"`
}

func load(t *testing.T, text string, env map[string]string) (tables, []string) {
	t.Helper()
	into := tables{Listen: "127.0.0.1:8080", Workers: 2}
	err := settings.Load(&into, settings.Source{
		TOML: []byte(text), Prefix: "MADOGUCHI_TEST",
		Getenv: func(k string) string { return env[k] },
	})
	return into, settings.Faults(err)
}

func TestFileOverDefaultsAndEnvironmentOverFile(t *testing.T) {
	got, faults := load(t, "workers = 5\nhosts = [\"a\"]\n[store]\ndsn = \"sqlite:x\"\ntimeout = \"3s\"\n",
		map[string]string{"MADOGUCHI_TEST_STORE_DSN": "postgres://db", "MADOGUCHI_TEST_TLS": "true", "MADOGUCHI_TEST_HOSTS": "b,c"})
	if len(faults) != 0 {
		t.Fatalf("faults: %q", faults)
	}
	if got.Listen != "127.0.0.1:8080" || got.Workers != 5 || got.Store.DSN != "postgres://db" ||
		got.Store.Timeout != 3*time.Second || !got.TLS || !slices.Equal(got.Hosts, []string{"b", "c"}) {
		t.Fatalf("got %+v", got)
	}
}

func TestAllFaultsAtOnceAndNeverTheValue(t *testing.T) {
	_, faults := load(t, "workers = \"s3cret\"\nlissten = 1\n[store]\ntimeout = \"s3cret\"\nport = 3\n",
		map[string]string{"MADOGUCHI_TEST_TLS": "s3cret"})
	want := []string{
		"MADOGUCHI_TEST_TLS: must be true or false",
		"lissten: is not a known key",
		"store.port: is not a known key",
		`store.timeout: must be a duration such as "10s"`,
		"workers: must be a whole number",
	}
	if !slices.Equal(faults, want) {
		t.Errorf("faults:\n%s\nwant:\n%s", strings.Join(faults, "\n"), strings.Join(want, "\n"))
	}
}

func TestListsOfTables(t *testing.T) {
	got, faults := load(t, "[[partners]]\nid = \"a\"\nhomes = [\"x\", \"y\"]\n[[partners]]\nid = \"b\"\n", nil)
	if len(faults) != 0 || len(got.Partners) != 2 || got.Partners[0].ID != "a" || len(got.Partners[0].Homes) != 2 || got.Partners[1].ID != "b" {
		t.Fatalf("got %+v, faults %q", got.Partners, faults)
	}
	_, faults = load(t, "[[partners]]\nid = \"a\"\n[[partners]]\nidd = \"s3cret\"\nid = 7\n", nil)
	if want := []string{"partners.1.id: must be a text", "partners.1.idd: is not a known key"}; !slices.Equal(faults, want) {
		t.Errorf("faults %q, want %q", faults, want)
	}
	_, faults = load(t, "partners = \"s3cret\"\n", nil)
	if want := []string{"partners: must be a list of tables: [[partners]]"}; !slices.Equal(faults, want) {
		t.Errorf("faults %q, want %q", faults, want)
	}
}

func TestBrokenTOMLNamesTheLineOnly(t *testing.T) {
	_, faults := load(t, "workers = 1\npassword = s3cret\n", nil)
	if len(faults) != 1 || faults[0] != "line 2: is not TOML" {
		t.Fatalf("faults: %q", faults)
	}
}

func TestOversizedIsRefusedUnread(t *testing.T) {
	_, faults := load(t, strings.Repeat("#", settings.MaxBytes+1), nil)
	if len(faults) != 1 || !strings.Contains(faults[0], "larger than") {
		t.Fatalf("faults: %q", faults)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("workers = 5\n[store]\ntimeout = \"3s\"\n"))
	f.Add([]byte("store = 3\nhosts = [1, \"a\"]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var into tables
		_ = settings.Load(&into, settings.Source{TOML: text, Prefix: "X"})
	})
}
