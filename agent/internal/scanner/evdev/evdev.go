// Package evdev promises the codes of a scanner that acts as a keyboard, heard by the agent alone.
package evdev
