package sdjwtvc

// Deflate is for tests.
var Deflate = deflate
