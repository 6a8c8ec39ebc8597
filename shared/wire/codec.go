package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sync"

	"github.com/klauspost/compress/zstd"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/internal/strictjson"
)

// BatchContentType is the media type of an encoded Batch.
const BatchContentType = "application/vnd.madoguchi.batch+zstd"

// Sizes of whole messages in bytes, checked before anything is decoded.
const (
	MaxCompressedBatch = MaxBatchBytes + 4<<10 // incompressible records and zstd's frame
	MaxReceiptBytes    = 256 << 10
	MaxAnswersBytes    = MaxAnswers*(MaxAnswerBytes*4/3+256) + 4<<10 // base64 and names
	MaxEnrolmentBytes  = 8 << 10
	MaxNonceBytes      = 1 << 10
)

// RecordOverhead is how many bytes a record takes in a batch beside its Body, at most.
const RecordOverhead = 384

// batchOverhead is what a batch takes beside its records, at most: Health and short members.
const batchOverhead = MaxHealthBytes + 1<<10

// BatchBudget is how many bytes of records (Body and RecordOverhead each) fit into a batch.
const BatchBudget = MaxBatchBytes - batchOverhead

// Limits of a batch's members beside its records, and of a receipt's.
const (
	MaxBehind   = 1_000_000_000                    // records that wait beside those of the batch
	MaxOffsetMS = int64(100 * 366 * 24 * 3600_000) // either way, of a clock: a hundred years
	MaxMarks    = 16                               // in a receipt
	MaxNonce    = 256                              // bytes of a nonce
)

