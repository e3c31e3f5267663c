package upkeep

import "github.com/jobvault/jobvault/archive"

// Fault is something that a verification found wrong, and what became of it.
type Fault struct {
	archive.Fault
	Repaired bool   `json:"repaired"`
	Repair   string `json:"repair,omitempty"` // what was tried, and what came of it

	// Of a row: where it is, and what it and the bucket say.
	Table    string `json:"table,omitempty"`
	Row      string `json:"row,omitempty"`
	Column   string `json:"column,omitempty"` // empty: the row as a whole
	Database string `json:"database,omitempty"`
	Bucket   string `json:"bucket,omitempty"`
}
