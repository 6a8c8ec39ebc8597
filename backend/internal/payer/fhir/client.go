package fhir

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"madoguchi.example/shared/fault"
)

// ContentType is FHIR in JSON.
const ContentType = "application/fhir+json"

// brokenError is a payer that cannot be asked now: nothing is known of any check.
type brokenError struct{ reason string }

// Error tells the reason: a status, or a word; never what was asked.
func (e *brokenError) Error() string { return "cannot ask the payer: " + e.reason }

// Unwrap gives the code to callers.
func (e *brokenError) Unwrap() error {
	return fault.New(fault.Unavailable, "the payer cannot be asked now")
}

func broken(format string, args ...any) error { return &brokenError{fmt.Sprintf(format, args...)} }

// reply is what the server said to one request: a response, that it comes later, or that
// the request cannot be answered as it is.
type reply struct {
	response CoverageEligibilityResponse
	later    bool
	again    time.Duration
	refused  fault.Code
}

// call sends one request. A token that is refused is fetched anew, once.
func (p *Payer) call(ctx context.Context, r CoverageEligibilityRequest) (reply, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return reply{}, fmt.Errorf("cannot write a request: %w", err)
	}
	for again := false; ; again = true {
		out, status, err := p.send(ctx, body, again)
		if status == http.StatusUnauthorized && p.Token != nil && !again {
			continue
		}
		return out, err
	}
}

func (p *Payer) send(ctx context.Context, body []byte, fresh bool) (reply, int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.submit, bytes.NewReader(body))
	if err != nil {
		return reply{}, 0, broken("the address is malformed")
	}
	request.Header.Set("Content-Type", ContentType)
	request.Header.Set("Accept", ContentType)
	if p.Token != nil {
		token, err := p.Token(ctx, fresh)
		if err != nil {
			p.pause(shortPause)
			return reply{}, 0, broken("no token: %s", reasonOf(err))
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := p.http.Do(request)
	if err != nil {
		p.pause(shortPause)
		return reply{}, 0, broken("%s", reasonOf(err))
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, MaxResourceBytes+1))
	if err != nil {
		p.pause(shortPause)
		return reply{}, answer.StatusCode, broken("the answer broke off: %s", reasonOf(err))
	}
	out, err := p.judge(answer, raw)
	return out, answer.StatusCode, err
}

// reasonOf names a failed call without repeating addresses or what was sent.
func reasonOf(err error) string {
	if refused, ok := errors.AsType[*tokenError](err); ok {
		return refused.Error()
	}
	var network net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "stopped"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection is refused"
	case strings.Contains(err.Error(), "x509:"), strings.Contains(err.Error(), "tls:"):
		return "the server's certificate or TLS is not accepted"
	}
	return "the connection failed"
}

// judge reads the server's answer.
//
//	200, 201 a response            | its word
//	200..299 an OperationOutcome   | as an error status with it
//	202                            | later
//	400, 409, 412, 422 with an OperationOutcome | refused, unless it names a passing trouble
//	429, 503                       | left alone for Retry-After
//	all others                     | the payer is broken: 401, 403, 404, 3xx, 5xx
func (p *Payer) judge(answer *http.Response, raw []byte) (reply, error) {
	status := answer.StatusCode
	again := retryAfter(answer.Header.Get("Retry-After"), p.Now())
	switch {
	case status == http.StatusAccepted:
		return reply{later: true, again: again}, nil
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		p.pause(max(again, shortPause))
		return reply{}, broken("status %d", status)
	case len(raw) > MaxResourceBytes:
		return reply{}, errors.New("the answer is too large")
	}
	kind := ""
	if isJSON(answer.Header.Get("Content-Type")) {
		kind = TypeOf(raw)
	}
	switch {
	case kind == "OperationOutcome" && (status/100 == 2 || refusing(status)):
		return p.outcome(raw, status, again)
	case status != http.StatusOK && status != http.StatusCreated:
		p.pause(shortPause)
		return reply{}, broken("status %d", status)
	case kind != "CoverageEligibilityResponse":
		return reply{}, errors.New("the answer is no CoverageEligibilityResponse")
	}
	r, err := Decode[CoverageEligibilityResponse](raw)
	return reply{response: r, again: again}, err
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == ContentType || kind == "application/json")
}

func refusing(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// passing are the issue types (R4 issue-type, transient and its children) of a trouble that
// passes by itself.
var passing = map[string]bool{
	"transient": true, "lock-error": true, "no-store": true, "exception": true, "timeout": true, "incomplete": true, "throttled": true,
}

func (p *Payer) outcome(raw []byte, status int, again time.Duration) (reply, error) {
	o, err := Decode[OperationOutcome](raw)
	if err != nil {
		return reply{}, err
	}
	code := fault.InvalidArgument
	failed := false
	for _, i := range o.Issue {
		if i.Severity != "error" && i.Severity != "fatal" {
			continue
		}
		failed = true
		switch {
		case passing[i.Code]:
			return reply{later: true, again: again}, nil
		case i.Code == "login" || i.Code == "expired" || i.Code == "forbidden" || i.Code == "security" || i.Code == "unknown":
			p.pause(shortPause)
			return reply{}, broken("the payer refuses us: %s", i.Code)
		case i.Code == "duplicate" || i.Code == "conflict" || status == http.StatusConflict:
			code = fault.Conflict
		}
	}
	if !failed {
		return reply{}, errors.New("the answer is an OperationOutcome without an error")
	}
	return reply{refused: code}, nil
}

// retryAfter reads seconds or a date; 0 where there is none.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, longestPause)
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(at.Sub(now), 0), longestPause)
	}
	return 0
}
