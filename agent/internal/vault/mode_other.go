//go:build !unix

package vault

import "io/fs"

// Where files have no mode bits, the directory's access list keeps others out.
func ownerOnly(fs.FileMode) bool { return true }
