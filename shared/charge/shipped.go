package charge

import (
	_ "embed"
	"fmt"
	"sync"
)

//go:embed shipped.json
var shipped []byte

// Shipped gives the table that comes with the program, for terminals to which no signed one
// was brought.
func Shipped() Table { return readShipped() }

var readShipped = sync.OnceValue(func() Table {
	t, err := ParseTable(shipped)
	if err != nil {
		panic(fmt.Sprintf("the table of the program is wrong: %v", err)) // a test reads it first
	}
	return t
})
