// Command build writes the citizen app's built files. It promises that mobile-api/pwa/dist
// afterwards holds exactly what mobile-api/pwa/src builds:
//
//	go run ./mobile-api/pwa/build
package main

import (
	"fmt"
	"os"

	"madoguchi.example/mobile-api/pwa/internal/bundle"
)

func main() {
	n, err := bundle.Write("mobile-api/pwa")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d files in mobile-api/pwa/dist\n", n)
}
