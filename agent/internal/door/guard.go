package door

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"madoguchi.example/shared/fault"
)

// policy is what a page of the desk may load: files of its own, nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// headers of every answer.
func (e *entrance) headers(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer a browser hides the origin of our own forms
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
	h.Set("Cache-Control", "no-store")
	if e.lan {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// ownHost tells whether the name is one of the desk's: loopback here, the configured names
// on the network. A page elsewhere that rebinds its own name to this machine sends that name.
func (e *entrance) ownHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	} else if strings.HasPrefix(host, "[") {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	name = strings.ToLower(name)
	if e.lan {
		return name != "" && slices.ContainsFunc(e.c.LAN.Names, func(n string) bool { return strings.ToLower(n) == name })
	}
	return name == "localhost" || name == "127.0.0.1" || name == "::1"
}

// ownPage tells whether the request comes from a page of the desk, from the person's own
// hand in the address bar, or from a program that is no browser. Another page may lead here
// with a link and nothing else.
func (e *entrance) ownPage(r *http.Request) bool {
	if r.Header.Get("Upgrade") != "" { // there is nothing here to upgrade to
		return false
	}
	origins, sites := r.Header.Values("Origin"), r.Header.Values("Sec-Fetch-Site")
	if len(origins) > 1 || len(sites) > 1 {
		return false
	}
	origin, site := "", ""
	if len(origins) == 1 {
		origin = origins[0]
	}
	if len(sites) == 1 {
		site = sites[0]
	}
	if e.isLaunchFile(r) {
		return true
	}
	if hidden := origin == "null" && site == "same-origin"; origin != "" && origin != e.origin(r) && !hidden {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return http.NewCrossOriginProtection().Check(r) == nil
	}
	switch site {
	case "", "same-origin", "none":
		return true
	}
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// origin is the desk's own, as the browser that asked knows it.
func (e *entrance) origin(r *http.Request) string {
	if e.lan {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// isLaunchFile tells the one post that comes from outside: the file that `open` wrote, whose
// origin is null. It can spend a ticket of 256 bits and nothing else.
func (e *entrance) isLaunchFile(r *http.Request) bool {
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	return !e.lan && r.Method == http.MethodPost && r.URL.Path == "/launch" &&
		r.Header.Get("Origin") == "null" && r.Header.Get("Sec-Fetch-Site") != "same-origin" &&
		(mode == "" || mode == "navigate") && (dest == "" || dest == "document")
}

// csrfOf derives the token from the cookie, so that nothing more is kept.
func csrfOf(cookie string) string {
	m := hmac.New(sha256.New, []byte(cookie))
	_, _ = m.Write([]byte("csrf"))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// errToken is an unsafe request without the session's token.
var errToken = fault.At(fault.Forbidden, "csrf", "stale_page")

// token finds the session's token in the header or in the form of an unsafe request.
func (e *entrance) token(w http.ResponseWriter, r *http.Request, want string) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return nil
	case http.MethodPost:
	default:
		return fault.At(fault.InvalidArgument, "method", "is not one of the desk's")
	}
	got := r.Header.Get("X-CSRF-Token")
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	limit := int64(MaxFormBytes)
	if kind == "multipart/form-data" {
		limit = MaxFileBytes
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if got == "" {
		var err error
		switch kind {
		case "multipart/form-data":
			err = r.ParseMultipartForm(MaxFileBytes + 1) // in memory: nothing of a patient goes to a temporary file
		case "application/x-www-form-urlencoded":
			err = r.ParseForm()
		default:
			return errToken
		}
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return fault.Wrap(fault.TooLarge, err, "the form or picture is too large")
		} else if err != nil {
			return fault.Wrap(fault.InvalidArgument, err, "the form cannot be read")
		}
		got = r.PostFormValue("csrf")
	}
	if subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return errToken
	}
	return nil
}

// localPath gives a path of the desk to go on to, or "/".
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	switch u.Path {
	case "/sign-in", "/launch", "/lock", "/awake", eventsPath:
		return "/"
	}
	return to
}
