package archive

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The log of removals records in the bucket, in order, which logs were removed or
// redacted, so that a database restored from an older dump can catch up. Each record has
// the digest of the one before it. docs/removals.md has the format.

// RemovalsPrefix is what the keys of all records of the log of removals begin with.
const RemovalsPrefix = "v1/removals/"

const removalsSuffix = ".jsonl"

// RemovalsKey is the key of the record with a number, from 1.
func RemovalsKey(number int64) string {
	return fmt.Sprintf("%s%010d%s", RemovalsPrefix, number, removalsSuffix)
}

// ParseRemovalsKey finds the number of the record that a key names. It knows exactly
// the keys that RemovalsKey makes of numbers above zero.
func ParseRemovalsKey(key string) (number int64, ok bool) {
	name, ok := strings.CutPrefix(key, RemovalsPrefix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseInt(strings.TrimSuffix(name, removalsSuffix), 10, 64)
	return number, err == nil && number > 0 && RemovalsKey(number) == key
}

// RemovalsRecord is one record of the log of removals. The chain's digest is that of
// the object: `sha256sum FILE`.
type RemovalsRecord struct {
	Number         int64
	PreviousSHA256 Digest // of the record before it; all zero in the first one
	SHA256         Digest
	WrittenAt      time.Time
	Lines          []RemovalsLine
}

// RemovalsHead is the last record of the log of removals at some time. Whoever knows
// it can tell whether any record up to it was changed, dropped or added since.
type RemovalsHead struct {
	Number int64  `json:"number"` // from 1
	SHA256 Digest `json:"sha256"`
}

// RemovalsLine describes a job's removal, with all that its settled.json will say. A
// later line of the same job says more.
type RemovalsLine struct {
	RepositoryID int64   `json:"repository_id"`
	RunID        int64   `json:"run_id"`
	RunAttempt   int64   `json:"run_attempt"` // 1 where GitHub did not say
	JobID        int64   `json:"job_id"`
	Settled      Settled `json:"settled"` // with the removal, and all redacted copies that were ever made
}

// Key is where the job is in the bucket.
func (l RemovalsLine) Key() JobKey {
	return JobKey{RepositoryID: l.RepositoryID, RunID: l.RunID, RunAttempt: l.RunAttempt, JobID: l.JobID}
}

// RemovalsLineOf returns the line of a job.
func RemovalsLineOf(key JobKey, s Settled) RemovalsLine {
	return RemovalsLine{RepositoryID: key.RepositoryID, RunID: key.RunID, RunAttempt: key.RunAttempt, JobID: key.JobID, Settled: s}
}

// Steps counts what was done to the log: 0 if it is not removed; else 1, and one more for
// each redacted copy that was made and for each that was removed. Of two records of one
// job, the one with more steps is the later one.
func (s Settled) Steps() int {
	if s.Removal == nil {
		return 0
	}
	steps := 1 + len(s.Redactions)
	for _, c := range s.Redactions {
		if c.RemovedAt != nil {
			steps++
		}
	}
	return steps
}

// removalsVersion is the format's.
const removalsVersion = 1

// removalsHeader is a record's first line.
type removalsHeader struct {
	Removals       int       `json:"removals"`
	Number         int64     `json:"number"`
	PreviousSHA256 *Digest   `json:"previous_sha256"` // null in the first record
	WrittenAt      time.Time `json:"written_at"`
	Lines          int       `json:"lines"`
}

// Bounds of a record. A line is some 600 bytes, and 600 more for each redaction.
const (
	// MaxRemovalsLines is how many lines a record may have.
	MaxRemovalsLines = 1000

	fullRemovals   = 8 << 20  // bytes from which on a record takes no further line
	maxRemovals    = 32 << 20 // bytes that a reader takes
	maxRemovalLine = maxRemovals - fullRemovals - 1<<10
)
