package evdev

import (
	"slices"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/scanner/keys"
)

// EventBytes is the size of an event on this machine.
const EventBytes = eventBytes

// FaultOf is the word for an error of Open.
var FaultOf = faultOf

// Codes gives the codes of a stream of events of size bytes, read in pieces.
func Codes(layout keys.Layout, size int, stream []byte, piece int) []scanner.Scan {
	var scans []scanner.Scan
	f := framer{events: decoder{size: size}, typist: newTypist(layout, func(s scanner.Scan) { scans = append(scans, s) })}
	for chunk := range slices.Chunk(stream, piece) {
		f.Feed(chunk)
	}
	f.Silent()
	return scans
}
