package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// MaxArgs is the largest size in bytes of one job's arguments as JSON: a batch names its
// things by handle.
const MaxArgs = 64 << 10

// maxNumber is the largest whole number that PostgreSQL's driver carries unchanged inside
// JSON: it goes through a float.
const maxNumber = 1 << 53

var kindForm = regexp.MustCompile(`\A[a-z][a-z0-9_]+\z`)

var errNumber = errors.New("a number is beyond 2^53 and would be rounded: write it as text")

// checkKind keeps kinds to two or more of a-z, 0-9 and _.
func checkKind(a Args) error {
	if !kindForm.MatchString(a.Kind()) {
		return fmt.Errorf("the job kind %q is not two or more of a-z, 0-9, _", a.Kind())
	}
	return nil
}

// checkArgs proves that the arguments come out of both engines as they went in.
func checkArgs(a Args) error {
	if err := checkKind(a); err != nil {
		return err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if len(text) > MaxArgs {
		return fmt.Errorf("the arguments have %d bytes, at most %d are taken", len(text), MaxArgs)
	}
	return checkNumbers(text)
}

func checkNumbers(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		number, ok := token.(json.Number)
		if !ok {
			continue
		}
		if f, err := strconv.ParseFloat(number.String(), 64); err != nil || f > maxNumber || f < -maxNumber {
			return errNumber
		}
	}
}
