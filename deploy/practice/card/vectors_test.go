package card_test

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"madoguchi.example/deploy/practice/card"
)

func vectors(t *testing.T, name string) [][]string {
	t.Helper()
	root := os.Getenv("MADOGUCHI_VECTORS")
	if root == "" {
		work := must[[]byte](t)(exec.Command("go", "env", "GOWORK").Output())
		root = filepath.Join(filepath.Dir(strings.TrimSpace(string(work))), "..", "shared", "vectors")
	}
	file, err := os.Open(filepath.Join(root, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("%s is absent: no cases ran", name)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return must[[][]string](t)(csv.NewReader(file).ReadAll())
}

// What OpenSC sent to a real daemon gets the status words and lengths that it got there. The
// trace was taken from a card without a certificate for signatures, with certificates of
// 1204 bytes.
func TestTheRecordedTraceReplays(t *testing.T) {
	rows := vectors(t, "insurance/apdu/opensc_jpki_dump_and_sign.csv")
	if rows == nil {
		return
	}
	c := newCard(t, card.Options{NoSignature: true, CertificateBytes: 1204})
	for _, row := range rows[1:] {
		data, sw := say(t, c, row[1])
		if strconv.Itoa(len(data)) != row[2] || sw != row[3] {
			t.Errorf("command %s, %s: %d bytes and %s, want %s and %s", row[0], row[1], len(data), sw, row[2], row[3])
		}
	}
	if c.Commands() != len(rows)-1 || len(c.Violations()) > 0 {
		t.Errorf("%d commands, violations %q", c.Commands(), c.Violations())
	}
	t.Logf("%d commands", len(rows)-1)
}

// Short commands of the published encodings are understood, extended ones refused.
func TestPublishedEncodingsAreToldApart(t *testing.T) {
	rows := vectors(t, "insurance/apdu/encoding_myna.csv")
	if rows == nil {
		return
	}
	c := newCard(t, card.Options{})
	for _, row := range rows[1:] {
		want := "6e00" // understood, and of a class that is unknown
		if le, _ := strconv.Atoi(row[6]); le > 255 {
			want = "6700"
		}
		if _, sw := say(t, c, row[7]); sw != want {
			t.Errorf("%s: %s, want %s", row[7], sw, want)
		}
	}
	t.Logf("%d encodings", len(rows)-1)
}
