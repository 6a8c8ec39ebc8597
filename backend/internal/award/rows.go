package award

// Rows is the storage that Office needs. store/award implements it.
type Rows interface{}
