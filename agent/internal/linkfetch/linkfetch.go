// Package linkfetch loads what a SMART Health Link leads to, when a person has asked for it:
// it is the only part of reading certificates that opens a connection.
//
// Anybody can write a link, so its addresses are not trusted: https alone, no redirect, and
// no address of this machine or of the network that the terminal stands in, checked for the
// address that the name resolved to at the moment of dialling. Everything is bounded: the
// time, each answer before it is read, and all of them together. What was fetched is still
// encrypted by whoever made the link and proves nothing; the caller verifies it.
package linkfetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"madoguchi.example/shared/cert/shlink"
	"madoguchi.example/shared/fault"
)

// Limits of one fetch.
const (
	MaxTotal       = 16 << 20 // bytes of all answers together
	MaxPasscode    = 128      // bytes of a passcode
	maxRefusal     = 4096     // bytes that are read of an answer that is no success
	DefaultTimeout = 30 * time.Second
)

// ErrPasscode is in the chain of Fetch's error where the link wants a passcode and none was
// given. No attempt was used up.
var ErrPasscode = errors.New("the link wants a passcode")

// errLocal refuses an address that a link has no business with.
var errLocal = errors.New("the link leads to this machine or its own network")

// Config says how links are followed. Now is required.
type Config struct {
	// Recipient is shown to the person who shared the link: who reads it. Required too.
	Recipient func() string
	Now       func() time.Time
	Timeout   time.Duration // of one whole fetch; 0: DefaultTimeout
	// AllowLocal also follows links to this machine and its network, and there without
	// https: for a demonstration, and for a hospital that serves links itself.
	AllowLocal bool
}

// Fetcher loads what links lead to. It keeps nothing between two fetches and is safe for
// concurrent use.
type Fetcher struct {
	config Config
	client *http.Client
}

// New makes a Fetcher. It takes no proxy: behind one the address that is dialled could not
// be checked.
func New(c Config) *Fetcher {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	f := &Fetcher{config: c}
	dialer := &net.Dialer{Control: f.control}
	f.client = &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, ForceAttemptHTTP2: true, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return f
}

// control looks at the address a name resolved to before it is dialled, so that no name can
// mean one address when it is checked and another when it is used.
func (f *Fetcher) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("cannot dial: %w", err)
	}
	if !f.config.AllowLocal && local(at.Addr()) {
		return errLocal
	}
	return nil
}

// wellKnown64 is the prefix under which IPv4 addresses stand in IPv6 ones (RFC 6052).
var wellKnown64 = netip.MustParsePrefix("64:ff9b::/96")

// closed are the networks of the special-purpose registries (RFC 6890) that Go's own tests
// of an address do not name: this network, behind a provider's translation, benchmarks, the
// reserved ones, a site's own translation, and tunnels that carry an IPv4 address.
var closed = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/32"),
	netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// local tells whether an address is of this machine or of a network around it.
func local(a netip.Addr) bool {
	a = a.Unmap()
	if wellKnown64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	return !a.IsGlobalUnicast() || a.IsPrivate() || slices.ContainsFunc(closed, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Fetch loads and opens the files of a link, alone or behind a viewer's address. passcode is
// what the person told, "" for none.
//
// Errors: ErrPasscode; a shlink.Refusal where the server refused (with the attempts that are
// left and how long to wait); fault Unavailable where it cannot be reached, InvalidArgument
// where link or answer are not what they should be, Forbidden where an address may not be
// followed, TooLarge.
func (f *Fetcher) Fetch(ctx context.Context, link []byte, passcode string) ([]shlink.File, error) {
	l, err := shlink.Parse(link)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidArgument, err, "the link cannot be read")
	}
	switch {
	case l.Passcode && passcode == "":
		return nil, fault.Wrap(fault.InvalidArgument, ErrPasscode, "a passcode is missing")
	case len(passcode) > MaxPasscode:
		return nil, fault.At(fault.TooLarge, "passcode", "longer than %d bytes", MaxPasscode)
	case !l.Passcode:
		passcode = "" // it is another's secret: not told to whom it is not for
	}
	ctx, cancel := context.WithTimeout(ctx, f.config.Timeout)
	defer cancel()
	a := &act{fetcher: f, link: l, budget: MaxTotal}
	if l.Direct {
		return a.direct(ctx)
	}
	return a.manifest(ctx, passcode)
}

