// Package config is what an operator may set of a terminal's agent, with a default for
// everything but the backend's address, which enrolment needs.
package config

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/settings"
)

// Prefix of the environment's variables: MADOGUCHI_AGENT_DESK_LISTEN is [desk] listen.
const Prefix = "MADOGUCHI_AGENT"

// Config is the agent's configuration. docs/configuration.md lists the keys for operators.
type Config struct {
	// StateDir holds keys, queue and trust snapshot. Only the agent's user may read it.
	StateDir string   `toml:"state_dir"`
	Log      Log      `toml:"log"`
	Desk     Desk     `toml:"desk"`
	Backend  Backend  `toml:"backend"`
	Vault    Vault    `toml:"vault"`
	Queue    Queue    `toml:"queue"`
	Sync     Sync     `toml:"sync"`
	Metrics  Metrics  `toml:"metrics"`
	Links    Links    `toml:"links"`
	Card     Card     `toml:"card"`
	Scanner  Scanner  `toml:"scanner"`
	OQS      OQS      `toml:"oqs"`
	Bookings Bookings `toml:"bookings"`
	Charges  Charges  `toml:"charges"`
}

// Log says how much is logged: debug, info, warn or error.
type Log struct {
	Level string `toml:"level"`
}

// Desk is the reception desk's own web server.
type Desk struct {
	// Listen is a loopback address; port 0 takes a free port.
	Listen string `toml:"listen"`
	// LockAfter hides patients after so long without a key.
	LockAfter time.Duration `toml:"lock_after"`
	// Operators are the names that exist at the first start; each chooses a PIN when they
	// first sign in, and the first of them may add and remove others.
	Operators []string `toml:"operators"`
	// Control is the socket over which `open`, `doctor` and `queue` speak with a running
	// agent. Empty: control.sock in the state folder.
	Control string `toml:"control"`
	// ControlGroup is a group whose members may also open the desk; empty: the agent's user.
	ControlGroup string `toml:"control_group"`
	// CopyOrder is the order of fields in which a result is copied for the receipt computer.
	CopyOrder []string `toml:"copy_order"`
	// PracticeListen is the loopback address of the desk for practising, which holds nobody
	// but invented people; empty: there is none.
	PracticeListen string `toml:"practice_listen"`
	LAN            LAN    `toml:"lan"`
}

// LAN lets other PCs of the clinic open the same desk over TLS, after pairing.
type LAN struct {
	// Listen is the address on the clinic's network; empty: off.
	Listen string `toml:"listen"`
	// Names are the host names and addresses under which the other PCs reach it.
	Names []string `toml:"names"`
}

// Card is how My Number Cards are read.
type Card struct {
	// Enabled watches the readers of the PC/SC daemon.
	Enabled bool `toml:"enabled"`
	// Socket is the daemon's; empty: the usual place, or PCSCLITE_CSOCK_NAME.
	Socket string `toml:"socket"`
	// Reader takes this reader alone; empty: the one that is there.
	Reader string `toml:"reader"`
}

// Scanner is how codes reach the desk besides the keyboard.
type Scanner struct {
	// Serial is the port of a scanner in USB-COM mode, "auto" for the one that is there,
	// or empty for none.
	Serial string `toml:"serial"`
	Baud   int    `toml:"baud"`
	// Evdev is the input device of a scanner that acts as a keyboard, for kiosks; empty:
	// none.
	Evdev string `toml:"evdev"`
	// Layout is how such a scanner counts its keys: us or jis.
	Layout string `toml:"layout"`
}

// OQS is the folder exchange with the clinic's 資格確認端末. Without folders the payer behind
// the backend is asked.
type OQS struct {
	RequestDir string `toml:"request_dir"`
	ResultDir  string `toml:"result_dir"`
	FaceDir    string `toml:"face_dir"` // results of the face-recognition reader; may be empty
	// Encoding of the requests: utf-8 or shift_jis.
	Encoding string `toml:"encoding"`
	// ScanEvery is how often the folders are looked through besides what they tell.
	ScanEvery time.Duration `toml:"scan_every"`
	// Opens and Closes are the hours (Japan's, HH:MM) in which the terminal is on.
	Opens  string `toml:"opens"`
	Closes string `toml:"closes"`
}

