// Package programs carries the programmes that ship with Madoguchi: data files and nothing
// else. benefit describes the files; benefit/rule evaluates them.
package programs

import "embed"

// FS holds one directory per programme.
//
//go:embed */*.toml
var FS embed.FS
