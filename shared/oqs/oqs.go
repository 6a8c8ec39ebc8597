// Package oqs writes and reads the documents that a clinic's programs and its 資格確認端末
// exchange as files: the single check (OQSsiquc01), the bulk check (OQSmuquc01, 02) and
// what the card reader pushes (OQSsiquc01res_face). Facts: reference insurance-terminal.md
// section 3.
//
// Reading is tolerant where the interface is loose and strict where two readers could see
// two things. Elements come in any order; missing, empty and unknown ones, and codes that
// are not known here, are passed over with a Remark. Refused are: more than the named
// limits, a document type or an entity, another root, a known element twice in one place,
// text and elements mixed, bytes that are not the character set they claim. Errors name
// the place, never the value.
//
// No document that lacks a word becomes "invalid": in progress (2) and abnormal ends (9)
// carry no answer, and a code that is not known is an error of the check.
package oqs

import (
	"errors"

	"madoguchi.example/shared/fault"
)

// Encoding is the character set of a document.
type Encoding string

// The character sets of the interface.
const (
	UTF8     Encoding = "utf-8"
	ShiftJIS Encoding = "shift_jis"
)

// Known tells whether e is one of the two.
func (e Encoding) Known() bool { return e == UTF8 || e == ShiftJIS }

// Limits of what is read, checked before or while it is decoded.
const (
	MaxBytes        = 256 << 10 // a single answer or a reception
	MaxBulkBytes    = 16 << 20
	MaxDepth        = 12
	MaxElements     = 4_000 // of a single answer
	MaxBulkElements = 250_000
	MaxText         = 2_000 // one element's characters
	MaxRemarks      = 100
	MaxSearches     = 2_000 // people in one bulk request
	MaxResults      = 20    // coverages told for one person
)

// MaxIdentifier is the longest ArbitraryFileIdentifier or ArbitraryIdentifier that is
// written, in bytes.
const MaxIdentifier = 50

// Remark is something odd that did not stop the reading. It holds no value of the document.
type Remark struct {
	Place string // the element's path below XmlMsg, or "line N" where it has no known name
	Code  RemarkCode
}

// RemarkCode says what was odd.
type RemarkCode string

// The remarks.
const (
	UnknownElement  RemarkCode = "unknown_element"  // passed over
	UnknownCode     RemarkCode = "unknown_code"     // kept as told
	Malformed       RemarkCode = "malformed"        // a date, time or number that cannot be read; left out
	TooLong         RemarkCode = "too_long"         // cut
	Missing         RemarkCode = "missing"          // a decisive element that should be there
	CheckDigit      RemarkCode = "check_digit"      // an insurer number with a doubt; kept
	OtherEncoding   RemarkCode = "encoding"         // the character set is not the one declared
	Contradiction   RemarkCode = "contradiction"    // two elements do not go together; the cautious one counts
	SeveralCoverage RemarkCode = "several_coverage" // more than one coverage was told for one person
)

// The words of refusals, in fault.Error.Message.
const (
	RefusedTooLarge   = "too_large"         // MaxBytes, MaxElements, MaxDepth, MaxText
	RefusedIncomplete = "incomplete"        // the document ends too early: half-written, or empty
	RefusedMarkup     = "not_well_formed"   // not XML, or text and elements mixed
	RefusedEntities   = "document_type"     // a DOCTYPE or an entity
	RefusedEncoding   = "wrong_encoding"    // not the character set it claims, or one that the interface does not have
	RefusedRoot       = "wrong_document"    // not a document of this kind
	RefusedTwice      = "element_twice"     // a known element twice in one place
	RefusedZip        = "zip"               // a password-protected archive: the terminal is set to send those
	RefusedCharacter  = "unsendable"        // Shift_JIS cannot carry a character; see UnsendableError
	RefusedValue      = "cannot_be_written" // a part of a request that the interface has no form for
)

func refuse(place, word string) error {
	code := fault.InvalidArgument
	switch word {
	case RefusedTooLarge:
		code = fault.TooLarge
	case RefusedZip, RefusedEncoding:
		code = fault.UnsupportedMedia
	}
	return fault.At(code, place, "%s", word)
}

// WordOf gives the refusal's word, or "" for other errors.
func WordOf(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message
	}
	return ""
}
