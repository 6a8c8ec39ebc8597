package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/fleet"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// TrustBundler gives terminals what they check certificates against: a tar in the layout
// of --trust, and a version that changes with its content.
type TrustBundler interface {
	TrustBundle(ctx context.Context, who actor.Terminal, purpose audit.Purpose) (bundle []byte, version string, err error)
}

// TerminalDeps are what the terminals' routes call; all are needed.
type TerminalDeps struct {
	Fleet  *fleet.Fleet
	Intake *intake.Intake
	Tokens TokenDesk
	Trust  TrustBundler
	Now    func() time.Time
	Log    *slog.Logger
}

// TerminalRoutes gives everything below /terminal/v1.
func TerminalRoutes(d TerminalDeps) []Route {
	t := terminalFace{
		TerminalDeps: d,
		perTerminal:  newLimiter(terminalBurst, terminalRefill, maxCallers, d.Now),
		enrolments:   newPublicLimiter(enrolBurst, enrolRefill, enrolAllBurst, enrolAllRefill, d.Now),
		nonces:       newPublicLimiter(nonceBurst, nonceRefill, nonceAllBurst, nonceAllRefill, d.Now),
	}
	return []Route{
		Raw(http.MethodPost, "/terminal/v1/enrol", Public, t.enrol).Limit(wire.MaxEnrolmentBytes),
		TerminalTokenRoute(d.Tokens),
		Raw(http.MethodGet, "/terminal/v1/nonce", Public, t.nonce),
		Raw(http.MethodPost, "/terminal/v1/batches", TerminalOnly, t.limited(t.batch)).Limit(wire.MaxCompressedBatch),
		Raw(http.MethodGet, "/terminal/v1/answers", TerminalOnly, t.limited(t.answers)).Within(intake.MaxWait + DefaultDeadline),
		Raw(http.MethodGet, "/terminal/v1/profile", TerminalOnly, t.limited(t.profile)),
		Raw(http.MethodGet, "/terminal/v1/trust", TerminalOnly, t.limited(t.trust)),
	}
}

type terminalFace struct {
	TerminalDeps
	perTerminal *limiter
	enrolments  *publicLimiter
	nonces      *publicLimiter
}

// publicLimiter bounds what nobody proved: each address, and all together.
type publicLimiter struct{ each, all *limiter }

func newPublicLimiter(burst int, refill time.Duration, allBurst int, allRefill time.Duration, now func() time.Time) *publicLimiter {
	return &publicLimiter{each: newLimiter(burst, refill, maxAddresses, now), all: newLimiter(allBurst, allRefill, 1, now)}
}

// take asks the address first: one that is over its limit takes nothing from the others.
func (l *publicLimiter) take(from netip.Addr) error {
	if err := l.each.take(network(from)); err != nil {
		return err
	}
	return l.all.take("")
}

// network is whom an address counts as: of IPv6 a household or an office has the first 64 bits.
func network(from netip.Addr) string {
	from = from.Unmap()
	if from.Is6() {
		if p, err := from.Prefix(64); err == nil {
			return p.String()
		}
	}
	return from.String()
}

type terminalHandler = func(context.Context, actor.Terminal, Request) (Response, error)

// limited counts the request against its terminal and notes that the terminal was heard
// of. A note that cannot be written does not stop the terminal.
func (t terminalFace) limited(h terminalHandler) terminalHandler {
	return func(ctx context.Context, who actor.Terminal, in Request) (Response, error) {
		if err := t.perTerminal.take(who.ID); err != nil {
			return Response{}, err
		}
		if err := t.Fleet.Seen(ctx, who, audit.TerminalOperation); err != nil {
			t.Log.LogAttrs(ctx, slog.LevelWarn, "cannot note a terminal's contact",
				slog.String("terminal", who.ID), slog.String("error", err.Error()))
		}
		return h(ctx, who, in)
	}
}

func (t terminalFace) enrol(ctx context.Context, who actor.Anyone, in Request) (Response, error) {
	if err := t.enrolments.take(in.From); err != nil {
		return Response{}, err
	}
	if err := mustBe(in, "application/json"); err != nil {
		return Response{}, err
	}
	e, err := wire.DecodeEnrolment(in.Body)
	if err != nil {
		return Response{}, err
	}
	done, err := t.Fleet.Enrol(ctx, who, audit.TerminalOperation, e)
	if err != nil {
		return Response{}, err
	}
	return jsonResponse(done)
}

