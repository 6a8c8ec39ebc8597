//go:build practice

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// clockFile names the file that says how far the practice clock is ahead of the machine's,
// as a Go duration. A demonstration writes it; what is installed is built without this.
const clockFile = "MADOGUCHI_PRACTICE_CLOCK"

// clock is the machine's, put forward by what stands in the file at each call. An absent
// file puts it forward by nothing; one that cannot be read ends the program, since a time
// that was made up would be stored.
func clock(getenv func(string) string) func() time.Time {
	file := getenv(clockFile)
	if file == "" {
		return time.Now
	}
	return func() time.Time {
		ahead, err := readClock(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, "cannot read the practice clock:", err)
			os.Exit(1)
		}
		return time.Now().Add(ahead)
	}
}

func readClock(file string) (time.Duration, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return time.ParseDuration(strings.TrimSpace(string(raw)))
}
