//go:build !linux

package app

import "madoguchi.example/shared/wire"

// bootClock knows nothing on this system: the clock then counts as not trusted.
func bootClock() func() wire.Clock { return func() wire.Clock { return wire.Clock{} } }
