// Package mrz promises the machine readable zones of travel documents.
package mrz

// filler is the character of empty places.
const filler = '<'
