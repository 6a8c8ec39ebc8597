package serial

import (
	"slices"
	"strings"

	"madoguchi.example/agent/internal/scanner"
)

// Port is a USB port that speaks as a serial line.
type Port struct {
	Name         string // /dev/ttyACM0, COM3
	VID, PID     string // of the USB device, four hexadecimal digits in capitals
	SerialNumber string
	Product      string // as the device names itself; may be empty
}

// makers are USB vendors whose serial ports are code readers: Opticon, Hand Held Products
// and Metrologic (both Honeywell), Symbol (Zebra), PSC (Datalogic), Denso Wave, Newland.
var makers = []string{"065A", "0536", "0C2E", "05E0", "05F9", "076D", "1EAB"}

// IsScanner tells a port that says it is a scanner's: by its maker or its own name. Other
// ports are a modem's or a printer's as likely, and opening one of those does harm.
func (p Port) IsScanner() bool {
	if slices.Contains(makers, strings.ToUpper(p.VID)) {
		return true
	}
	return scanner.Named(p.Product)
}

// Choose gives the name of the one port that is a scanner's. Otherwise it gives the fault,
// with the names of the ports in question: they can be set by hand.
func Choose(ports []Port) (name, fault string) {
	var sure []string
	var all []string
	for _, p := range ports {
		all = append(all, p.Name)
		if p.IsScanner() {
			sure = append(sure, p.Name)
		}
	}
	switch {
	case len(sure) == 1:
		return sure[0], ""
	case len(sure) > 1:
		return strings.Join(sure, " "), scanner.SeveralPorts
	case len(all) > 0:
		return strings.Join(all, " "), scanner.UnknownPort
	}
	return "", scanner.NoDevice
}
