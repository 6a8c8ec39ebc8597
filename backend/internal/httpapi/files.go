package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// Files makes one GET and one HEAD route for each file of fsys below the path at
// ("/app"), and for index.html also each of the pages ("/app/", "/app/sign-in").
// There is no wildcard: what is not in fsys does not exist.
//
// Files below assets/ have their content's hash in their names and are kept for a year;
// the others are asked for again each time and answered 304 while unchanged.
//
// policy is the Content-Security-Policy of all of them.
func Files[A any](at string, fsys fs.FS, policy string, rule Rule[A], pages ...string) ([]Route, error) {
	rule.mustExist(at)
	var routes []Route
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := readStatic(fsys, name)
		if err != nil {
			return err
		}
		f.policy = policy
		paths := []string{path.Join(at, name)}
		if name == "index.html" {
			paths = append(paths, pages...)
		}
		for _, p := range paths {
			routes = append(routes, staticRoute(http.MethodGet, p, rule, f), staticRoute(http.MethodHead, p, rule, f))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the files for %s: %w", at, err)
	}
	if len(routes) == 0 {
		return nil, fmt.Errorf("cannot serve %s: %w", at, errors.New("there is no file"))
	}
	return routes, nil
}

type static struct {
	body         []byte
	etag         string
	contentType  string
	cacheControl string
	policy       string
}

func readStatic(fsys fs.FS, name string) (static, error) {
	body, err := fs.ReadFile(fsys, name)
	if err != nil {
		return static{}, err
	}
	sum := sha256.Sum256(body)
	f := static{body: body, etag: `"` + hex.EncodeToString(sum[:12]) + `"`, contentType: contentType(name), cacheControl: "no-cache"}
	if strings.HasPrefix(name, "assets/") {
		f.cacheControl = "public, max-age=31536000, immutable"
	}
	return f, nil
}

// contentType does not depend on the machine's own table for the types we serve.
func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".webmanifest":
		return "application/manifest+json"
	case ".json", ".map":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".woff2":
		return "font/woff2"
	case ".txt", ".md", "":
		return "text/plain; charset=utf-8"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}

func staticRoute[A any](method, p string, rule Rule[A], f static) Route {
	return newRoute(method, p, rule.name, func(s *Server, r Route) {
		s.handle(r, func(c *fiber.Ctx) error {
			if _, err := rule.prove(c.UserContext(), s.gate, credentialsOf(c)); err != nil {
				s.answer(c, s.problemOf(c.UserContext(), r, err))
				return nil
			}
			writeStatic(c, f)
			return nil
		})
	})
}

func writeStatic(c *fiber.Ctx, f static) {
	c.Set(fiber.HeaderContentSecurityPolicy, f.policy)
	c.Set(fiber.HeaderCacheControl, f.cacheControl)
	c.Set(fiber.HeaderETag, f.etag)
	if Matches(c.Get(fiber.HeaderIfNoneMatch), f.etag) {
		c.Status(http.StatusNotModified)
		return
	}
	c.Set(fiber.HeaderContentType, f.contentType)
	c.Response().SetBody(f.body)
}
