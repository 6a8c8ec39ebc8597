package serial

import (
	"fmt"
	"strings"

	"go.bug.st/serial/enumerator"
)

// List gives the USB ports that speak as a serial line.
func List() ([]Port, error) {
	found, err := enumerator.GetDetailedPortsList()
	if err != nil {
		return nil, fmt.Errorf("cannot list the ports: %w", err)
	}
	var ports []Port
	for _, p := range found {
		if p.IsUSB {
			ports = append(ports, Port{Name: p.Name, VID: strings.ToUpper(p.VID), PID: strings.ToUpper(p.PID), SerialNumber: p.SerialNumber, Product: p.Product})
		}
	}
	return ports, nil
}
