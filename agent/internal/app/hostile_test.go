package app_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What a code holds is text: whatever it looks like, it comes back escaped, only in the
// field for codes, under a policy that runs nothing of it.
func TestAHostileCodeIsText(t *testing.T) {
	c := enrolled(t, newOffice(t))
	c.run()
	for _, text := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</textarea><form action=//evil.example>`, "javascript:alert(1)", "https://evil.example/?q=1",
		"{{.Visitor.CSRF}}", "F9\x1b\x7f\r\nF11", "' hx-get=/print x='", strings.Repeat("A", 4096), "\xff\xfe\x00binary", "&lt;b&gt;", `<svg/onload="fetch('/lock',{method:'POST'})">`,
	} {
		status, page, header := c.do(http.MethodPost, "/verify", url.Values{"text": {text}})
		if (status != http.StatusOK && status != http.StatusUnprocessableEntity) || !strings.Contains(header.Get("Content-Security-Policy"), "script-src 'self'") || !strings.HasPrefix(header.Get("Content-Type"), "text/html; charset=utf-8") || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%.30q: %d %s", text, status, header.Get("Content-Security-Policy"))
		}
		if html.EscapeString(text) != text && strings.Contains(page, text) {
			t.Errorf("%.30q comes back as it came", text)
		}
		if strings.Contains(page, `href="javascript:`) || strings.Contains(page, `href="https://evil`) || header.Get("Location") != "" {
			t.Errorf("%.30q leads somewhere", text)
		}
	}
}
