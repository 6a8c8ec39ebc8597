package audit

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
)

// MaxCursor is the longest cursor in bytes that is looked at.
const MaxCursor = 128

// cursorAfter names an entry that was shown, so it tells nothing of the others.
func cursorAfter(e auditlog.Entry) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(e.At.UnixMicro(), 10) + " " + e.ID))
}

func parseCursor(s string) (Position, error) {
	if s == "" {
		return Position{}, nil
	}
	bad := fault.At(fault.InvalidArgument, "cursor", "the cursor is not one of ours: start from the first page")
	if len(s) > MaxCursor {
		return Position{}, bad
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return Position{}, bad
	}
	at, id, _ := strings.Cut(string(raw), " ")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil || strconv.FormatInt(micros, 10) != at || !handle.Valid("aud", id) {
		return Position{}, bad
	}
	return Position{At: time.UnixMicro(micros).UTC(), ID: id}, nil
}
