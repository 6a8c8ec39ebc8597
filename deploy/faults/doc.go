// Package faults holds the tests that break what is around the built programs for real, and
// look whether anything that a terminal confirmed is lost, altered or taken in twice: the
// power and the disk (package amnesia), also at every step of the file's upkeep; the kernel's
// answers (strace), the connection at any byte (Toxiproxy), the network card, a copied disk.
// Each test has a control or a count that shows that it broke something. How often the loops
// go round stands in deploy/e2e/counts.toml.
package faults
