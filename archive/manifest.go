package archive

import (
	"strings"
	"time"
)

// A daily manifest lists every settlement of a day, and has the digest of the manifest
// before it, so that nothing can be changed or dropped unnoticed. docs/manifests.md has
// the format.

// ManifestPrefix is what the keys of all manifests begin with.
const ManifestPrefix = "v1/manifests/"

const manifestSuffix = ".jsonl.zst"

// ManifestKey is the key of the manifest of a day.
func ManifestKey(date time.Time) string {
	return ManifestPrefix + date.Format(time.DateOnly) + manifestSuffix
}

// ParseManifestKey finds the day, a midnight in UTC, whose manifest a key names. It
// knows exactly the keys that ManifestKey makes.
func ParseManifestKey(key string) (date time.Time, ok bool) {
	name, ok := strings.CutPrefix(key, ManifestPrefix)
	if !ok {
		return time.Time{}, false
	}
	date, err := time.Parse(time.DateOnly, strings.TrimSuffix(name, manifestSuffix))
	return date, err == nil && ManifestKey(date) == key
}

// Manifest is a manifest as it is in the bucket. The chain's digest is that of its
// uncompressed bytes: `zstd -dc FILE | sha256sum`.
type Manifest struct {
	Date           time.Time
	Previous       *time.Time // the one before it; nil: it is the first
	PreviousSHA256 Digest
	SHA256         Digest // of the manifest, uncompressed
	StoredSHA256   Digest // of the object
	Jobs           int64
	StoredBytes    int64
	Whole          bool          // its lines also list settled.json and redacted copies, where there are any
	Removals       *RemovalsHead // the last record of the log of removals at that time; nil: there was none, or the manifest does not say
	Header, End    []byte        // its first and last line, where it was read
}

// manifestVersion is the version of the format. It does not change for new fields that a
// reader may ignore, because what the reader knows is true without them.
const manifestVersion = 1

// manifestLists are the kinds of objects that lines list. A header without them is from
// before they were introduced; the lines of its manifest list only logs and job.json.
var manifestLists = []string{LogName, DetailsName, SettledName, listedCopies}

const listedCopies = "redacted-N.zst"

// manifestHeader is a manifest's first line.
type manifestHeader struct {
	Manifest       int     `json:"manifest"`
	Date           string  `json:"date"`
	Previous       *string `json:"previous"`
	PreviousSHA256 *string `json:"previous_sha256"`
	// Removals is the last record of the log of removals when this was written.
	Removals *RemovalsHead `json:"removals,omitempty"`
	// Lists are the kinds of objects of a job that a line lists; if the line does not
	// list one of these, the job had no such object.
	Lists []string `json:"lists,omitempty"`
}

// ManifestLine is a settlement: what the ledger said of a job. Digests are in hex; values
// that do not exist are left out.
type ManifestLine struct {
	RepositoryID  int64     `json:"repository_id"`
	RunID         int64     `json:"run_id"`
	RunAttempt    int64     `json:"run_attempt"` // 1 where GitHub did not say
	JobID         int64     `json:"job_id"`
	State         string    `json:"state"`
	SettledAt     time.Time `json:"settled_at"`
	Reason        string    `json:"reason,omitempty"`
	HTTPStatus    int       `json:"http_status,omitempty"`
	ObjectKey     string    `json:"object_key,omitempty"`
	RawBytes      *int64    `json:"raw_bytes,omitempty"`
	StoredBytes   *int64    `json:"stored_bytes,omitempty"`
	Lines         *int64    `json:"lines,omitempty"`
	SHA256        string    `json:"sha256,omitempty"` // of the log as GitHub sent it
	StoredSHA256  string    `json:"stored_sha256,omitempty"`
	Truncated     bool      `json:"truncated,omitempty"`
	DetailsSHA256 string    `json:"details_sha256,omitempty"` // of job.json
	DetailsBytes  *int64    `json:"details_bytes,omitempty"`
	SettledSHA256 string    `json:"settled_sha256,omitempty"` // of settled.json
	SettledBytes  *int64    `json:"settled_bytes,omitempty"`

	// Redactions are the redacted copies that exist; settled.json lists those that were
	// removed, too.
	Redactions []ListedRedaction `json:"redactions,omitempty"`

	// Shorter are the logs that were archived before, by their numbers: the log begins with
	// each of them. Of a removed log, they are removed too.
	Shorter []ShorterLog `json:"shorter,omitempty"`

	// Before is the SHA-256 of all bytes of the manifest before this line.
	Before string `json:"before"`
}

// ListedRedaction is a redacted copy of a removed log.
type ListedRedaction struct {
	Number       int    `json:"number"`
	ObjectKey    string `json:"object_key"`
	RawBytes     int64  `json:"raw_bytes"`
	StoredBytes  int64  `json:"stored_bytes"`
	Lines        int64  `json:"lines"`
	SHA256       string `json:"sha256"` // of its text
	StoredSHA256 string `json:"stored_sha256"`
}

// Key is where the job is in the bucket.
func (l ManifestLine) Key() JobKey {
	return JobKey{RepositoryID: l.RepositoryID, RunID: l.RunID, RunAttempt: l.RunAttempt, JobID: l.JobID}
}

// manifestEnd is a manifest's last line.
type manifestEnd struct {
	End    bool   `json:"end"`
	Jobs   int64  `json:"jobs"`
	Before string `json:"before"`
}
