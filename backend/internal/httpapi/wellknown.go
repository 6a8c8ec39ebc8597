package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/shared/cert/sdjwtvc"
	"madoguchi.example/shared/fault"
)

// Publisher gives what everybody may read in order to check certificates, each document
// with a version that changes with its content. *publication.Press implements it.
type Publisher interface {
	JWKS(ctx context.Context) (doc []byte, version string, err error)
	CRL(ctx context.Context, kid string) (doc []byte, version string, err error)
	VCIssuer(ctx context.Context) (doc []byte, version string, err error)
	StatusList(ctx context.Context, n int64) (doc []byte, version string, err error)
	Revocations(ctx context.Context) (doc []byte, version string, err error)
	Signers(ctx context.Context, use keyring.Use) (doc []byte, version string, err error)
}

// WellKnownDeps are what the routes below /.well-known need.
type WellKnownDeps struct {
	Press Publisher
	// KeyAge is how long a document of keys alone may be kept, RevocationAge one that tells
	// of revocations.
	KeyAge, RevocationAge time.Duration
}

// WellKnownRoutes serves keys and revocation lists where verifiers look for them: for
// everybody, and for every web page (SMART Health Cards section "Determining keys
// associated with an issuer" asks for CORS).
func WellKnownRoutes(d WellKnownDeps) []Route {
	keys, lists := d.KeyAge, min(d.RevocationAge, d.KeyAge)
	return []Route{
		published("/.well-known/jwks.json", "application/json", lists, func(ctx context.Context, _ Request) ([]byte, string, error) {
			return d.Press.JWKS(ctx)
		}),
		// Whoever reads a newer crlVersion in the key set asks for this list next: a cache that
		// gave the one before would leave them without an answer.
		published("/.well-known/crl/{kid}.json", "application/json", 0, func(ctx context.Context, in Request) ([]byte, string, error) {
			return d.Press.CRL(ctx, in.Param["kid"])
		}),
		published("/.well-known/jwt-vc-issuer", "application/json", keys, func(ctx context.Context, _ Request) ([]byte, string, error) {
			return d.Press.VCIssuer(ctx)
		}),
		published("/.well-known/status/{n}", sdjwtvc.StatusMediaType, lists, func(ctx context.Context, in Request) ([]byte, string, error) {
			n, err := strconv.ParseUint(in.Param["n"], 10, 31)
			if err != nil || strconv.FormatUint(n, 10) != in.Param["n"] {
				return nil, "", fault.New(fault.NotFound, "there is no such status list")
			}
			return d.Press.StatusList(ctx, int64(n))
		}),
		published("/.well-known/hcert/revocation.json", "application/json", lists, func(ctx context.Context, _ Request) ([]byte, string, error) {
			return d.Press.Revocations(ctx)
		}),
		published("/.well-known/hcert/signers.pem", pemFile, keys, func(ctx context.Context, _ Request) ([]byte, string, error) {
			return d.Press.Signers(ctx, keyring.HCERT)
		}),
		published("/.well-known/vdsnc/signers.pem", pemFile, keys, func(ctx context.Context, _ Request) ([]byte, string, error) {
			return d.Press.Signers(ctx, keyring.VDSNC)
		}),
	}
}

// pemFile is the type of certificates one behind the other (RFC 8555 section 9.1).
const pemFile = "application/pem-certificate-chain"

// published binds a document that others may keep for its age; without one they ask each
// time whether it changed.
func published(path, contentType string, age time.Duration, read func(context.Context, Request) ([]byte, string, error)) Route {
	keep := "public, no-cache"
	if age > 0 {
		keep = fmt.Sprintf("public, max-age=%d", int64(age/time.Second))
	}
	return Raw(http.MethodGet, path, Public, func(ctx context.Context, _ actor.Anyone, in Request) (Response, error) {
		doc, version, err := read(ctx, in)
		if err != nil {
			return Response{}, err
		}
		out := cached(in, contentType, ETag(path, version), doc)
		out.Header.Set("Cache-Control", keep)
		out.Header.Set("Access-Control-Allow-Origin", "*")
		out.Header.Set("Cross-Origin-Resource-Policy", "cross-origin")
		return out, nil
	})
}
