package wallet

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"madoguchi.example/shared/fault"
)

// Client is a wallet app that may send citizens to the consent page: a public client.
type Client struct {
	ID           string
	Name         string   // as the citizen reads it
	RedirectURIs []string // compared character by character, but for the port of http://127.0.0.1 and http://[::1]
}

// Limits of a client's entry.
const (
	maxClientID   = 200
	maxClientName = 100
)

// CheckClients tells every fault of the entries.
func CheckClients(clients []Client) error {
	_, err := register(clients)
	return err
}

// register finds the clients by their ids.
func register(clients []Client) (map[string]Client, error) {
	out := map[string]Client{}
	var faults []error
	for i, c := range clients {
		check := func(key string, ok bool, message string, args ...any) {
			if !ok {
				faults = append(faults, fault.At(fault.InvalidArgument, fmt.Sprintf("wallet.clients.%d.%s", i, key), message, args...))
			}
		}
		_, twice := out[c.ID]
		check("id", c.ID != "" && len(c.ID) <= maxClientID && visible(c.ID), "must have 1 to %d printable ASCII characters", maxClientID)
		check("id", !twice, "must not stand twice")
		check("name", strings.TrimSpace(c.Name) != "" && len(c.Name) <= maxClientName, "must have 1 to %d bytes", maxClientName)
		check("redirect_uris", len(c.RedirectURIs) > 0 && all(c.RedirectURIs, safeRedirect),
			"must each begin with https://, with a scheme of the app that has a dot (RFC 8252 section 7.1), or with http:// on this machine, and have no fragment")
		c.RedirectURIs = slices.Clone(c.RedirectURIs)
		out[c.ID] = c
	}
	return out, errors.Join(faults...)
}

// hostCharacters are those of a host with its port. The host also stands in the policy of
// the consent page.
const hostCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]"

// safeRedirect tells whether a browser may be sent to the URI: never to a scheme that runs
// or shows what stands in the URI itself.
func safeRedirect(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.User != nil || len(s) > MaxValue || !visible(s) || strings.ContainsAny(s, "#\\") {
		return false
	}
	if strings.ContainsFunc(u.Host, func(r rune) bool { return !strings.ContainsRune(hostCharacters, r) }) {
		return false
	}
	switch u.Scheme {
	case "https":
		return u.Hostname() != ""
	case "http":
		ip := net.ParseIP(u.Hostname())
		return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	}
	return strings.Contains(u.Scheme, ".")
}

func all(list []string, ok func(string) bool) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !ok(s) })
}

// visible tells whether s is printable ASCII without blanks (VSCHAR of RFC 6749 but the blank).
func visible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
