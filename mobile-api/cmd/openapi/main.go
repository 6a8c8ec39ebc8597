// Command openapi writes the OpenAPI document of the mobile API to the file it is given.
package main

import (
	"fmt"
	"os"

	"madoguchi.example/mobile-api/apiv1"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: openapi FILE")
	}
	doc, err := apiv1.Document()
	if err != nil {
		return err
	}
	if err := os.WriteFile(args[0], doc, 0o644); err != nil {
		return fmt.Errorf("cannot write the document: %w", err)
	}
	return nil
}
