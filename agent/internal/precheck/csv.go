package precheck

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"madoguchi.example/agent/internal/check"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/jptext"
	"madoguchi.example/shared/oqs"
)

// Limits of a list of bookings, checked before and while it is read.
const (
	MaxBytes = 1 << 20
	MaxRows  = oqs.MaxSearches // people in one bulk question
	MaxAhead = 14              // days from today to a visit
	// maxFaults is how many faults are told at once.
	maxFaults = 100
)

// columns is the header, word by word.
var columns = []string{"time", "patient", "kana", "birth_date", "insurer_number", "symbol", "number", "branch", "visit_day"}

var timeForm = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

// Parse reads a list of bookings: CSV in UTF-8 with the header time, patient, kana,
// birth_date, insurer_number, symbol, number, branch, visit_day, at most MaxRows rows. Times
// are HH:MM, dates as people type them, numbers as they stand on the card. The visit is
// today or at most MaxAhead days later. Faults are joined, at most maxFaults of them, each
// placed as "line 3 column kana", each says a word of Words, and none repeats a value. IDs
// are empty.
func Parse(data []byte, today civil.Date) ([]Booking, error) {
	if len(data) > MaxBytes {
		return nil, fault.At(fault.TooLarge, placeFile, wordTooLarge)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return nil, fault.At(fault.InvalidArgument, placeFile, wordNotUTF8)
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	head, err := r.Read()
	if err != nil || !slices.Equal(head, columns) {
		return nil, fault.At(fault.InvalidArgument, "line 1", wordHeader)
	}
	t := table{today: today, seen: map[identity]bool{}}
	for len(t.faults) < maxFaults {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
			t.fail(fmt.Sprintf("line %d", wrong.Line), wordCSV)
			break
		}
		t.line, _ = r.FieldPos(0)
		if len(t.list) == MaxRows {
			return nil, fault.At(fault.TooLarge, fmt.Sprintf("line %d", t.line), wordTooMany)
		}
		t.row(record)
	}
	if err := errors.Join(t.faults...); err != nil {
		return nil, err
	}
	return t.list, nil
}

// table is a list of bookings while it is read.
type table struct {
	today  civil.Date
	line   int
	seen   map[identity]bool
	list   []Booking
	faults []error
}

func (t *table) fail(place, word string) {
	t.faults = append(t.faults, fault.At(fault.InvalidArgument, place, "%s", word))
}

func (t *table) at(column string) string { return fmt.Sprintf("line %d column %s", t.line, column) }

func (t *table) row(record []string) {
	if len(record) != len(columns) {
		t.fail(fmt.Sprintf("line %d", t.line), wordColumns)
		return
	}
	before := len(t.faults)
	for i, value := range record {
		if jptext.HoldsMyNumber(value) {
			t.faults = append(t.faults, fault.At(fault.MyNumberRefused, t.at(columns[i]), wordMyNumber))
		}
	}
	if len(t.faults) > before {
		return
	}
	b := Booking{Time: record[0], Patient: t.text("patient", record[1], check.MaxPatient), Kana: t.text("kana", record[2], check.MaxLabel)}
	if !timeForm.MatchString(b.Time) {
		t.fail(t.at("time"), wordTime)
	}
	if jptext.KanaKey(b.Kana) == "" {
		t.fail(t.at("kana"), wordRequired)
	}
	b.Inquiry = t.inquiry(record)
	if len(t.faults) > before {
		return
	}
	if who := identityOf(b); t.seen[who] {
		t.fail(fmt.Sprintf("line %d", t.line), wordTwice)
	} else {
		t.seen[who] = true
		t.list = append(t.list, b)
	}
}

func (t *table) inquiry(record []string) eligibility.Inquiry {
	birth, _, err := jptext.ParseBirthDate(record[3], t.today)
	if err != nil {
		t.fail(t.at("birth_date"), wordBirth)
	}
	insurer, _, err := insurance.ParseInsurerNumber(record[4])
	if err != nil {
		t.fail(t.at("insurer_number"), wordInsurer)
	}
	symbol, err := insurance.ParseSymbol(record[5])
	if err != nil {
		t.fail(t.at("symbol"), wordSymbol)
	}
	number, err := insurance.ParseMemberNumber(record[6])
	if err != nil {
		t.fail(t.at("number"), wordNumber)
	}
	branch, err := insurance.ParseBranch(record[7])
	if err != nil {
		t.fail(t.at("branch"), wordBranch)
	}
	visit, _, err := jptext.ParseDate(record[8])
	if err != nil || visit.Before(t.today) || visit.After(t.today.AddDays(MaxAhead)) || visit.Before(birth) {
		t.fail(t.at("visit_day"), wordVisit)
	}
	return eligibility.Inquiry{
		InsurerNumber: string(insurer), Symbol: string(symbol), Number: string(number), Branch: string(branch),
		BirthDate: birth, VisitDay: visit,
	}
}

func (t *table) text(column, value string, limit int) string {
	switch {
	case utf8.RuneCountInString(value) > limit:
		t.fail(t.at(column), wordTooLong)
	case strings.ContainsFunc(value, unicode.IsControl):
		t.fail(t.at(column), wordOneLine)
	}
	return strings.TrimSpace(value)
}
