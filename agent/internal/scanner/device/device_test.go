package device_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/scanner/device"
)

// port counts how often it is closed.
type port struct{ closed int }

func (*port) Read([]byte) (int, error) { return 0, io.EOF }

func (p *port) Close() error {
	p.closed++
	return nil
}

func TestCheckOpensAndClosesAgain(t *testing.T) {
	var p port
	opened := 0
	fail := error(nil)
	c := device.Config{
		Used: true, Now: time.Now,
		Find: func() (string, string) { return "a", "" },
		Open: func(string) (io.ReadCloser, error) {
			opened++
			if fail != nil {
				return nil, fail
			}
			return &p, nil
		},
		Fault: func(error) string { return scanner.Busy },
	}
	if h := device.New(c).Check(); !h.Ready || h.Device != "a" || h.Fault != "" || opened != 1 || p.closed != 1 {
		t.Errorf("%+v, opened %d, closed %d", h, opened, p.closed)
	}
	fail = errors.New("held")
	if h := device.New(c).Check(); h.Ready || h.Fault != scanner.Busy || p.closed != 1 {
		t.Errorf("%+v", h)
	}
	c.Used = false
	if h := device.New(c).Check(); h != (scanner.Health{}) || opened != 2 {
		t.Errorf("%+v, opened %d", h, opened)
	}
}
