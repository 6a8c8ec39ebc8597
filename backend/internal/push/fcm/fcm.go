// Package fcm hands push messages to Firebase Cloud Messaging. It is the only package that
// knows Firebase.
//
// It promises: a message carries exactly {"v":"1","h":handle} and no notification, so
// neither Google nor a phone's lock screen learns what it is about; no topic is ever used,
// for a topic's name would say who its members are; each send ends within its own time; a
// token or an answer's text is never logged.
package fcm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	firebase "firebase.google.com/go/v4"
	"firebase.google.com/go/v4/errorutils"
	"firebase.google.com/go/v4/messaging"
	"google.golang.org/api/option"

	"madoguchi.example/backend/internal/push"
)

// Limits.
const (
	// MaxPayload is what FCM takes in bytes of keys and values; the SDK does not check it.
	MaxPayload = 4096
	// Workers is how many sends run at once.
	Workers = 32
	// Timeout ends one send, the SDK's own repeats included. Google asks for 10 s at least.
	Timeout = 10 * time.Second
	// maxCredentials caps the credentials file in bytes.
	maxCredentials = 64 << 10
)

// Config says which project to send for.
type Config struct {
	Project string
	// CredentialsFile is a service account. Empty: the machine's own credentials, or none
	// where an Endpoint is set.
	CredentialsFile string
	// Endpoint replaces https://fcm.googleapis.com/v1, for practice.
	Endpoint string
	// Timeout of one send; 0 means the constant.
	Timeout time.Duration
}

// Client implements push.Sender. It is safe for concurrent use.
type Client struct {
	client  *messaging.Client
	timeout time.Duration
}

var _ push.Sender = (*Client)(nil)

// New makes a client. It does not call anybody yet.
func New(ctx context.Context, c Config) (*Client, error) {
	if c.Project == "" {
		return nil, errors.New("cannot push: no Firebase project is named")
	}
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	app, err := firebase.NewApp(ctx, &firebase.Config{ProjectID: c.Project}, options...)
	if err != nil {
		return nil, fmt.Errorf("cannot set up Firebase: %w", err)
	}
	client, err := app.Messaging(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot set up Firebase: %w", err)
	}
	if c.Timeout == 0 {
		c.Timeout = Timeout
	}
	return &Client{client, c.Timeout}, nil
}

func (c Config) options() ([]option.ClientOption, error) {
	var out []option.ClientOption
	if c.Endpoint != "" {
		out = append(out, option.WithEndpoint(c.Endpoint))
	}
	switch {
	case c.CredentialsFile != "":
		info, err := os.Stat(c.CredentialsFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read the Firebase credentials: %w", err)
		}
		if info.Size() > maxCredentials {
			return nil, fmt.Errorf("cannot read the Firebase credentials: larger than %d bytes", maxCredentials)
		}
		out = append(out, option.WithAuthCredentialsFile(option.ServiceAccount, c.CredentialsFile))
	case c.Endpoint != "":
		out = append(out, option.WithoutAuthentication())
	}
	return out, nil
}

// Send implements push.Sender.
func (c *Client) Send(ctx context.Context, messages []push.Message) []push.Result {
	out := make([]push.Result, len(messages))
	next := make(chan int)
	var all sync.WaitGroup
	for range min(Workers, len(messages)) {
		all.Go(func() {
			for i := range next {
				out[i] = c.one(ctx, messages[i])
			}
		})
	}
	for i := range messages {
		next <- i
	}
	close(next)
	all.Wait()
	return out
}

// Payload is everything that a message says.
func Payload(m push.Message) map[string]string { return map[string]string{"v": "1", "h": m.Handle} }

func (c *Client) one(ctx context.Context, m push.Message) push.Result {
	if ctx.Err() != nil {
		return push.Later
	}
	data := Payload(m)
	size := 0
	for k, v := range data {
		size += len(k) + len(v)
	}
	if size > MaxPayload || m.Token == "" {
		return push.Rejected
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	_, err := c.client.Send(ctx, &messaging.Message{Token: m.Token, Data: data})
	return result(err)
}

// result sorts Google's answers by what is to be done next.
func result(err error) push.Result {
	switch {
	case err == nil:
		return push.Taken
	case messaging.IsUnregistered(err), messaging.IsSenderIDMismatch(err):
		return push.Dead
	case messaging.IsThirdPartyAuthError(err), errorutils.IsUnauthenticated(err), errorutils.IsPermissionDenied(err):
		return push.Locked
	case messaging.IsQuotaExceeded(err), messaging.IsUnavailable(err), messaging.IsInternal(err):
		return push.Later
	case messaging.IsInvalidArgument(err):
		return push.Rejected
	}
	if r := errorutils.HTTPResponse(err); r != nil && r.StatusCode >= 400 && r.StatusCode < 500 && r.StatusCode != http.StatusTooManyRequests {
		return push.Rejected
	}
	return push.Later
}
