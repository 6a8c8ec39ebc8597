//go:build !linux

package doctor

func fastCommit(string) bool { return false }
