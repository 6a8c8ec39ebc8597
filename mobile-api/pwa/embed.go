// Package pwa is the citizen app: TypeScript below src, its built files below dist, and
// what a server must know to serve them. It promises that dist is exactly what src builds
// (a test rebuilds it), that the app runs under ContentSecurityPolicy, and that it asks
// for nothing outside its own origin.
//
// A server answers GET and HEAD for every file of Files below /app/, and index.html for
// every path of Pages, with the headers of ContentSecurityPolicy and CacheControl.
package pwa

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed dist
var dist embed.FS

// ContentSecurityPolicy holds for every file. It allows no inline script or style, and the
// one Trusted Types policy through which the app starts its service worker.
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
	"connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types sw"

// Files gives the built files: index.html, sw.js, manifest.webmanifest and assets/….
func Files() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("pwa: the embedded dist is gone: " + err.Error()) // fixed when compiled
	}
	return sub
}

// Pages lists the paths that answer with index.html. "{id}" stands for one path segment of
// A-Z, a-z, 0-9, "_" and "-".
func Pages() []string {
	return []string{
		"/app/",
		"/app/sign-in",
		"/app/counter",
		"/app/certificates",
		"/app/certificates/new",
		"/app/certificates/which",
		"/app/certificates/{id}",
		"/app/corrections",
		"/app/corrections/new",
		"/app/corrections/{id}",
		"/app/notices",
		"/app/notices/{id}",
		"/app/benefits",
		"/app/benefits/{id}",
		"/app/offers/{id}",
		"/app/me",
		"/app/me/access",
		"/app/me/sign-out",
	}
}

// CacheControl gives the header's value for one of Files: names with a hash never change,
// the others are asked for anew each time.
func CacheControl(name string) string {
	if strings.HasPrefix(name, "assets/") {
		return "public, max-age=31536000, immutable"
	}
	return "no-cache"
}

// ContentType gives the header's value for one of Files.
func ContentType(name string) string {
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "html":
		return "text/html; charset=utf-8"
	case "js":
		return "text/javascript; charset=utf-8"
	case "css":
		return "text/css; charset=utf-8"
	case "webmanifest":
		return "application/manifest+json"
	case "svg":
		return "image/svg+xml"
	case "png":
		return "image/png"
	default:
		return "application/octet-stream"
	}
}