// Used tells whether the exchange is set up.
func (o OQS) Used() bool { return o.RequestDir != "" }

// Bookings is the evening's check of tomorrow's patients.
type Bookings struct {
	// CheckAt is when (Japan's time, HH:MM); empty: only when a person asks for it.
	CheckAt string `toml:"check_at"`
	// File is read before each evening's check, if it is there.
	File string `toml:"file"`
}

// Charges is the table of shares to charge while nothing can be checked. Without a file the
// table of the program holds.
type Charges struct {
	File string `toml:"file"`
	// KeyFile is the public key (PEM) of whoever signs the file.
	KeyFile string `toml:"key_file"`
}

// Backend is where the terminal syncs to.
type Backend struct {
	URL    string `toml:"url"`
	CAFile string `toml:"ca_file"` // PEM; empty = the machine's roots
	// Timeout bounds one call other than a long poll.
	Timeout time.Duration `toml:"timeout"`
	// RefreshEvery is how often profile and trust snapshot are asked for anew.
	RefreshEvery time.Duration `toml:"refresh_every"`
}

// The values of Vault.Key.
const (
	KeyAuto       = "auto"               // the strongest that is there, in the order of the others
	KeyTPM        = "tpm2"               // sealed by the machine's TPM 2.0
	KeyCredential = "systemd_credential" // given by systemd at the start
	KeyPassphrase = "passphrase"         // made of the text in a file
	KeyOwnFile    = "key_file"           // a file beside what it guards
)

// Vault says what guards the key under which the terminal's file is encrypted.
type Vault struct {
	// Key is one of the values above. The agent of a terminal that was opened with another
	// takes it over at the next start.
	Key string `toml:"key"`
	// TPM is the device, or unix:PATH of a simulator's socket. Empty: /dev/tpmrm0.
	TPM string `toml:"tpm"`
	// PassphraseFile holds the passphrase in its first line; best on another disk.
	PassphraseFile string `toml:"passphrase_file"`
	// KeyFile is the file of 32 bytes. Empty: vault.key in the state folder.
	KeyFile string `toml:"key_file"`
}

// Queue bounds what waits at the terminal. When a bound is reached new work is refused;
// what is there stays.
type Queue struct {
	MaxRecords int   `toml:"max_records"`
	MaxBytes   int64 `toml:"max_bytes"`
	// MaxAge is after how long a record that waits is called stale: shown, and nothing else.
	MaxAge time.Duration `toml:"max_age"`
	// KeepAccepted is how long what the backend took stays, encrypted, so that it can be sent
	// again to a backend that was restored.
	KeepAccepted time.Duration `toml:"keep_accepted"`
}

// Sync is how the terminal speaks with the backend.
type Sync struct {
	// Beat is after how long without anything to send the terminal tells how it stands.
	Beat time.Duration `toml:"beat"`
	// Spread bounds the random time after which a backlog starts when the line is back.
	// 0: what the office says.
	Spread time.Duration `toml:"spread"`
}

// Metrics is the address of /metrics for the machine's own monitoring.
type Metrics struct {
	// Listen is a loopback address; empty: off.
	Listen string `toml:"listen"`
}

// Links is how SMART Health Links are followed when a person asks for it.
type Links struct {
	// Recipient is shown to the person who shared a link: who reads it. Empty: the name of
	// the office that the terminal stands in.
	Recipient string `toml:"recipient"`
	// Timeout bounds one whole fetch.
	Timeout time.Duration `toml:"timeout"`
	// AllowLocal also follows links to this machine and its network.
	AllowLocal bool `toml:"allow_local"`
}

