package apiv1

//go:generate go run madoguchi.example/mobile-api/cmd/openapi ../openapi.json

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Version of the contract. It changes when a field does.
const Version = "0.1.0"

// Declared is one operation of the contract without its types' parameters.
type Declared struct {
	Operation huma.Operation
	In, Out   reflect.Type
	document  func(huma.API)
}

func (o Op[I, O]) declare() Declared {
	return Declared{
		Operation: o.Operation,
		In:        reflect.TypeFor[I](),
		Out:       reflect.TypeFor[O](),
		document: func(api huma.API) {
			huma.Register(api, o.Operation, func(context.Context, *I) (*O, error) { return nil, nil })
		},
	}
}

// All gives every operation of the contract, in the order of the document's chapters.
func All() []Declared {
	return []Declared{
		StartSignIn.declare(), FinishSignIn.declare(), RefreshToken.declare(), SignOut.declare(),
		GetMe.declare(),
		IssueCert.declare(), ListCerts.declare(), OfferToWallet.declare(),
		AskCorrection.declare(), ListCorrections.declare(),
		ListNotice.declare(), GetNotice.declare(), ReadNotice.declare(), ResolvePush.declare(),
		ListBenefit.declare(), GetBenefit.declare(), Refuse.declare(),
		ListOffer.declare(), GetOffer.declare(), Answer.declare(),
		PutDevice.declare(), DeleteDevice.declare(),
		ListAccesses.declare(),
	}
}

// Config is the frame of the document, the same for the server and for Document. It
// names no path for the document itself: huma would add routes that have no access rule.
func Config() huma.Config {
	c := huma.DefaultConfig("Madoguchi mobile API", Version)
	c.Info.Description = "What phones ask of the public counter. Errors are RFC 9457 problem documents."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks, c.Transformers = nil, nil
	c.Formats = map[string]huma.Format{"application/json": JSON, "json": JSON}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		Bearer: {Type: "http", Scheme: "bearer", BearerFormat: "at+jwt (ES256)"},
	}
	return c
}

// Document writes the OpenAPI 3.1 document, indented, with a line feed at its end.
func Document() ([]byte, error) {
	Prepare()
	api := huma.NewAPI(Config(), nowhere{})
	for _, d := range All() {
		d.document(api)
	}
	return Render(api.OpenAPI())
}

// Render writes a document as Document does.
func Render(doc *huma.OpenAPI) ([]byte, error) {
	raw, err := doc.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("cannot write the OpenAPI document: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("cannot indent the OpenAPI document: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

type nowhere struct{}

func (nowhere) Handle(*huma.Operation, func(huma.Context))   {}
func (nowhere) ServeHTTP(http.ResponseWriter, *http.Request) {}

// JSON is the one format: no HTML escaping, and a body in which a name stands twice in
// one object is refused, because a validator and a decoder may each believe another one.
var JSON = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshalStrict}

var errJSON = errors.New("not JSON as the contract wants it")

// maxDepth is how deep arrays and objects may nest in a body.
const maxDepth = 16

func unmarshalStrict(data []byte, v any) error {
	if _, first := v.(*any); first {
		if err := unambiguous(data); err != nil {
			return err
		}
	}
	if err := json.Unmarshal(data, v); err != nil {
		return errJSON
	}
	return nil
}

func unambiguous(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := walk(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errJSON
	}
	return nil
}

func walk(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil || depth > maxDepth {
		return errJSON
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	names := map[string]bool{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			s, isName := name.(string)
			if err != nil || !isName || names[s] {
				return errJSON
			}
			names[s] = true
		}
		if err := walk(d, depth+1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errJSON
	}
	return nil
}
