package httpapi

import (
	"io"
	"testing"
)

// A server that is told to stop before it took its first connection stops all the same.
func TestAServerStopsThatHasHardlyBegun(t *testing.T) {
	for range 20 {
		if err := serve(t, io.Discard, nil).stop(); err != nil {
			t.Fatal(err)
		}
	}
}