// Default gives the configuration of an agent that nobody configured.
func Default() Config {
	return Config{
		StateDir: "/var/lib/madoguchi-agent",
		Log:      Log{Level: "info"},
		Desk: Desk{
			Listen: "127.0.0.1:8090", PracticeListen: "127.0.0.1:8091", LockAfter: 10 * time.Minute, Operators: []string{"受付１", "受付２"},
			CopyOrder: []string{"insurer_number", "symbol", "number", "branch", "insured_kind", "valid_from", "valid_to", "copayment_percent"},
		},
		Backend:  Backend{URL: "https://madoguchi.example", Timeout: 10 * time.Second, RefreshEvery: 15 * time.Minute},
		Vault:    Vault{Key: KeyAuto},
		Queue:    Queue{MaxRecords: 50_000, MaxBytes: 128 << 20, MaxAge: 30 * 24 * time.Hour, KeepAccepted: 7 * 24 * time.Hour},
		Sync:     Sync{Beat: 10 * time.Minute},
		Links:    Links{Timeout: 30 * time.Second},
		Card:     Card{Enabled: true},
		Scanner:  Scanner{Serial: "auto", Baud: 9600, Layout: "us"},
		OQS:      OQS{Encoding: "utf-8", ScanEvery: 2 * time.Second, Opens: "07:00", Closes: "22:00"},
		Bookings: Bookings{CheckAt: "19:30"},
	}
}

// Load reads text over the defaults and the environment over both. The error joins every
// fault there is.
func Load(text []byte, getenv func(string) string) (Config, error) {
	c := Default()
	err := settings.Load(&c, settings.Source{TOML: text, Getenv: getenv, Prefix: Prefix})
	return c, errors.Join(err, c.Validate())
}

// Validate joins every fault in c, each naming its key.
func (c Config) Validate() error {
	var faults []error
	bad := func(ok bool, key, format string, args ...any) {
		if !ok {
			faults = append(faults, fault.At(fault.InvalidArgument, key, format, args...))
		}
	}
	bad(filepath.IsAbs(c.StateDir), "state_dir", "must be an absolute path")
	bad(levelKnown(c.Log.Level), "log.level", "must be debug, info, warn or error")
	bad(Loopback(c.Desk.Listen), "desk.listen", "must be a loopback address with a port: other PCs come over desk.lan")
	bad(c.Desk.PracticeListen == "" || Loopback(c.Desk.PracticeListen), "desk.practice_listen", "must be a loopback address with a port, or empty")
	bad(c.Desk.LockAfter >= time.Minute, "desk.lock_after", "must be at least 1m")
	bad(len(c.Desk.Operators) > 0, "desk.operators", "must name at least one operator")
	bad(baseURL(c.Backend.URL), "backend.url", "must be an http or https address without path; http only on loopback")
	bad(c.Backend.Timeout >= 100*time.Millisecond, "backend.timeout", "must be at least 100ms")
	bad(c.Backend.RefreshEvery >= time.Second, "backend.refresh_every", "must be at least 1s")
	bad(c.Queue.MaxRecords >= 100, "queue.max_records", "must be at least 100")
	bad(c.Queue.MaxBytes >= 1<<20, "queue.max_bytes", "must be at least 1048576")
	bad(c.Queue.MaxAge >= time.Hour, "queue.max_age", "must be at least 1h")
	bad(c.Queue.KeepAccepted >= time.Hour && c.Queue.KeepAccepted <= maxKeep, "queue.keep_accepted", "must be 1h to %s", maxKeep)
	bad(c.Sync.Beat >= time.Minute && c.Sync.Beat <= 24*time.Hour, "sync.beat", "must be 1m to 24h")
	bad(c.Sync.Spread >= 0 && c.Sync.Spread <= maxSpread, "sync.spread", "must be 0s to %s", maxSpread)
	bad(c.Metrics.Listen == "" || Loopback(c.Metrics.Listen), "metrics.listen", "must be a loopback address with a port, or empty")
	c.Vault.validate(bad)
	c.devices(bad)
	bad(len(c.Links.Recipient) <= maxRecipient, "links.recipient", "must be at most %d bytes", maxRecipient)
	bad(c.Links.Timeout >= time.Second, "links.timeout", "must be at least 1s")
	return errors.Join(faults...)
}

// Bounds of what can be set.
const (
	maxKeep   = 60 * 24 * time.Hour // of accepted records
	maxSpread = 12 * time.Hour
)

