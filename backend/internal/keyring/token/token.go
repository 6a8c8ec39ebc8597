// Package token keeps signing keys in a PKCS #11 device: they are made there, sign there
// and never come out.
//
// The device's library is C: a program built with the tag pkcs11 needs cgo and uses it, any
// other is pure Go and says that it cannot.
package token

// Config names the device. The PIN is in a file that only the backend's user may read.
type Config struct {
	Module     string // path of the device's library
	TokenLabel string
	PINFile    string
}
