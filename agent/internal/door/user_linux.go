package door

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
)

// maxTable bounds what is read of the kernel's table of connections, in bytes.
const maxTable = 8 << 20

// userOf asks the kernel which user of this machine holds the other end of the request's
// connection; -1 where it does not tell. A cookie goes to every port of its host, so that a
// program of another user could have been given it: it is no use to that user.
func (e *entrance) userOf(r *http.Request) int {
	if e.lan {
		return -1
	}
	there, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !there.Addr().Unmap().IsLoopback() {
		return -1
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil {
		return -1
	}
	here, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return -1
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		uid := holder(io.LimitReader(f, maxTable), there, here)
		_ = f.Close()
		if uid >= 0 {
			return uid
		}
	}
	return -1
}

// holder finds the user of the socket from there to here in a table of the kernel, -1 where
// it is not in it.
func holder(table io.Reader, there, here netip.AddrPort) int {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		f := bytes.Fields(lines.Bytes())
		if len(f) < 8 || addressOf(f[1]) != plain(there) || addressOf(f[2]) != plain(here) {
			continue
		}
		if uid, err := strconv.Atoi(string(f[7])); err == nil {
			return uid
		}
	}
	return -1
}

func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// addressOf reads 0100007F:1F9A, words in the machine's own order.
func addressOf(text []byte) netip.AddrPort {
	host, port, ok := bytes.Cut(text, []byte(":"))
	if !ok {
		return netip.AddrPort{}
	}
	raw, err := hex.DecodeString(string(host))
	number, portErr := strconv.ParseUint(string(port), 16, 16)
	if err != nil || portErr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	a, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.AddrPort{}
	}
	return plain(netip.AddrPortFrom(a, uint16(number)))
}