func (v Vault) validate(bad func(ok bool, key, format string, args ...any)) {
	bad(slices.Contains([]string{KeyAuto, KeyTPM, KeyCredential, KeyPassphrase, KeyOwnFile}, v.Key), "vault.key",
		"must be auto, tpm2, systemd_credential, passphrase or key_file")
	device, socket := strings.CutPrefix(v.TPM, "unix:")
	bad(v.TPM == "" || filepath.IsAbs(device) || (!socket && runtime.GOOS == "windows"), "vault.tpm", "must be a device or unix:PATH")
	bad(v.PassphraseFile == "" || filepath.IsAbs(v.PassphraseFile), "vault.passphrase_file", "must be an absolute path")
	bad(v.Key != KeyPassphrase || v.PassphraseFile != "", "vault.passphrase_file", "must be given with key = \"passphrase\"")
	bad(v.KeyFile == "" || filepath.IsAbs(v.KeyFile), "vault.key_file", "must be an absolute path")
}

// devices looks at what stands beside the terminal.
func (c Config) devices(bad func(ok bool, key, format string, args ...any)) {
	path := func(key, p string) { bad(p == "" || filepath.IsAbs(p), key, "must be an absolute path") }
	path("desk.control", c.Desk.Control)
	path("card.socket", c.Card.Socket)
	path("oqs.face_dir", c.OQS.FaceDir)
	path("bookings.file", c.Bookings.File)
	path("charges.file", c.Charges.File)
	path("charges.key_file", c.Charges.KeyFile)
	lan := c.Desk.LAN
	bad(lan.Listen == "" || hostPort(lan.Listen), "desk.lan.listen", "must be an address with a port")
	bad(lan.Listen == "" || len(lan.Names) > 0, "desk.lan.names", "must name how other PCs reach this one")
	bad(c.Scanner.Serial == "" || c.Scanner.Serial == "auto" || filepath.IsAbs(c.Scanner.Serial) || strings.HasPrefix(c.Scanner.Serial, "COM"), "scanner.serial", "must be a port, auto or empty")
	bad(c.Scanner.Baud >= 300 && c.Scanner.Baud <= 1_000_000, "scanner.baud", "must be 300 to 1000000")
	path("scanner.evdev", c.Scanner.Evdev)
	bad(c.Scanner.Layout == "us" || c.Scanner.Layout == "jis", "scanner.layout", "must be us or jis")
	o := c.OQS
	bad((o.RequestDir == "") == (o.ResultDir == ""), "oqs.result_dir", "request_dir and result_dir come together")
	path("oqs.request_dir", o.RequestDir)
	path("oqs.result_dir", o.ResultDir)
	bad(o.RequestDir == "" || o.RequestDir != o.ResultDir, "oqs.result_dir", "must be another folder than request_dir")
	bad(o.Encoding == "utf-8" || o.Encoding == "shift_jis", "oqs.encoding", "must be utf-8 or shift_jis")
	bad(o.ScanEvery >= 100*time.Millisecond, "oqs.scan_every", "must be at least 100ms")
	bad(timeOfDay(o.Opens), "oqs.opens", "must be a time of day, HH:MM")
	bad(timeOfDay(o.Closes) && o.Closes > o.Opens, "oqs.closes", "must be a time of day after opens, HH:MM")
	bad(c.Bookings.CheckAt == "" || timeOfDay(c.Bookings.CheckAt), "bookings.check_at", "must be a time of day, HH:MM, or empty")
	bad((c.Charges.File == "") == (c.Charges.KeyFile == ""), "charges.key_file", "file and key_file come together")
}

func timeOfDay(s string) bool {
	_, err := time.Parse("15:04", s)
	return err == nil && len(s) == len("15:04")
}

func hostPort(s string) bool {
	_, port, err := net.SplitHostPort(s)
	return err == nil && port != ""
}

// maxRecipient bounds what another's server is told, in bytes.
const maxRecipient = 200

// SlogLevel gives the level, Info where the text names none.
func (l Log) SlogLevel() slog.Level {
	var level slog.Level
	if level.UnmarshalText([]byte(l.Level)) != nil {
		return slog.LevelInfo
	}
	return level
}

func levelKnown(s string) bool {
	var level slog.Level
	return level.UnmarshalText([]byte(s)) == nil
}

// Loopback tells whether nobody but this machine can reach an address.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func baseURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.User != nil {
		return false
	}
	return u.Scheme == "https" || (u.Scheme == "http" && Loopback(net.JoinHostPort(u.Hostname(), "0")))
}
