package upkeep

import "fmt"

// The kinds of fault, beside those of an archived log (archive.DamageKind).
const (
	FaultKey       = "key"       // the ledger names another object than the job's own
	FaultDetails   = "details"   // job.json is not there, or of no use
	FaultSettled   = "settled"   // settled.json is not there, or says something else
	FaultFilter    = "filter"    // the filters of a log are not there, or of no use; it is searched whole
	FaultOrphan    = "orphan"    // an object that the ledger does not know
	FaultUnremoved = "unremoved" // an object of a removed log that is there still
	FaultRemovals  = "removals"  // something is wrong with the log of removals, or between it and the ledger
	FaultManifest  = "manifest"  // a manifest is not there, or not the one that was written
	FaultRow       = "row"       // a row says something else than the bucket
	FaultUnread    = "unread"    // a log cannot be read, or is another one
)

// Fault is something that is wrong, and what became of it. A *Fault is an error.
type Fault struct {
	Kind     string `json:"kind"`
	JobID    int64  `json:"job_id,omitempty"` // 0: of no known job
	Key      string `json:"key"`
	Detail   string `json:"detail"` // for people
	Repaired bool   `json:"repaired"`
	Repair   string `json:"repair,omitempty"` // what was tried, and came of it

	// Of a row: where it is, and what it and the bucket say.
	Table    string `json:"table,omitempty"`
	Row      string `json:"row,omitempty"`
	Column   string `json:"column,omitempty"` // empty: the row as a whole
	Database string `json:"database,omitempty"`
	Bucket   string `json:"bucket,omitempty"`
}

// Error makes a fault an error, on its way to whoever counts it.
func (f *Fault) Error() string { return fmt.Sprintf("%s: %s: %s", f.Key, f.Kind, f.Detail) }
