package serial

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// List gives the USB ports that speak as a serial line. It reads what the kernel tells and
// opens none of them: that alone may wake a printer.
func List() ([]Port, error) { return listIn("/") }

// deepest is how far above a line its USB device is.
const deepest = 4

func listIn(root string) ([]Port, error) {
	class := filepath.Join(root, "sys/class/tty")
	lines, err := os.ReadDir(class)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the ports: %w", err)
	}
	var ports []Port
	for _, line := range lines {
		if !strings.HasPrefix(line.Name(), "ttyACM") && !strings.HasPrefix(line.Name(), "ttyUSB") {
			continue
		}
		device, err := filepath.EvalSymlinks(filepath.Join(class, line.Name(), "device"))
		if err != nil {
			continue // unplugged meanwhile
		}
		p := Port{Name: "/dev/" + line.Name()}
		for range deepest {
			if p.VID = attribute(device, "idVendor"); p.VID != "" {
				break
			}
			device = filepath.Dir(device)
		}
		p.VID, p.PID = strings.ToUpper(p.VID), strings.ToUpper(attribute(device, "idProduct"))
		p.SerialNumber, p.Product = attribute(device, "serial"), attribute(device, "product")
		ports = append(ports, p)
	}
	return ports, nil
}

// maxAttribute bounds what a device says of itself, in bytes.
const maxAttribute = 256

func attribute(device, name string) string {
	text, err := os.ReadFile(filepath.Join(device, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text[:min(len(text), maxAttribute)]))
}

// gone tells an error of a device that is not there any more.
func gone(err error) bool { return errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) }
