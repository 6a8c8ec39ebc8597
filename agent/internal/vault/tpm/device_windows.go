package tpm

import (
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/windowstpm"
)

// openDevice opens the machine's TPM, which Windows knows without a path.
func openDevice(string) (transport.TPMCloser, error) { return windowstpm.Open() }
