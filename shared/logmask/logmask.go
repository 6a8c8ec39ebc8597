// Package logmask makes the project's logger: JSON lines, with the values of keys that
// name personal data or secrets masked, however careless the log line.
//
// The mask is the second net. The first is that types which hold persons and secrets
// implement slog.LogValuer.
package logmask

import (
	"io"
	"log/slog"
	"strings"

	"madoguchi.example/shared/identity"
)

// sensitive are parts of key names whose values are never logged.
var sensitive = []string{
	"name", "kana", "kanji", "birth", "address", "phone", "mail", "insurer", "symbol", "number",
	"branch", "token", "secret", "password", "passphrase", "pin", "code_verifier", "assertion",
	"authorization", "cookie", "dsn", "body", "private", "recipient_key",
}

// harmless are whole keys that contain a sensitive part but hold no such thing.
var harmless = map[string]bool{
	"address":  true, // where a server listens; people's addresses never carry this key
	"hostname": true, "filename": true, "program_name": true,
}

// New makes a logger that writes JSON lines to w at the level and above. It is safe for
// concurrent use when w's Write is.
func New(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: mask}))
}

func mask(_ []string, a slog.Attr) slog.Attr {
	if masked(a.Key) && a.Value.Kind() != slog.KindGroup {
		return slog.String(a.Key, identity.Mask)
	}
	return a
}

func masked(key string) bool {
	k := strings.ToLower(key)
	if harmless[k] {
		return false
	}
	for _, s := range sensitive {
		if strings.Contains(k, s) {
			return true
		}
	}
	return false
}
