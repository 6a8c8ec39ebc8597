package program

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/go-jose/go-jose/v4"

	"madoguchi.example/deploy/practice/oidc"
	"madoguchi.example/deploy/practice/people"
)

// maxFileBytes bounds the configuration and every key file.
const maxFileBytes = 1 << 20

// Config is the TOML file of madoguchi-practice. MADOGUCHI_PRACTICE_LISTEN,
// _STATE_DIR and _PEOPLE_FILE win over it.
type Config struct {
	Listen     string     `toml:"listen"`      // a loopback address; :0 chooses a free port
	StateDir   string     `toml:"state_dir"`   // the bound address is written to its file "address"
	PeopleFile string     `toml:"people_file"` // practice-people.json
	OIDC       OIDCConfig `toml:"oidc"`
	FCM        FCMConfig  `toml:"fcm"`
	OQS        OQSConfig  `toml:"oqs"`
	FHIR       FHIRConfig `toml:"fhir"`
}

// OIDCConfig lists the relying parties.
type OIDCConfig struct {
	Clients []ClientConfig `toml:"client"`
}

// ClientConfig is one relying party. KeyFile is a JWKS or a PEM file with a public key.
type ClientConfig struct {
	ID           string   `toml:"id"`
	Kind         string   `toml:"kind"`
	KeyFile      string   `toml:"key_file"`
	RedirectURIs []string `toml:"redirect_uris"`
}

// FCMConfig is the practice FCM's.
type FCMConfig struct {
	Project       string `toml:"project"`
	RequireBearer bool   `toml:"require_bearer"`
}

// Default is the configuration that an empty file gives.
func Default() Config {
	return Config{Listen: "127.0.0.1:8070", FCM: FCMConfig{Project: "madoguchi-practice"}}
}

// ParseConfig reads TOML over the defaults; unknown keys are faults, all told at once.
func ParseConfig(raw []byte, getenv func(string) string) (Config, error) {
	c := Default()
	if len(raw) > maxFileBytes {
		return c, fmt.Errorf("cannot read the configuration: more than %d bytes", maxFileBytes)
	}
	meta, err := toml.Decode(string(raw), &c)
	if err != nil {
		return c, fmt.Errorf("cannot read the configuration: %s", tomlPlace(string(raw), err))
	}
	var faults []error
	for _, key := range meta.Undecoded() {
		faults = append(faults, fmt.Errorf("%s: unknown key", key))
	}
	for name, into := range map[string]*string{"LISTEN": &c.Listen, "STATE_DIR": &c.StateDir, "PEOPLE_FILE": &c.PeopleFile} {
		if v := getenv("MADOGUCHI_PRACTICE_" + name); v != "" {
			*into = v
		}
	}
	return c, errors.Join(faults...)
}

// tomlPlace says where the TOML is wrong and not what stands there.
func tomlPlace(raw string, err error) string {
	var p toml.ParseError
	if errors.As(err, &p) {
		return fmt.Sprintf("line %d is not TOML", p.Position.Line)
	}
	return strings.Join(wrongTyped(raw), "; ")
}

// wrongTyped names the keys whose values have the wrong type. The TOML package names none,
// so each is tried alone.
func wrongTyped(raw string) []string {
	var all map[string]any
	if _, err := toml.Decode(raw, &all); err != nil {
		return []string{"a value has the wrong type"}
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		alone, err := toml.Marshal(map[string]any{key: all[key]})
		if err != nil || toml.Unmarshal(alone, new(Config)) != nil {
			out = append(out, key+": a value has the wrong type")
		}
	}
	return out
}

// clients reads the key files.
func (c Config) clients() ([]oidc.Client, error) {
	var out []oidc.Client
	var faults []error
	for i, one := range c.OIDC.Clients {
		raw, err := readFile(one.KeyFile)
		if err != nil {
			faults = append(faults, fmt.Errorf("oidc.client %d: %w", i+1, err))
			continue
		}
		keys, err := ParseKeys(raw)
		if err != nil {
			faults = append(faults, fmt.Errorf("oidc.client %d: key_file: %w", i+1, err))
			continue
		}
		out = append(out, oidc.Client{ID: one.ID, Kind: people.Client(one.Kind), RedirectURIs: one.RedirectURIs, Keys: keys})
	}
	return out, errors.Join(faults...)
}

// ParseKeys reads a JWKS, one JWK, or a PEM public key. Private keys are refused: a
// provider has no business with its client's.
func ParseKeys(raw []byte) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	if len(raw) > maxFileBytes {
		return set, errors.New("the key file is too large")
	}
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "{") {
		return parseJWKS(raw)
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != "PUBLIC KEY" {
		return set, errors.New("neither a JWKS nor a PEM public key")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return set, errors.New("malformed PEM public key")
	}
	if _, ok := key.(*ecdsa.PublicKey); !ok {
		return set, errors.New("the PEM public key is not an EC key")
	}
	one := jose.JSONWebKey{Key: key}
	thumbprint, err := one.Thumbprint(crypto.SHA256) // RFC 7638: the kid of a key that brings none
	if err != nil {
		return set, errors.New("malformed PEM public key")
	}
	one.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	set.Keys = []jose.JSONWebKey{one}
	return set, nil
}

func parseJWKS(raw []byte) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		return set, errors.New("malformed JWKS")
	}
	if len(set.Keys) == 0 {
		var one jose.JSONWebKey
		if json.Unmarshal(raw, &one) != nil || !one.Valid() {
			return set, errors.New("a JWKS without usable keys")
		}
		set.Keys = append(set.Keys, one)
	}
	for _, k := range set.Keys {
		if !k.Valid() || !k.IsPublic() {
			return jose.JSONWebKeySet{}, errors.New("a key is malformed or not a public key")
		}
	}
	return set, nil
}

func readFile(path string) ([]byte, error) {
	if path == "" {
		return nil, errors.New("no file is named")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileBytes+1))
}
