package archive

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Names of a job's objects.
const (
	DetailsName = "job.json"     // the job as the REST API sent it
	LogName     = "log.zst"      // the log; a longer one that takes its place is "log-2.zst", and so on
	SettledName = "settled.json" // why there is no log
	FilterName  = "log.filter"   // which frames of the log to look into; made of the log; of "log-2.zst": "log-2.filter"
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

// Log is the key of the log, as it was archived first.
func (k JobKey) Log() string { return k.object(LogName) }

// LogNumbered is the key of the log with a number: 1 is Log, and each longer log that takes
// its place has the next one.
func (k JobKey) LogNumbered(number int) string { return k.object(numbered(LogName, number)) }

// numbered puts a number above 1 into the name of a log or of its filters.
func numbered(name string, number int) string {
	if number == 1 {
		return name
	}
	stem, ending, _ := strings.Cut(name, ".")
	return fmt.Sprintf("%s-%d.%s", stem, number, ending)
}

// FilterKey is the key of the filters of the log with a key.
func FilterKey(logKey string) string {
	return strings.TrimSuffix(logKey, path.Ext(LogName)) + path.Ext(FilterName)
}

// LogNumber is the number of the log, or of the filters of a log, that a key names; 0: it
// names no such object.
func LogNumber(key string) int {
	_, name, ok := ParseKey(key)
	if !ok || name != LogName && name != FilterName {
		return 0
	}
	number, _ := numberIn(path.Base(key), name)
	return number
}

// numberIn is the number in the name of a log or of its filters.
func numberIn(base, name string) (int, bool) {
	if base == name {
		return 1, true
	}
	stem, ending, _ := strings.Cut(name, ".")
	text, begins := strings.CutPrefix(base, stem+"-")
	text, ends := strings.CutSuffix(text, "."+ending)
	n, err := strconv.ParseInt(text, 10, 32)
	return int(n), begins && ends && err == nil && n > 1
}

// Redacted is the key of the redacted copy with a number, from 1.
func (k JobKey) Redacted(number int) string { return k.object(redactedName(number)) }

func redactedName(number int) string { return fmt.Sprintf("redacted-%d.zst", number) }

// LogObjects returns the keys that a removal deletes: of the logs up to a number, and of
// all that is derived from their text.
func (k JobKey) LogObjects(logs int) []string {
	var keys []string
	for n := 1; n <= logs; n++ {
		keys = append(keys, k.LogNumbered(n), FilterKey(k.LogNumbered(n)))
	}
	return keys
}

// Prefix is what the keys of all of the job's objects begin with.
func (k JobKey) Prefix() string { return k.object("") }

// Settled is the key of the record of why there is no log.
func (k JobKey) Settled() string { return k.object(SettledName) }

// Filter is the key of the filters of the frames of Log.
func (k JobKey) Filter() string { return k.object(FilterName) }

// RepositoryPrefix is what the keys of all of a repository's objects begin with.
func RepositoryPrefix(repositoryID int64) string { return fmt.Sprintf("v1/%d/", repositoryID) }

// ParseKey returns the job of a key, and which of its objects the key names: DetailsName,
// SettledName, RedactedName, or, whatever its number (see LogNumber), LogName or FilterName.
// ok is true for exactly the keys that JobKey and FilterKey make of ids and numbers above
// zero.
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
	name, made := parseName(parts[5])
	// ParseInt takes signs and leading zeros; the keys have none.
	if name == "" || k.object(made) != key {
		return JobKey{}, "", false
	}
	return k, name, true
}

// parseName returns what ParseKey calls an object with this name, and the name as it is
// made; empty: it is no object's.
func parseName(base string) (name, made string) {
	if base == DetailsName || base == SettledName {
		return base, base
	}
	for _, name := range []string{LogName, FilterName} {
		if number, ok := numberIn(base, name); ok {
			return name, numbered(name, number)
		}
	}
	if number, ok := redactedNumber(base); ok {
		return RedactedName, redactedName(number)
	}
	return "", ""
}

// redactedNumber is the number in the name of a redacted copy.
func redactedNumber(name string) (int, bool) {
	text, copied := strings.CutPrefix(name, "redacted-")
	text, ending := strings.CutSuffix(text, ".zst")
	n, err := strconv.ParseInt(text, 10, 32)
	return int(n), copied && ending && err == nil && n > 0
}
