package shc

// Inflate and Deflate are for tests.
var (
	Inflate = inflate
	Deflate = deflate
)
