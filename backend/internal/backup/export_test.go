package backup

// SetLink has files named by link until undo is called.
func SetLink(by func(from, to string) error) (undo func()) {
	before := link
	link = by
	return func() { link = before }
}
