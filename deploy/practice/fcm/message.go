package fcm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Send is a checked request of messages:send.
type Send struct {
	ValidateOnly bool
	Token        string
	Raw          json.RawMessage // the message as it came
}

// message is projects.messages without its output-only name. Parts whose inner fields
// this project never sets are taken as they come, yet only as objects.
type message struct {
	Data         map[string]string `json:"data"`
	Notification *notification     `json:"notification"`
	Android      *android          `json:"android"`
	Webpush      *webpush          `json:"webpush"`
	APNS         *apns             `json:"apns"`
	FCMOptions   *fcmOptions       `json:"fcm_options"`
	Token        string            `json:"token"`
	Topic        *string           `json:"topic"`
	Condition    *string           `json:"condition"`
}

type notification struct {
	Title string `json:"title"`
	Body  string `json:"body"`
	Image string `json:"image"`
}

type android struct {
	CollapseKey           string            `json:"collapse_key"`
	Priority              string            `json:"priority"`
	TTL                   string            `json:"ttl"`
	RestrictedPackageName string            `json:"restricted_package_name"`
	Data                  map[string]string `json:"data"`
	Notification          map[string]any    `json:"notification"`
	FCMOptions            *fcmOptions       `json:"fcm_options"`
	DirectBootOK          bool              `json:"direct_boot_ok"`
}

type webpush struct {
	Headers      map[string]string `json:"headers"`
	Data         map[string]string `json:"data"`
	Notification map[string]any    `json:"notification"`
	FCMOptions   *struct {
		Link           string `json:"link"`
		AnalyticsLabel string `json:"analytics_label"`
	} `json:"fcm_options"`
}

type apns struct {
	Headers    map[string]string `json:"headers"`
	Payload    map[string]any    `json:"payload"`
	FCMOptions *struct {
		AnalyticsLabel string `json:"analytics_label"`
		Image          string `json:"image"`
	} `json:"fcm_options"`
	LiveActivityToken string `json:"live_activity_token"`
}

type fcmOptions struct {
	AnalyticsLabel string `json:"analytics_label"`
}

var (
	// A registration token is an instance id, a colon and a long random part; what is
	// documented is only that it is opaque, so the alphabet and a least length are checked.
	tokenPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}:[A-Za-z0-9_-]{22,1000}$`)
	ttlPattern   = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9})?s$`)
	labelPattern = regexp.MustCompile(`^[A-Za-z0-9-_.~%]{0,50}$`)
)

// Decode reads the body of messages:send strictly.
func Decode(raw []byte) (Send, *Error) {
	if len(raw) > MaxBodyBytes {
		return Send{}, invalid("request", "the request is too large")
	}
	if !utf8.Valid(raw) {
		return Send{}, invalid("request", "it is not UTF-8")
	}
	var outer struct {
		ValidateOnly bool            `json:"validate_only"`
		Message      json.RawMessage `json:"message"`
	}
	if err := strict(raw, &outer); err != nil {
		return Send{}, invalid("request", "unknown field or malformed JSON")
	}
	var m message
	if len(outer.Message) == 0 || strict(outer.Message, &m) != nil {
		return Send{}, invalid("message", "unknown field, wrong type or missing")
	}
	if e := m.fault(); e != nil {
		return Send{}, e
	}
	return Send{ValidateOnly: outer.ValidateOnly, Token: m.Token, Raw: outer.Message}, nil
}

// strict decodes one JSON value with known keys only and nothing after it.
func strict(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("there is more after the value")
	}
	return nil
}

func (m message) fault() *Error {
	switch {
	case m.Topic != nil:
		return invalid("message.topic", "practice takes tokens only")
	case m.Condition != nil:
		return invalid("message.condition", "practice takes tokens only")
	case !tokenPattern.MatchString(m.Token):
		return invalid("message.token", "The registration token is not a valid FCM registration token")
	case m.payloadBytes() > MaxPayloadBytes:
		return invalid("message", "the payload is more than 4096 bytes")
	}
	for _, data := range []map[string]string{m.Data, m.androidData(), m.webpushData()} {
		if key := reservedKey(data); key {
			return invalid("message.data", "a key is reserved")
		}
	}
	return m.partsFault()
}

func (m message) partsFault() *Error {
	if m.FCMOptions != nil && !labelPattern.MatchString(m.FCMOptions.AnalyticsLabel) {
		return invalid("message.fcm_options.analytics_label", "malformed label")
	}
	a := m.Android
	if a == nil {
		return nil
	}
	switch {
	case a.Priority != "" && !oneOf(a.Priority, "normal", "high", "NORMAL", "HIGH"):
		return invalid("message.android.priority", "unknown value")
	case a.TTL != "" && !ttlPattern.MatchString(a.TTL):
		return invalid("message.android.ttl", "malformed duration")
	case a.FCMOptions != nil && !labelPattern.MatchString(a.FCMOptions.AnalyticsLabel):
		return invalid("message.android.fcm_options.analytics_label", "malformed label")
	}
	return nil
}

func oneOf(s string, all ...string) bool {
	for _, a := range all {
		if s == a {
			return true
		}
	}
	return false
}

// reservedKey tells whether a key is one that FCM keeps for itself.
func reservedKey(data map[string]string) bool {
	for k := range data {
		if oneOf(k, "from", "message_type", "notification") || k == "" ||
			strings.HasPrefix(k, "google.") || strings.HasPrefix(k, "gcm.") {
			return true
		}
	}
	return false
}

func (m message) androidData() map[string]string {
	if m.Android == nil {
		return nil
	}
	return m.Android.Data
}

func (m message) webpushData() map[string]string {
	if m.Webpush == nil {
		return nil
	}
	return m.Webpush.Data
}

// payloadBytes counts keys and values of the data, the notification's texts, and the
// larger of the platform parts, which replace them on their platform.
func (m message) payloadBytes() int {
	n := mapBytes(m.Data)
	if m.Notification != nil {
		n += len(m.Notification.Title) + len(m.Notification.Body) + len(m.Notification.Image)
	}
	extra := mapBytes(m.androidData())
	if w := mapBytes(m.webpushData()) + jsonBytes(m.webpushNotification()); w > extra {
		extra = w
	}
	if m.Android != nil {
		extra = max(extra, mapBytes(m.Android.Data)+jsonBytes(m.Android.Notification))
	}
	if m.APNS != nil {
		extra = max(extra, jsonBytes(m.APNS.Payload))
	}
	return n + extra
}

func (m message) webpushNotification() map[string]any {
	if m.Webpush == nil {
		return nil
	}
	return m.Webpush.Notification
}

func mapBytes(data map[string]string) int {
	n := 0
	for k, v := range data {
		n += len(k) + len(v)
	}
	return n
}

func jsonBytes(v map[string]any) int {
	if v == nil {
		return 0
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return MaxPayloadBytes + 1
	}
	return len(raw)
}
