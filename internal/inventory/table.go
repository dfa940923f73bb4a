package inventory
// Table placeholder
type Table struct{}
