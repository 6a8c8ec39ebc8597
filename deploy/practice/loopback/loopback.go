// Package loopback promises that a practice server is reachable from this machine alone.
//
// Practice servers hand out identities without asking for a secret. They therefore listen
// on loopback addresses only, and answer only requests whose Host is a loopback name, so
// that no page of another site can reach them through a name of its own.
package loopback

import (
	"fmt"
	"net"
	"net/http"
)

// Listen opens a TCP listener on a loopback address ("127.0.0.1:8070", "[::1]:0"). Every
// other address is refused, also one that names no host.
func Listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: it must be host:port", address)
	}
	if !isLoopback(host) {
		return nil, fmt.Errorf("cannot listen on %q: practice servers listen on loopback addresses only", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", address, err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		l.Close()
		return nil, fmt.Errorf("cannot listen on %q: the name does not lead to this machine's loopback", address)
	}
	return l, nil
}

// Guard answers 421 to every request whose Host is not a loopback name.
func Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !isLoopback(host) {
			http.Error(w, "this server answers to loopback names only", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
