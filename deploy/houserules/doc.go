// Package houserules holds the project's rules as tests: which package may import which,
// where time and randomness come from, what every package must say of itself, and what
// must not stand in any file. It has no code to import.
package houserules
