package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
)

// TestARefusalOutlivesTheRestOfTheBody sends bodies far over the limit without looking for
// an answer before they are out, as simple clients do. They must be able to send them, and
// find the answer that refuses them, and not a broken connection.
func TestARefusalOutlivesTheRestOfTheBody(t *testing.T) {
	small := Raw(http.MethodPost, "/small", Public, func(context.Context, actor.Anyone, Request) (Response, error) {
		return Response{Status: http.StatusOK, ContentType: "text/plain"}, nil
	}).Limit(1 << 10)
	body := bytes.Repeat([]byte("x"), 6<<20)
	for _, secure := range []bool{false, true} {
		s := serve(t, io.Discard, func(c *Config) {
			if secure {
				c.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
			}
		}, small)
		for range 8 {
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			if secure {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			}
			fmt.Fprintf(conn, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", len(body))
			if _, err := conn.Write(body); err != nil {
				t.Errorf("secure %v: the sender was cut off: %v", secure, err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Errorf("secure %v: no answer: %v", secure, err)
			} else if resp.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("secure %v: status %d", secure, resp.StatusCode)
			}
			_ = conn.Close()
		}
	}
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
