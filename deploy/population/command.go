package population

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

// Command runs `madoguchi-practice population` with its arguments. now gives the
// reference day where none is named.
func Command(args []string, stdout, stderr io.Writer, now func() time.Time) error {
	flags := flag.NewFlagSet("population", flag.ContinueOnError)
	flags.SetOutput(stderr)
	seed := flags.Uint64("seed", 1, "the same seed and day give the same people")
	residents := flags.Int("residents", 1000, "rows of residents.csv")
	asOf := flags.String("as-of", "", "reference day YYYY-MM-DD (today in Japan when empty)")
	out := flags.String("out", "", "folder to write to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *out == "" || flags.NArg() > 0 {
		return errors.New("--out names the folder; other arguments are not taken")
	}
	if *asOf == "" {
		*asOf = now().In(Japan).Format(time.DateOnly)
	}
	town, err := Generate(*seed, *residents, *asOf)
	if err != nil {
		return err
	}
	if err := town.Write(*out); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "wrote %d residents as of %s to %s\n", *residents, *asOf, *out)
	return nil
}
