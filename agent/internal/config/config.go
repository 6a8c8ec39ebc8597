// Package config is what an operator may set of a terminal's agent, with a default for
// everything but the backend's address, which enrolment needs.
package config

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/settings"
)

// Prefix of the environment's variables: MADOGUCHI_AGENT_DESK_LISTEN is [desk] listen.
const Prefix = "MADOGUCHI_AGENT"

// Config is the agent's configuration. docs/configuration.md lists the keys for operators.
type Config struct {
	// StateDir holds keys, queue and trust snapshot. Only the agent's user may read it.
	StateDir string  `toml:"state_dir"`
	Log      Log     `toml:"log"`
	Desk     Desk    `toml:"desk"`
	Backend  Backend `toml:"backend"`
	Queue    Queue   `toml:"queue"`
	Links    Links   `toml:"links"`
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
	// Operators are the names that F12 offers.
	Operators []string `toml:"operators"`
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

// Queue bounds what waits at the terminal. When a bound is reached new work is refused;
// what is there stays.
type Queue struct {
	MaxRecords int   `toml:"max_records"`
	MaxBytes   int64 `toml:"max_bytes"`
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
		Desk:     Desk{Listen: "127.0.0.1:8090", LockAfter: 10 * time.Minute, Operators: []string{"受付１", "受付２"}},
		Backend:  Backend{URL: "https://madoguchi.example", Timeout: 10 * time.Second, RefreshEvery: 15 * time.Minute},
		Queue:    Queue{MaxRecords: 50_000, MaxBytes: 128 << 20},
		Links:    Links{Timeout: 30 * time.Second},
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
	bad(loopback(c.Desk.Listen), "desk.listen", "must be a loopback address with a port: the desk has no password of its own")
	bad(c.Desk.LockAfter >= time.Minute, "desk.lock_after", "must be at least 1m")
	bad(len(c.Desk.Operators) > 0, "desk.operators", "must name at least one operator")
	bad(baseURL(c.Backend.URL), "backend.url", "must be an http or https address without path; http only on loopback")
	bad(c.Backend.Timeout >= 100*time.Millisecond, "backend.timeout", "must be at least 100ms")
	bad(c.Backend.RefreshEvery >= time.Second, "backend.refresh_every", "must be at least 1s")
	bad(c.Queue.MaxRecords >= 100, "queue.max_records", "must be at least 100")
	bad(c.Queue.MaxBytes >= 1<<20, "queue.max_bytes", "must be at least 1048576")
	bad(len(c.Links.Recipient) <= maxRecipient, "links.recipient", "must be at most %d bytes", maxRecipient)
	bad(c.Links.Timeout >= time.Second, "links.timeout", "must be at least 1s")
	return errors.Join(faults...)
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

func loopback(address string) bool {
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
	return u.Scheme == "https" || (u.Scheme == "http" && loopback(net.JoinHostPort(u.Hostname(), "0")))
}
