// Package config holds the backend's settings with their defaults, and finds every fault
// in them at once.
//
// Settings come from one TOML file and from the environment, which wins
// (MADOGUCHI_BACKEND_STORE_DSN overrides [store] dsn). docs/configuration.md lists them.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/settings"
	"madoguchi.example/shared/wire"
)

// Prefix is what the environment's names begin with.
const Prefix = "MADOGUCHI_BACKEND"

// The roles of a serving process.
const (
	RoleAPI    = "api"
	RoleWorker = "worker"
	RoleOffice = "office"
)

// Config is everything that can be set.
type Config struct {
	// Listen is the address to serve on; port 0 takes a free one.
	Listen string `toml:"listen"`
	// PublicURL is the address by which the world knows the backend: the certificates'
	// issuer and the tokens' issuer. No slash at its end.
	PublicURL string `toml:"public_url"`
	// StateDir, when set, receives the file "address" with the bound address.
	StateDir string `toml:"state_dir"`
	// KeyDir holds the backend's own keys, made at the first start.
	KeyDir string `toml:"key_dir"`
	// Roles are what this process does: api, worker, office.
	Roles []string `toml:"roles"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `toml:"log_level"`
	// Metrics, when set, is the address on which /metrics is served.
	Metrics string `toml:"metrics"`

	Store        Store   `toml:"store"`
	TLS          TLS     `toml:"tls"`
	HTTP         HTTP    `toml:"http"`
	CitizenLogin Login   `toml:"citizen_login"`
	StaffLogin   Login   `toml:"staff_login"`
	Payer        Payers  `toml:"payer"`
	Push         Push    `toml:"push"`
	Benefit      Benefit `toml:"benefit"`
	// Certificates says with which keys they are signed and what terminals trust.
	Certificates Certificates `toml:"certificates"`
	// Backup says to whom backups are sealed.
	Backup Backup `toml:"backup"`
	// Wallet says which wallet apps may ask for certificates on their own.
	Wallet Wallet `toml:"wallet"`
	// Terminals bounds what is taken in from terminals at once.
	Terminals Terminals `toml:"terminals"`
}

// Terminals says how terminals' records are let in, so that those who stand at a counter
// come before what others gathered during an outage. Each process counts for itself.
type Terminals struct {
	// LiveRecords is how many records a batch has at most that goes before the backlog.
	LiveRecords int `toml:"live_records"`
	// LiveAtOnce and BacklogAtOnce are how many batches of each kind are taken in at a time.
	LiveAtOnce    int `toml:"live_at_once"`
	BacklogAtOnce int `toml:"backlog_at_once"`
	// BacklogRate is how many records of the backlog a second are reckoned with before the
	// rate was measured.
	BacklogRate int `toml:"backlog_rate"`
	// LongestSlot is the longest that a terminal is told to wait with its backlog.
	LongestSlot time.Duration `toml:"longest_slot"`
	// Spread is within what time terminals begin with their backlog after an outage.
	Spread time.Duration `toml:"spread"`
}

// Store says where the data are.
type Store struct {
	// DSN is sqlite:PATH or postgres://…
	DSN string `toml:"dsn"`
	// Migrate brings the schema up to date at the start.
	Migrate bool `toml:"migrate"`
}

// TLS names the certificate; both files or none. They are read again when they change.
type TLS struct {
	CertFile string `toml:"cert_file"`
	KeyFile  string `toml:"key_file"`
}

// HTTP bounds the server.
type HTTP struct {
	ReadTimeout  time.Duration `toml:"read_timeout"`
	WriteTimeout time.Duration `toml:"write_timeout"`
	IdleTimeout  time.Duration `toml:"idle_timeout"`
	Grace        time.Duration `toml:"grace"`
}

// Login is one client at an OpenID provider.
type Login struct {
	Issuer      string `toml:"issuer"`
	ClientID    string `toml:"client_id"`
	KeyFile     string `toml:"key_file"`
	RedirectURL string `toml:"redirect_url"`
}

// OnThisMachine tells whether people sign in at a provider without TLS, which only a
// practice provider on this machine may be.
func (l Login) OnThisMachine() bool { return strings.HasPrefix(l.Issuer, "http://") }

// Payers are the payers behind this backend.
type Payers struct {
	Registry RegistryPayer `toml:"registry"`
	// FHIR are payers that are asked over FHIR R4.
	FHIR []FHIRPayer `toml:"fhir"`
}

// FHIRPayer is one payer that is asked by CoverageEligibilityRequest. It is let in by a
// token from a file, or by a client of its own at a token address (private_key_jwt).
type FHIRPayer struct {
	ID      string `toml:"id"`   // as profiles and checks name it
	Name    string `toml:"name"` // as terminals show it
	BaseURL string `toml:"base_url"`
	// KeyFile is the age identity that inquiries to it are sealed to.
	KeyFile string `toml:"key_file"`
	CAFile  string `toml:"ca_file"` // PEM; empty: the machine's roots
	// TokenFile holds a bearer token; read again when the payer refuses it.
	TokenFile     string `toml:"token_file"`
	TokenURL      string `toml:"token_url"`
	ClientID      string `toml:"client_id"`
	ClientKeyID   string `toml:"client_key_id"`
	ClientKeyFile string `toml:"client_key_file"`
	Scope         string `toml:"scope"`
	Timeout       string `toml:"timeout"` // of one request, as 10s, at most a minute; empty: ten seconds
	// NoneFound and SeveralFound are the payer's error codes that say so.
	NoneFound    []string `toml:"none_found"`
	SeveralFound []string `toml:"several_found"`
}

// RegistryPayer answers from the coverage that was imported.
type RegistryPayer struct {
	// KeyFile is the payer's age identity, to which inquiries are sealed.
	KeyFile string `toml:"key_file"`
}

// Push says how phones are woken.
type Push struct {
	FCM FCM `toml:"fcm"`
}

// FCM is Firebase Cloud Messaging. Without a project nothing is pushed.
type FCM struct {
	Project         string `toml:"project"`
	CredentialsFile string `toml:"credentials_file"`
	// Endpoint replaces Google's, for practice.
	Endpoint string `toml:"endpoint"`
}

// Benefit says by which rules benefits are decided.
type Benefit struct {
	// Programs is a folder of programmes, read at the start; empty means those that ship.
	Programs string `toml:"programs"`
}

// Wallet names the wallet apps that citizens may come from. Copies that the citizen's own
// app offers need no entry here.
type Wallet struct {
	Clients []WalletClient `toml:"clients"`
}

// WalletClient is one wallet app.
type WalletClient struct {
	ID           string   `toml:"id"`
	Name         string   `toml:"name"` // as citizens read it
	RedirectURIs []string `toml:"redirect_uris"`
}

// Certificates says with which keys certificates are signed and what terminals trust.
type Certificates struct {
	// CacheLifetime is how long verifiers may keep our keys: a new key is published that
	// long before it signs. By default it is as long as a terminal without a line may trust
	// what it knows.
	CacheLifetime time.Duration `toml:"cache_lifetime"`
	// TrustDir is a folder in the layout of --trust with the keys and lists of others,
	// which terminals get beside ours. It is read again when it changes.
	TrustDir string `toml:"trust_dir"`
	VDSNC    VDSNC  `toml:"vdsnc"`
	PKCS11   PKCS11 `toml:"pkcs11"`
}

// Backup says to whom backups are sealed.
type Backup struct {
	// Recipient is an age X25519 recipient ("age1…"), whose identity is kept elsewhere.
	Recipient string `toml:"recipient"`
}

// VDSNC names the signer that the passport authority certified. Without one, VDS-NC
// documents are specimens.
type VDSNC struct {
	// KeyFile is the signer's key; KeyLabel names it in the token instead.
	KeyFile         string `toml:"key_file"`
	KeyLabel        string `toml:"key_label"`
	CertificateFile string `toml:"certificate_file"`
}

// PKCS11 names the device in which new signing keys are made. Without a module they are
// files.
type PKCS11 struct {
	Module     string `toml:"module"` // the device's library
	TokenLabel string `toml:"token_label"`
	PINFile    string `toml:"pin_file"` // mode 0600
}

// PracticeIssuer is the OpenID provider of the practice partners at their default address,
// where sign-ins go until another is set.
const PracticeIssuer = "http://127.0.0.1:8070/api/realms/main"

// Default gives the settings that an empty file means: practice on one machine.
func Default() Config {
	return Config{
		Listen:    "127.0.0.1:8080",
		PublicURL: "https://madoguchi.example",
		KeyDir:    "keys",
		Roles:     []string{RoleAPI, RoleWorker, RoleOffice},
		LogLevel:  "info",
		Store:     Store{DSN: "sqlite:madoguchi.db", Migrate: true},
		HTTP: HTTP{
			ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 75 * time.Second, Grace: 5 * time.Second,
		},
		CitizenLogin: Login{Issuer: PracticeIssuer, ClientID: "madoguchi-citizen"},
		StaffLogin:   Login{Issuer: PracticeIssuer, ClientID: "madoguchi-staff"},
		Certificates: Certificates{CacheLifetime: 7 * 24 * time.Hour},
		Terminals: Terminals{
			LiveRecords: 16, LiveAtOnce: 64, BacklogAtOnce: 4, BacklogRate: 2_000, LongestSlot: 6 * time.Hour, Spread: 5 * time.Minute,
		},
	}
}

// Load reads the file (none when path is "") and the environment over the defaults. The
// error joins every fault of both; the caller adds those of Validate or ValidateData.
func Load(path string, getenv func(string) string) (Config, error) {
	c := Default()
	raw, err := read(path)
	if err == nil {
		err = settings.Load(&c, settings.Source{TOML: raw, Getenv: getenv, Prefix: Prefix})
	}
	c.fill() // also after a fault, so that Validate tells no faults that nobody made
	return c, err
}

func read(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	if info.Size() > settings.MaxBytes {
		return nil, fault.At(fault.TooLarge, "configuration file", "is larger than %d bytes", settings.MaxBytes)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	return raw, nil
}

// fill derives what was left out from what is there.
func (c *Config) fill() {
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	for login, name := range map[*Login]string{&c.CitizenLogin: "citizen-login.pem", &c.StaffLogin: "staff-login.pem"} {
		login.KeyFile = cmp.Or(login.KeyFile, filepath.Join(c.KeyDir, name))
	}
	c.CitizenLogin.RedirectURL = cmp.Or(c.CitizenLogin.RedirectURL, c.PublicURL+"/app/sign-in")
	c.StaffLogin.RedirectURL = cmp.Or(c.StaffLogin.RedirectURL, c.PublicURL+"/office/callback")
	c.Payer.Registry.KeyFile = cmp.Or(c.Payer.Registry.KeyFile, filepath.Join(c.KeyDir, "payer-registry.age"))
	for i := range c.Payer.FHIR {
		p := &c.Payer.FHIR[i]
		p.KeyFile = cmp.Or(p.KeyFile, filepath.Join(c.KeyDir, "payer-"+filepath.Base(p.ID)+".age"))
		p.ClientKeyFile = cmp.Or(p.ClientKeyFile, filepath.Join(c.KeyDir, "payer-"+filepath.Base(p.ID)+".pem"))
	}
}

// fhir tells the faults of the payers that are asked over FHIR.
func (v *validator) fhir(payers []FHIRPayer) {
	seen := map[string]bool{}
	for i, p := range payers {
		place := "payer.fhir[" + strconv.Itoa(i) + "]."
		v.check(place+"id", payerID.MatchString(p.ID) && !seen[p.ID] && p.ID != "registry", "must be a name of its own in small letters")
		seen[p.ID] = true
		v.check(place+"name", p.Name != "", "must be given: terminals show it")
		v.check(place+"base_url", webURL(p.BaseURL), "must be a URL that begins with https://; http:// only on this machine")
		v.check(place+"token_file", p.TokenFile == "" || p.TokenURL == "", "a token comes from a file or from an address, not both")
		v.check(place+"token_url", p.TokenURL == "" || (webURL(p.TokenURL) && p.ClientID != ""), "must be a URL with client_id")
		patience, err := p.Patience()
		v.check(place+"timeout", err == nil && patience >= 0 && patience <= time.Minute, "must be a duration, as 10s, of at most a minute")
	}
}

var payerID = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// Patience is Timeout as a duration; 0 where none was given.
func (p FHIRPayer) Patience() (time.Duration, error) {
	if p.Timeout == "" {
		return 0, nil
	}
	return time.ParseDuration(p.Timeout)
}

// Has tells whether this process has the role.
func (c Config) Has(role string) bool { return slices.Contains(c.Roles, role) }

// Level gives the log level.
func (c Config) Level() slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(c.LogLevel)) // Validate has refused what cannot be read
	return l
}

// ValidateData tells the faults that matter to a command that works on the store alone.
func (c Config) ValidateData() error {
	var v validator
	c.checkData(&v)
	return errors.Join(v.faults...)
}

func (c Config) checkData(v *validator) {
	var l slog.Level
	v.check("log_level", l.UnmarshalText([]byte(c.LogLevel)) == nil, "must be debug, info, warn or error")
	v.check("key_dir", c.KeyDir != "", "must not be empty")
	v.check("store.dsn", goodDSN(c.Store.DSN), "must begin with sqlite: or postgres://")
	v.check("public_url", webURL(c.PublicURL), "must be a URL that begins with https://; http:// only on this machine")
	v.certificates(c.Certificates)
	v.fhir(c.Payer.FHIR)
	v.terminals(c.Terminals)
}

// Validate tells every fault at once; each names its key and never the value.
func (c Config) Validate() error {
	var v validator
	c.checkData(&v)
	v.check("listen", hostPort(c.Listen), "must be host:port")
	v.check("roles", len(c.Roles) > 0, "must name at least one of api, worker, office")
	for _, r := range c.Roles {
		v.check("roles", r == RoleAPI || r == RoleWorker || r == RoleOffice, "may hold api, worker and office alone")
	}
	v.check("metrics", c.Metrics == "" || hostPort(c.Metrics), "must be host:port or empty")
	v.check("tls.key_file", (c.TLS.CertFile == "") == (c.TLS.KeyFile == ""), "goes together with tls.cert_file: set both or none")
	v.check("http.read_timeout", c.HTTP.ReadTimeout > 0, "must be longer than nothing")
	v.check("http.write_timeout", c.HTTP.WriteTimeout > 0, "must be longer than nothing")
	v.check("http.idle_timeout", c.HTTP.IdleTimeout > 0, "must be longer than nothing")
	v.check("http.grace", c.HTTP.Grace > 0, "must be longer than nothing")
	if c.Has(RoleAPI) {
		v.login("citizen_login", c.CitizenLogin)
	}
	if c.Has(RoleOffice) {
		v.login("staff_login", c.StaffLogin)
	}
	v.check("push.fcm.endpoint", c.Push.FCM.Endpoint == "" || webURL(c.Push.FCM.Endpoint), "must be empty, or a URL that begins with https://; http:// only on this machine")
	v.check("push.fcm.project", c.Push.FCM.Endpoint == "" || c.Push.FCM.Project != "", "goes together with push.fcm.endpoint")
	return errors.Join(v.faults...)
}

type validator struct{ faults []error }

func (v *validator) check(key string, ok bool, message string) {
	if !ok {
		v.faults = append(v.faults, fault.At(fault.InvalidArgument, key, "%s", message))
	}
}

func (v *validator) terminals(t Terminals) {
	v.check("terminals.live_records", t.LiveRecords >= 1 && t.LiveRecords <= 200, "must be 1 to 200")
	v.check("terminals.live_at_once", t.LiveAtOnce >= 1 && t.LiveAtOnce <= 10_000, "must be 1 to 10000")
	v.check("terminals.backlog_at_once", t.BacklogAtOnce >= 1 && t.BacklogAtOnce <= 1_000, "must be 1 to 1000")
	v.check("terminals.backlog_rate", t.BacklogRate >= 1 && t.BacklogRate <= 1_000_000, "must be 1 to 1000000")
	v.check("terminals.longest_slot", t.LongestSlot >= time.Minute && t.LongestSlot <= wire.MaxSlot, "must be between 1m and 6h")
	v.check("terminals.spread", t.Spread >= 0 && t.Spread <= time.Hour, "must be between 0s and 1h")
}

func (v *validator) login(section string, l Login) {
	v.check(section+".issuer", webURL(l.Issuer), "must be the OpenID provider's URL and begin with https://; http:// only on this machine")
	v.check(section+".client_id", l.ClientID != "", "must be the client id at the OpenID provider")
	v.check(section+".redirect_url", webURL(l.RedirectURL), "must be a URL of this backend that begins with https://; http:// only on this machine")
}

// The shortest and the longest time that verifiers may keep keys.
const (
	minCacheLifetime = time.Minute
	maxCacheLifetime = 30 * 24 * time.Hour
)

func (v *validator) certificates(c Certificates) {
	v.check("certificates.cache_lifetime", c.CacheLifetime >= minCacheLifetime && c.CacheLifetime <= maxCacheLifetime, "must be between 1m and 720h")
	b := c.VDSNC
	v.check("certificates.vdsnc.key_file", b.KeyFile == "" || b.KeyLabel == "", "and certificates.vdsnc.key_label exclude each other: the key is in a file or in the token")
	v.check("certificates.vdsnc.certificate_file", (b.CertificateFile == "") == (b.KeyFile == "" && b.KeyLabel == ""), "goes together with the signer's key: set both or none")
	v.check("certificates.vdsnc.key_label", b.KeyLabel == "" || c.PKCS11.Module != "", "is a name in the token: set certificates.pkcs11.module")
	t := c.PKCS11
	v.check("certificates.pkcs11.token_label", (t.Module == "") == (t.TokenLabel == ""), "goes together with certificates.pkcs11.module: set both or none")
	v.check("certificates.pkcs11.pin_file", (t.Module == "") == (t.PINFile == ""), "goes together with certificates.pkcs11.module: set both or none")
}

func hostPort(s string) bool {
	_, port, err := net.SplitHostPort(s)
	return err == nil && port != ""
}

// webURL tells whether s is a URL without user, query and fragment that nobody on the way
// can read or change: https, or http that does not leave the machine.
func webURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func goodDSN(s string) bool {
	for _, scheme := range []string{"sqlite:", "postgres://", "postgresql://"} {
		if rest, ok := strings.CutPrefix(s, scheme); ok && rest != "" {
			return true
		}
	}
	return false
}
