package serial

import (
	"slices"

	"madoguchi.example/agent/internal/scanner"
)

// Frames gives the codes of what was sent in pieces, silence at its end.
func Frames(sent []byte, piece int) []scanner.Scan {
	var scans []scanner.Scan
	f := framer{take: func(s scanner.Scan) { scans = append(scans, s) }}
	for chunk := range slices.Chunk(sent, piece) {
		f.Feed(chunk)
	}
	f.Silent()
	return scans
}
