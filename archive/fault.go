package archive

import (
	"fmt"
	"strings"

	"github.com/jobvault/jobvault/archive/bucket"
)

// The kinds of fault, of all verifications, of rebuild and of reindex. Scripts read them.
const (
	// Of an archived log or a redacted copy, the most telling first: of several, the first
	// is reported. FaultAbsent is also a day without a manifest, and FaultUnreadable a
	// manifest that cannot be decompressed or parsed.
	FaultAbsent     = "absent"     // there is no object
	FaultUnreadable = "unreadable" // it is cut short, changed, or no log
	FaultDigest     = "digest"     // the log is another one
	FaultBytes      = "bytes"      // the log has another length
	FaultLines      = "lines"      // the log has another number of lines
	FaultFrames     = "frames"     // the log's frames start elsewhere
	FaultSize       = "size"       // the object has another size
	FaultObject     = "object"     // the log is whole, but its object is not the one that was stored
	FaultShorter    = "shorter"    // the log does not begin with the shorter one whose place it took

	// Of a job's other objects.
	FaultKey      = "key"      // an object that is not the job's own is named, or lies where it does not belong
	FaultDetails  = "details"  // job.json is not there, of no use, or another one
	FaultSettled  = "settled"  // settled.json is not there, or says something else
	FaultFilter   = "filter"   // the filters of a log are not there, or of no use; it is searched whole
	FaultUnlisted = "unlisted" // no manifest lists the job, or an object of it, though it is older than the last one

	// Of manifests, and of the log of removals.
	FaultHeader   = "header"   // the first line does not say what it must
	FaultLine     = "line"     // something before the line was changed, dropped or inserted
	FaultOrder    = "order"    // lines are not sorted by their jobs
	FaultEnd      = "end"      // the end line is not there, or says something else
	FaultPrevious = "previous" // the manifest before it is not the one that it followed
	FaultHead     = "head"     // a manifest is not the one that was noted
	FaultChanged  = "changed"  // a job's log is another one than in an earlier manifest
	FaultReplaced = "replaced" // job.json or settled.json is another one than in an earlier manifest: a notice
	FaultRemovals = "removals" // a record of the log of removals is not there, or another one; or the ledger tells otherwise

	// Of the bucket and the database, which archive knows nothing of.
	FaultOrphan    = "orphan"    // the ledger does not know the object
	FaultUnremoved = "unremoved" // an object of a removed log is there still
	FaultManifest  = "manifest"  // a manifest is not there, or not the one that was written
	FaultRow       = "row"       // a row says something else than the bucket
	FaultUnread    = "unread"    // a log cannot be indexed: it cannot be read, or is another one
)

// Fault is something that is wrong with an object, or with what a manifest or the
// database tells of it. It is an error, of the kind of ErrUnreadable.
type Fault struct {
	Kind   string `json:"kind"`             // one of the constants above
	Date   string `json:"date,omitempty"`   // of the manifest; empty: of none
	Line   int64  `json:"line,omitempty"`   // of the manifest, from 1; 0: all of it
	JobID  int64  `json:"job_id,omitempty"` // 0: of no job, or of the one that Key names
	Key    string `json:"key"`              // of the object
	Detail string `json:"detail"`           // for people
	// Notice: it is no fault, as verify --repair may have done it; somebody should know.
	Notice bool `json:"notice,omitempty"`
}

// Error says where and what.
func (f Fault) Error() string {
	var b strings.Builder
	if f.Date != "" {
		fmt.Fprintf(&b, "manifest %s: ", f.Date)
	}
	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", f.Line)
	}
	if f.JobID > 0 {
		fmt.Fprintf(&b, "job %d: ", f.JobID)
	}
	return b.String() + f.Kind + ": " + f.Detail
}

// Is makes a fault an ErrUnreadable.
func (f Fault) Is(target error) bool { return target == bucket.ErrUnreadable }
