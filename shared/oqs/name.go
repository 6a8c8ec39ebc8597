package oqs

import (
	"regexp"
	"strings"
	"time"

	"madoguchi.example/shared/civil"
)

// Kind is a kind of file.
type Kind string

// The kinds.
const (
	SingleRequest  Kind = "OQSsiquc01req"
	SingleResult   Kind = "OQSsiquc01res"
	FaceResult     Kind = "OQSsiquc01res_face"
	BulkAsk        Kind = "OQSmuquc01req"
	BulkReception  Kind = "OQSmuquc01res"
	BulkCollection Kind = "OQSmuquc02req"
	BulkResult     Kind = "OQSmuquc02res"
)

// MaxFileName is the longest file name that is read, in bytes. What FileName writes from a
// suffix of MaxSuffix stays within 40 characters, which every receipt computer takes.
const (
	MaxFileName = 200
	MaxSuffix   = 22
)

// FileName gives the name of a file of the kind: its word, "_", the suffix, ".xml".
func FileName(kind Kind, suffix string) string { return string(kind) + "_" + suffix + ".xml" }

// Name is a file name, read.
type Name struct {
	Kind   Kind
	Suffix string
	Zip    bool      // an archive instead of a document
	At     time.Time // of face results: when the reader wrote it; else zero
}

var (
	nameForm = regexp.MustCompile(`^(OQS(?:si|mu)quc0[12](?:req|res))_([0-9A-Za-z_-]+)\.(xml|zip)$`)
	faceForm = regexp.MustCompile(`^face_[0-9A-Za-z-]+_([0-9]{14})$`)
)

// ParseFileName reads a name without folder; letters of either case, as Windows shares
// give them. It is false for all files that are none of the kinds.
func ParseFileName(name string) (Name, bool) {
	if len(name) > MaxFileName {
		return Name{}, false
	}
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		name = name[:dot] + strings.ToLower(name[dot:])
	}
	m := nameForm.FindStringSubmatch(name)
	if m == nil {
		return Name{}, false
	}
	n := Name{Kind: Kind(m[1]), Suffix: m[2], Zip: m[3] == "zip"}
	if face := faceForm.FindStringSubmatch(n.Suffix); n.Kind == SingleResult && face != nil {
		at, err := time.ParseInLocation(stamp, face[1], civil.Japan)
		if err != nil {
			return Name{}, false
		}
		n.Kind, n.At = FaceResult, at
	}
	switch n.Kind {
	case SingleRequest, SingleResult, FaceResult, BulkAsk, BulkReception, BulkCollection, BulkResult:
		return n, true
	}
	return Name{}, false
}

// stamp is how the interface writes times, Japan's.
const stamp = "20060102150405"