var (
	uuidForm  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	nameForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)
	nonceForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,256}$`)
)

// WantsAnswer tells whether the backend will send an Answer for the record: it is an
// eligibility check, and not one that the clinic's own terminal is asked for. An answer
// does not come either once a later amendment has taken the record back.
func (r Record) WantsAnswer() bool {
	if r.Kind != KindEligibilityCheck {
		return false
	}
	var body struct {
		Route string `json:"route"`
	}
	return json.Unmarshal(r.Body, &body) != nil || body.Route != RouteTerminal
}

// Validate checks one record by itself: forms and sizes, not the meaning of Body.
func (r Record) Validate() error {
	switch {
	case !uuidForm.MatchString(r.ID):
		return fault.At(fault.InvalidArgument, "id", "must be a UUID version 7 in lower case")
	case !nameForm.MatchString(r.Epoch):
		return fault.At(fault.InvalidArgument, "epoch", "must be a short name in lower case")
	case r.Sequence == 0 || r.Sequence > MaxSequence:
		return fault.At(fault.InvalidArgument, "seq", "must count from 1, to %d at most", int64(MaxSequence))
	case !nameForm.MatchString(string(r.Kind)):
		return fault.At(fault.InvalidArgument, "kind", "must be a short name in lower case")
	case r.At.IsZero() || r.At.Year() < 2000 || r.At.Year() > 9998:
		return fault.At(fault.InvalidArgument, "at", "must be a time of this age")
	case len(r.Body) > MaxRecordBytes:
		return fault.At(fault.TooLarge, "body", "must be at most %d bytes", MaxRecordBytes)
	case !json.Valid(r.Body):
		return fault.At(fault.InvalidArgument, "body", "must be JSON")
	}
	return nil
}

// EncodeAnswers writes a page of answers for the terminal.
func EncodeAnswers(a Answers) ([]byte, error) { return encodeJSON(a) }

// DecodeAnswers reads a page of answers, tolerantly as DecodeReceipt does. Cursors must
// rise strictly and end at or below the page's Cursor.
func DecodeAnswers(data []byte) (Answers, error) {
	var a Answers
	if err := tolerant("answers", data, MaxAnswersBytes, &a); err != nil {
		return Answers{}, err
	}
	if len(a.Answers) > MaxAnswers {
		return Answers{}, fault.At(fault.TooLarge, "answers", "must be at most %d", MaxAnswers)
	}
	if a.Cursor > MaxCursor { // no backend takes it back
		return Answers{}, fault.At(fault.InvalidArgument, "cursor", "must be at most %d", int64(MaxCursor))
	}
	last := uint64(0)
	for i, one := range a.Answers {
		place := fmt.Sprintf("answers[%d]", i)
		switch {
		case one.Cursor <= last || one.Cursor > a.Cursor:
			return Answers{}, fault.At(fault.InvalidArgument, place+".cursor", "must rise strictly")
		case len(one.Sealed) > MaxAnswerBytes:
			return Answers{}, fault.At(fault.TooLarge, place+".sealed", "must be at most %d bytes", MaxAnswerBytes)
		}
		last = one.Cursor
	}
	return a, nil
}

// DecodeEligibilityCheck reads the body of KindEligibilityCheck, strictly.
func DecodeEligibilityCheck(body []byte) (EligibilityCheck, error) {
	var c EligibilityCheck
	if err := strict("body", body, MaxRecordBytes, &c); err != nil {
		return EligibilityCheck{}, err
	}
	switch {
	case c.Route != "" && c.Route != "payer" && c.Route != RouteTerminal:
		return c, fault.At(fault.InvalidArgument, "body.route", "must be a route")
	case c.Route == RouteTerminal && (c.Payer != "" || len(c.Sealed) > 0):
		return c, fault.At(fault.InvalidArgument, "body.payer", "must be empty where the clinic's own terminal is asked")
	case c.Route != RouteTerminal && !nameForm.MatchString(c.Payer):
		return c, fault.At(fault.InvalidArgument, "body.payer", "must be a payer's name")
	case c.VisitDay.IsZero():
		return c, fault.At(fault.InvalidArgument, "body.visit_day", "must be given")
	case c.Route != RouteTerminal && len(c.Sealed) == 0:
		return c, fault.At(fault.InvalidArgument, "body.sealed", "must be given")
	case c.Amends != "" && !isRecordID(c.Amends):
		return c, fault.At(fault.InvalidArgument, "body.amends", "must be a record's id")
	case len(c.Cause) > 64, len(c.Evidence) > 64, len(c.Operator) > 64:
		return c, fault.At(fault.TooLarge, "body", "codes and handles are at most 64 bytes")
	}
	return c, nil
}

// RouteTerminal is eligibility.RouteTerminal: the payer is not asked, and nothing is sealed.
const RouteTerminal = "terminal"

// DecodeEligibilityOutcome reads the body of KindEligibilityOutcome, strictly.
func DecodeEligibilityOutcome(body []byte) (EligibilityOutcome, error) {
	var o EligibilityOutcome
	if err := strict("body", body, MaxRecordBytes, &o); err != nil {
		return EligibilityOutcome{}, err
	}
	switch {
	case !isRecordID(o.Of):
		return o, fault.At(fault.InvalidArgument, "body.of", "must be a record's id")
	case o.VisitDay.IsZero():
		return o, fault.At(fault.InvalidArgument, "body.visit_day", "must be given")
	case o.Validity == "" || len(o.Validity) > 64 || len(o.Cause) > 64:
		return o, fault.At(fault.InvalidArgument, "body", "must hold an outcome of at most 64 bytes")
	case o.WaitedMS < 0:
		return o, fault.At(fault.InvalidArgument, "body.waited_ms", "must not be negative")
	}
	return o, nil
}

// DecodeEligibilityAmendment reads the body of KindEligibilityAmendment, strictly.
func DecodeEligibilityAmendment(body []byte) (EligibilityAmendment, error) {
	var a EligibilityAmendment
	if err := strict("body", body, MaxRecordBytes, &a); err != nil {
		return EligibilityAmendment{}, err
	}
	switch {
	case !isRecordID(a.Of):
		return a, fault.At(fault.InvalidArgument, "body.of", "must be a record's id")
	case a.By != "" && (!isRecordID(a.By) || a.By == a.Of):
		return a, fault.At(fault.InvalidArgument, "body.by", "must be another record's id, or empty")
	case a.Reason == "" || len(a.Reason) > 64 || len(a.Operator) > 64:
		return a, fault.At(fault.InvalidArgument, "body.reason", "must be given; codes and handles are at most 64 bytes")
	}
	return a, nil
}

func isRecordID(s string) bool { return uuidForm.MatchString(s) }

// DecodeCertificateVerification reads the body of KindCertificateVerification, strictly.
func DecodeCertificateVerification(body []byte) (CertificateVerification, error) {
	var c CertificateVerification
	if err := strict("body", body, MaxRecordBytes, &c); err != nil {
		return CertificateVerification{}, err
	}
	if c.Format == "" || len(c.Format) > 64 || c.Outcome == "" || len(c.Outcome) > 64 || c.Day.IsZero() {
		return c, fault.At(fault.InvalidArgument, "body", "must name format, outcome and day")
	}
	return c, nil
}

// DecodeEnrolment reads an enrolment, strictly. Only the outer object is strict: the
// public key is a JWK, whose reader is the backend's.
func DecodeEnrolment(data []byte) (Enrolment, error) {
	var e Enrolment
	if err := strict("enrolment", data, MaxEnrolmentBytes, &e); err != nil {
		return Enrolment{}, err
	}
	if e.Code == "" || len(e.Code) > 64 || len(e.PublicKey) == 0 || e.Recipient == "" {
		return Enrolment{}, fault.At(fault.InvalidArgument, "enrolment", "must hold code, public key and recipient")
	}
	return e, nil
}

// DecodeEnrolled reads the answer to an enrolment, tolerantly.
func DecodeEnrolled(data []byte) (Enrolled, error) {
	var e Enrolled
	if err := tolerant("enrolled", data, MaxEnrolmentBytes, &e); err != nil {
		return Enrolled{}, err
	}
	if !nameForm.MatchString(e.Terminal) {
		return Enrolled{}, fault.At(fault.InvalidArgument, "enrolled.terminal", "must be a terminal's handle")
	}
	return e, nil
}

// Digest names a record's content: equal digests are the same record, and the same ID
// with another digest is a Conflict. It is SHA-256 over the label "madoguchi record 0" and
// the members in the order of Record, each after its length (8 bytes, big-endian); At
// counts in microseconds, and Body is taken compact.
func Digest(r Record) [sha256.Size]byte {
	h := sha256.New()
	for _, part := range [][]byte{
		[]byte("madoguchi record 0"), []byte(r.ID), []byte(r.Epoch), number(r.Sequence),
		[]byte(r.Kind), number(uint64(r.At.UnixMicro())), Compact(r.Body),
	} {
		_, _ = h.Write(number(uint64(len(part))))
		_, _ = h.Write(part)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Compact gives JSON without blanks between its parts, the form that is stored and sent.
// What is not JSON is given back as it is.
func Compact(body []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(body))
	if json.Compact(&b, body) != nil {
		return body
	}
	return b.Bytes()
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // else a Body's bytes would change on the way
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("cannot write JSON: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func strict(place string, data []byte, limit int, into any) error {
	if len(data) > limit {
		return fault.At(fault.TooLarge, place, "must be at most %d bytes", limit)
	}
	if err := strictjson.Decode(data, into); err != nil {
		return fault.At(fault.InvalidArgument, place, "%s", err.Error())
	}
	return nil
}

func tolerant(place string, data []byte, limit int, into any) error {
	if len(data) > limit {
		return fault.At(fault.TooLarge, place, "must be at most %d bytes", limit)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(into); err != nil {
		return fault.At(fault.InvalidArgument, place, "must be JSON of the agreed shape")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.At(fault.InvalidArgument, place, "must be one JSON value")
	}
	return nil
}

func messageOf(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Message
	}
	return "is wrong"
}

// Both codecs are safe for concurrent use through EncodeAll and DecodeAll and keep
// nothing between calls.
var (
	encoder = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(256<<10))
	})
	decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(MaxBatchBytes),
			zstd.WithDecoderMaxWindow(512<<10))
	})
)
