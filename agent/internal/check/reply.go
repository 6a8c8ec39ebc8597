package check

import "context"

// Field is one value for the receipt computer.
type Field struct{ Name, Value string }

// Reply gives the fields of a case in the configured order; nil where there is no such case.
func (d *Desk) Reply(ctx context.Context, recordID string) []Field { return nil }
