//go:build !windows

package tpm

import (
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"
)

// openDevice opens a TPM's device file.
func openDevice(path string) (transport.TPMCloser, error) { return linuxtpm.Open(path) }
