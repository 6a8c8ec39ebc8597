package oqs_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/oqs"
)

func vector(t *testing.T, name string) []byte {
	t.Helper()
	root := os.Getenv("MADOGUCHI_VECTORS")
	for dir := "."; root == "" && len(dir) < 100; dir = filepath.Join("..", dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			root = filepath.Join(dir, "..", "shared", "vectors")
		}
	}
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Skipf("0 cases ran: no shared vectors here (%s)", name)
	}
	return b
}

// tree lists every element of a document as path=text, in order.
func tree(t *testing.T, b []byte) []string {
	t.Helper()
	var all, path []string
	text := ""
	for d := xml.NewDecoder(strings.NewReader(string(b))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			path, text = append(path, x.Name.Local), ""
			all = append(all, strings.Join(path, "/"))
		case xml.CharData:
			text += string(x)
		case xml.EndElement:
			if s := strings.TrimSpace(text); s != "" {
				all = append(all, strings.Join(path, "/")+"="+s)
			}
			path, text = path[:len(path)-1], ""
		}
	}
}

func TestVectorRequestSkeleton(t *testing.T) {
	want := tree(t, vector(t, "insurance/oqs/OQSsiquc01req_template.xml"))
	b, err := oqs.EncodePlaceholders("TODAY", "MEDCODE", "CLINICID", [6]string{"INSNUM", "INSSYMB", "IDTNUM", "", "BIRTHD", "1"})
	if err != nil {
		t.Fatal(err)
	}
	if got := tree(t, b); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	t.Logf("1 case ran: %d elements and texts", len(want))
}

func TestVectorFaceResult(t *testing.T) {
	r, err := oqs.ParseResult(vector(t, "insurance/oqs/OQSsiquc01res_face_hangilc.xml"))
	if err != nil {
		t.Fatal(err)
	}
	day := civil.Date{Year: 2023, Month: time.February, Day: 21}
	if r.Segment != oqs.Done || r.Reference != oqs.ByCard || r.ForDay != day || len(r.Items) != 1 || r.Encoding != oqs.UTF8 ||
		r.Identifier != "ArnHCeDfNjMCFzg=" || !r.ExecutedAt.Equal(time.Date(2023, 2, 21, 8, 48, 35, 0, time.UTC)) {
		t.Fatalf("the header was read as %+v", []any{r.Segment, r.Reference, r.ForDay, len(r.Items), r.Identifier, r.ExecutedAt})
	}
	c := r.Items[0].Coverage
	if string(c.Insurer) != "123456" || !reflect.DeepEqual(c.InsurerDoubts, []insurance.Doubt{insurance.DoubtCheckDigit}) {
		t.Errorf("insurer %q with %v", string(c.Insurer), c.InsurerDoubts)
	}
	if want := []oqs.Remark{{Place: "MessageBody/ResultList/ResultOfQualificationConfirmation/InsurerNumber", Code: oqs.CheckDigit}}; !reflect.DeepEqual(r.Remarks, want) {
		t.Errorf("remarks %v", r.Remarks)
	}
	a, ok := r.Answer("01890000-0000-7000-8000-000000000001", day)
	if !ok || a.Validity != eligibility.Valid || a.InsurerNumber != "123456" || a.Symbol != "12-34" || a.Number != "4260" || a.Branch != "01" ||
		a.HolderKanji != "診療　太郎" || a.HolderKana != "ｼﾝﾘｮｳ ﾀﾛｳ" || a.BirthDate.String() != "2001-03-27" {
		t.Errorf("the answer is otherwise: %v", a.Validity)
	}
	given := map[eligibility.ConsentKind]bool{}
	for _, c := range a.Consents {
		given[c.Kind] = c.Given
		if c.Given && (c.At.IsZero() || c.Until.Sub(c.At) != 24*time.Hour) {
			t.Errorf("%s: from %v until %v", c.Kind, c.At, c.Until)
		}
	}
	want := map[eligibility.ConsentKind]bool{
		eligibility.ConsentDrugs: true, eligibility.ConsentCheckups: true, eligibility.ConsentDiagnosis: false,
		eligibility.ConsentCeiling: false, eligibility.ConsentDiseases: false,
	}
	if !reflect.DeepEqual(given, want) {
		t.Errorf("consents %v", given)
	}
	if err := a.Validate(); err != nil {
		t.Error(err)
	}
	t.Log("1 case ran")
}
