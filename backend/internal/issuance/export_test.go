package issuance

// ReadBundle lets the fuzz target read bundles.
var ReadBundle = readBundle
