package archive

import (
	"fmt"
	"strconv"
	"strings"
)

// Names of a job's objects.
const (
	DetailsName = "job.json"     // the job as the REST API sent it
	LogName     = "log.zst"      // the log
	SettledName = "settled.json" // why there is no log
	FilterName  = "log.filter"   // which frames of the log to look into; made of the log
)

// RedactedName is the name that ParseKey returns for a redacted copy of a log, whatever
// its number; the object is "redacted-N.zst".
const RedactedName = "redacted.zst"

// JobKey names a job in the bucket. It has ids only, because names change and may hold
// any character.
type JobKey struct {
	RepositoryID int64
	RunID        int64
	RunAttempt   int64 // 1 where GitHub did not say
	JobID        int64
}

func (k JobKey) object(name string) string {
	const usual = 96 // bytes
	key := append(make([]byte, 0, usual), "v1/"...)
	for _, id := range [...]int64{k.RepositoryID, k.RunID, k.RunAttempt, k.JobID} {
		key = append(strconv.AppendInt(key, id, 10), '/')
	}
	return string(append(key, name...))
}

// Details is the key of the job as the REST API sent it.
func (k JobKey) Details() string { return k.object(DetailsName) }

// Log is the key of the log.
func (k JobKey) Log() string { return k.object(LogName) }

// Redacted is the key of the redacted copy with a number, from 1.
func (k JobKey) Redacted(number int) string { return k.object(fmt.Sprintf("redacted-%d.zst", number)) }

// LogObjects returns the keys that a removal deletes: of the log, and of all that is
// derived from its text.
func (k JobKey) LogObjects() []string { return []string{k.Log(), k.Filter()} }

// Prefix is what the keys of all of the job's objects begin with.
func (k JobKey) Prefix() string { return k.object("") }

// Settled is the key of the record of why there is no log.
func (k JobKey) Settled() string { return k.object(SettledName) }

// Filter is the key of the filters of the log's frames.
func (k JobKey) Filter() string { return k.object(FilterName) }

// RepositoryPrefix is what the keys of all of a repository's objects begin with.
func RepositoryPrefix(repositoryID int64) string { return fmt.Sprintf("v1/%d/", repositoryID) }

// ParseKey returns the job of a key, and which of its objects the key names: DetailsName,
// LogName, SettledName, FilterName or RedactedName. ok is true for exactly the keys that
// JobKey makes of ids and numbers above zero.
func ParseKey(key string) (k JobKey, name string, ok bool) {
	parts := strings.Split(key, "/")
	if len(parts) != 6 || parts[0] != "v1" {
		return JobKey{}, "", false
	}
	for i, id := range []*int64{&k.RepositoryID, &k.RunID, &k.RunAttempt, &k.JobID} {
		n, err := strconv.ParseInt(parts[i+1], 10, 64)
		if err != nil || n <= 0 {
			return JobKey{}, "", false
		}
		*id = n
	}
	name = parts[5]
	made := k.object(name)
	switch name {
	case DetailsName, LogName, SettledName, FilterName:
	default:
		number, ok := redactedNumber(name)
		if !ok {
			return JobKey{}, "", false
		}
		name, made = RedactedName, k.Redacted(number)
	}
	// ParseInt takes signs and leading zeros; the keys have none.
	if made != key {
		return JobKey{}, "", false
	}
	return k, name, true
}

// redactedNumber is the number in the name of a redacted copy.
func redactedNumber(name string) (int, bool) {
	text, copied := strings.CutPrefix(name, "redacted-")
	text, ending := strings.CutSuffix(text, ".zst")
	n, err := strconv.ParseInt(text, 10, 32)
	return int(n), copied && ending && err == nil && n > 0
}
