package app

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"madoguchi.example/shared/wire"
)

// bootIDFile names this run of the system.
const bootIDFile = "/proc/sys/kernel/random/boot_id"

// bootClock tells the run of the operating system and for how long it has been, sleep
// included. Where the system does not tell, nothing is known.
func bootClock() func() wire.Clock {
	id, err := os.ReadFile(bootIDFile)
	boot := strings.TrimSpace(string(id))
	return func() wire.Clock {
		var t unix.Timespec
		if err != nil || boot == "" || unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
			return wire.Clock{}
		}
		return wire.Clock{Boot: boot, MonotonicMS: time.Duration(t.Nano()).Milliseconds()}
	}
}
