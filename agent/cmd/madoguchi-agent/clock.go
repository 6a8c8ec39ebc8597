//go:build !practice

package main

import "time"

// clock is the machine's.
func clock(func(string) string) func() time.Time { return time.Now }