// act is one fetch.
type act struct {
	fetcher *Fetcher
	link    shlink.Link
	budget  int64 // bytes that may still be read
}

func (a *act) direct(ctx context.Context) ([]shlink.File, error) {
	sealed, err := a.do(ctx, a.link.DirectRequest(a.fetcher.config.Recipient()), shlink.MaxJWE)
	if err != nil {
		return nil, err
	}
	return a.open(nil, sealed, "")
}

func (a *act) manifest(ctx context.Context, passcode string) ([]shlink.File, error) {
	text, err := a.do(ctx, a.link.ManifestRequest(a.fetcher.config.Recipient(), passcode), shlink.MaxManifest)
	if err != nil {
		return nil, err
	}
	m, err := shlink.ParseManifest(text)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidArgument, err, "the link's manifest cannot be read")
	}
	var files []shlink.File
	for _, listed := range m.Files {
		if listed.ContentType != shlink.HealthCard {
			continue // nothing else can be verified, so nothing else is loaded
		}
		sealed := []byte(listed.Embedded)
		if listed.Embedded == "" {
			if sealed, err = a.do(ctx, listed.Request(), shlink.MaxJWE); err != nil {
				return nil, err
			}
		}
		if files, err = a.open(files, sealed, listed.ContentType); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// open adds one file. What the manifest promised holds over what the file calls itself.
func (a *act) open(files []shlink.File, sealed []byte, promised shlink.ContentType) ([]shlink.File, error) {
	file, err := a.link.Open(sealed)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidArgument, err, "what the link leads to cannot be opened")
	}
	if promised != "" {
		file.ContentType = promised
	}
	return append(files, file), nil
}

// do sends one request and gives its answer of at most limit bytes.
func (a *act) do(ctx context.Context, ask shlink.Request, limit int64) ([]byte, error) {
	if err := a.fetcher.mayFollow(ask.URL); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, ask.Method, ask.URL, bytes.NewReader(ask.Body))
	if err != nil {
		return nil, fault.Wrap(fault.InvalidArgument, errors.New("not an address"), "the link's address cannot be used")
	}
	req.Header.Set("Accept", ask.Accept)
	req.Header.Set("User-Agent", "madoguchi-agent")
	if ask.ContentType != "" {
		req.Header.Set("Content-Type", ask.ContentType)
	}
	resp, err := a.fetcher.client.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
		return nil, shlink.ParseRefusal(resp.StatusCode, resp.Header.Get("Retry-After"), body, a.fetcher.config.Now())
	}
	return a.read(resp, min(limit, a.budget))
}

func (a *act) read(resp *http.Response, limit int64) ([]byte, error) {
	if resp.ContentLength > limit {
		return nil, fault.New(fault.TooLarge, "the link's server answers with more than is read")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, unreachable(err)
	}
	if int64(len(body)) > limit {
		return nil, fault.New(fault.TooLarge, "the link's server answers with more than is read")
	}
	a.budget -= int64(len(body))
	return body, nil
}

// mayFollow looks at an address before anything is sent there.
func (f *Fetcher) mayFollow(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fault.Wrap(fault.InvalidArgument, errors.New("not an address"), "the link's address cannot be used")
	}
	ip, notIP := netip.ParseAddr(u.Hostname())
	switch {
	case u.Scheme == "https":
		return nil // where it leads to is checked when it is dialled
	case u.Scheme == "http" && f.config.AllowLocal && (u.Hostname() == "localhost" || (notIP == nil && ip.IsLoopback())):
		return nil
	}
	return fault.New(fault.Forbidden, "the link is not https: it is not followed")
}

// unreachable keeps the address out of the error: it is as good as a password.
func unreachable(err error) error {
	if errors.Is(err, errLocal) {
		return fault.Wrap(fault.Forbidden, errLocal, "the link is not followed")
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return fault.Wrap(fault.Unavailable, err, "the link's server cannot be reached")
}
