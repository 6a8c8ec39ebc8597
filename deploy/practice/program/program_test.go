package program_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"madoguchi.example/deploy/practice/program"
)

func noEnv(string) string { return "" }

func keyFiles(t *testing.T) (public, private, jwks string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	priv, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: priv})), string(set)
}

func TestServeSaysWhereItListensAndEnds(t *testing.T) {
	dir := t.TempDir()
	public, _, _ := keyFiles(t)
	write(t, dir, "key.pem", public)
	write(t, dir, "people.json", `[]`)
	write(t, dir, "practice.toml", `
listen = "127.0.0.1:0"
state_dir = "`+dir+`"
people_file = "`+dir+`/people.json"
[[oidc.client]]
id = "citizen"
kind = "citizen"
key_file = "`+dir+`/key.pem"
redirect_uris = ["http://127.0.0.1:1/x"]
`)
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- program.Run(ctx, program.Env{Args: []string{"serve", "--config", filepath.Join(dir, "practice.toml")},
			Getenv: noEnv, Stdout: io.Discard, Stderr: w, Now: time.Now, Rand: rand.Reader})
		w.Close()
	}()
	var told struct{ Msg, Address string }
	if line := bufio.NewScanner(r); !line.Scan() || json.Unmarshal(line.Bytes(), &told) != nil || told.Msg != "listening" {
		t.Fatalf("it said %q", line.Text())
	}
	written, err := os.ReadFile(filepath.Join(dir, "address"))
	if err != nil || strings.TrimSpace(string(written)) != told.Address {
		t.Errorf("the file says %q, the log %q: %v", written, told.Address, err)
	}
	resp, err := http.Get("http://" + told.Address + "/api/realms/main/.well-known/openid-configuration")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	_, private, _ := keyFiles(t)
	write(t, dir, "private.pem", private)
	write(t, dir, "unknown.toml", "listen = \"127.0.0.1:0\"\nsecret_word = \"hidden\"\n")
	write(t, dir, "broken.toml", "listen = hidden\n")
	write(t, dir, "type.toml", "listen = 5\nstate_dir = \"hidden\"\n[fcm]\nrequire_bearer = \"hidden\"\n")
	write(t, dir, "keys.toml", "[[oidc.client]]\nid=\"a\"\nkind=\"staff\"\nkey_file=\""+dir+"/private.pem\"\nredirect_uris=[\"http://x/\"]\n")
	for _, c := range []struct {
		args  []string
		fault string
	}{
		{nil, "subcommand"}, {[]string{"dance"}, "no such subcommand"},
		{[]string{"serve", "--listen", "0.0.0.0:0"}, "loopback"}, {[]string{"serve", "--listen", ":0"}, "loopback"},
		{[]string{"serve", "extra"}, "arguments"},
		{[]string{"serve", "--config", dir + "/unknown.toml"}, "secret_word: unknown key"},
		{[]string{"serve", "--config", dir + "/broken.toml"}, "line 1"},
		{[]string{"check-config", "--config", dir + "/type.toml"}, "fcm: a value has the wrong type; listen: a value has the wrong type"},
		{[]string{"check-config", "--config", dir + "/keys.toml"}, "oidc.client 1: key_file"},
		{[]string{"check-config", "--config", dir + "/absent.toml"}, "configuration"},
	} {
		err := program.Run(context.Background(), program.Env{Args: c.args, Getenv: noEnv,
			Stdout: io.Discard, Stderr: io.Discard, Now: time.Now, Rand: rand.Reader})
		if err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%v: %v", c.args, err)
		}
		if err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("%v: the error repeats a value", c.args)
		}
	}
}

func TestEnvironmentWins(t *testing.T) {
	c, err := program.ParseConfig([]byte(`listen = "127.0.0.1:1"`), func(name string) string {
		return map[string]string{"MADOGUCHI_PRACTICE_LISTEN": "127.0.0.1:2"}[name]
	})
	if err != nil || c.Listen != "127.0.0.1:2" || c.FCM.Project == "" {
		t.Errorf("%+v %v", c, err)
	}
}

func TestKeys(t *testing.T) {
	public, private, jwks := keyFiles(t)
	for text, want := range map[string]bool{public: true, jwks: true, private: false, "": false, "{}": false, `{"keys":[]}`: false,
		`{"keys":[{"kty":"oct","k":"AA"}]}`: false, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n": false} {
		if _, err := program.ParseKeys([]byte(text)); (err == nil) != want {
			t.Errorf("%.30q: %v", text, err)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		set, err := program.ParseKeys(raw)
		for _, k := range set.Keys {
			if err == nil && !k.IsPublic() {
				t.Fatal("a private key was taken")
			}
		}
	})
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("listen = \"127.0.0.1:0\"\n[[oidc.client]]\nid = \"a\"\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := program.ParseConfig(raw, noEnv); err == nil && bytes.Contains(raw, []byte("\x00")) {
			t.Fatal("a NUL was taken")
		}
	})
}