func (t terminalFace) nonce(ctx context.Context, _ actor.Anyone, in Request) (Response, error) {
	if err := t.nonces.take(in.From); err != nil {
		return Response{}, err
	}
	n, err := t.Tokens.Nonce(ctx)
	if err != nil {
		return Response{}, err
	}
	return jsonResponse(n)
}

func (t terminalFace) batch(ctx context.Context, who actor.Terminal, in Request) (Response, error) {
	if err := mustBe(in, wire.BatchContentType); err != nil {
		return Response{}, err
	}
	if waiting, err := strconv.Atoi(in.Header.Get(wire.WaitingHeader)); err == nil {
		if err := t.Intake.Announced(who, waiting); err != nil {
			return Response{}, err // nothing of it was read
		}
	}
	b, err := wire.DecodeBatch(in.Body)
	if err != nil {
		return Response{}, err
	}
	receipt, err := t.Intake.ReceiveDecoded(ctx, who, audit.TerminalOperation, b)
	if err != nil {
		return Response{}, err
	}
	if b.ServerEpoch == "" || b.ServerEpoch == receipt.ServerEpoch {
		// What a terminal says before it heard that the store was restored leaves out what it
		// will send again.
		t.health(ctx, who, b.Health)
	}
	return jsonResponse(receipt)
}

// health keeps what the terminal said of itself. What cannot be kept does not stop its
// records.
func (t terminalFace) health(ctx context.Context, who actor.Terminal, jws string) {
	if jws == "" {
		return
	}
	if err := t.Fleet.NoteHealth(ctx, who, audit.TerminalOperation, jws); err != nil {
		t.Log.LogAttrs(ctx, slog.LevelWarn, "cannot note a terminal's health",
			slog.String("terminal", who.ID), slog.String("error", withoutValues(err.Error())))
	}
}

func mustBe(in Request, want string) error {
	if mediaType(in.Header.Get("Content-Type")) != want {
		return fault.At(fault.UnsupportedMedia, "header.Content-Type", "is not what this route takes")
	}
	return nil
}

func (t terminalFace) answers(ctx context.Context, who actor.Terminal, in Request) (Response, error) {
	after, err := number(in.Query, "after", 63)
	if err != nil {
		return Response{}, err
	}
	seconds, err := number(in.Query, "wait", 16)
	if err != nil {
		return Response{}, err
	}
	for name := range in.Query {
		if name != "after" && name != "wait" {
			return Response{}, fault.At(fault.InvalidArgument, "query", "holds a name that this route does not take")
		}
	}
	page, err := t.Intake.Answers(ctx, who, audit.EligibilityAnswer, after, time.Duration(seconds)*time.Second)
	if err == nil && len(page.Answers) > 0 {
		err = t.Fleet.InUse(ctx, who.ID) // it may have been disabled while it waited
	}
	if err != nil {
		return Response{}, err
	}
	return jsonResponse(page)
}

// number reads a whole number of at most that many bits; absent means 0.
func number(query url.Values, name string, bits int) (uint64, error) {
	values := query[name]
	if len(values) == 0 {
		return 0, nil
	}
	n, err := strconv.ParseUint(values[0], 10, bits)
	if err != nil || len(values) > 1 {
		return 0, fault.At(fault.InvalidArgument, "query."+name, "must be one whole number")
	}
	return n, nil
}

func (t terminalFace) profile(ctx context.Context, who actor.Terminal, in Request) (Response, error) {
	p, err := t.Fleet.Profile(ctx, who, audit.TerminalOperation)
	if err != nil {
		return Response{}, err
	}
	body, err := json.Marshal(p)
	if err != nil {
		return Response{}, err
	}
	return cached(in, "application/json", ETag("profile", string(body)), body), nil
}

func (t terminalFace) trust(ctx context.Context, who actor.Terminal, in Request) (Response, error) {
	bundle, version, err := t.Trust.TrustBundle(ctx, who, audit.TerminalOperation)
	if err != nil {
		return Response{}, err
	}
	return cached(in, "application/x-tar", ETag("trust", version), bundle), nil
}

// cached answers 304 when the terminal has this very content.
func cached(in Request, contentType, etag string, body []byte) Response {
	header := http.Header{"Etag": {etag}, "Cache-Control": {"private, no-cache"}}
	if Matches(in.Header.Get("If-None-Match"), etag) {
		return Response{Status: http.StatusNotModified, Header: header}
	}
	return Response{ContentType: contentType, Header: header, Body: body}
}
