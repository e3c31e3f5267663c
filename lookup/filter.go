package lookup

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jobvault/jobvault/store"
)

// FilterNames are the parameters that a list of jobs is filtered by, in pages and in the
// API. The parameter after, which continues a list, comes on top of these.
var FilterNames = []string{"repository", "workflow", "branch", "commit", "conclusion", "status", "label", "runner", "event", "actor", "fork", "log", "run", "since", "until"}

// ParseFilter reads the parameters of FilterNames, and after.
func ParseFilter(q url.Values, now time.Time) (store.JobFilter, error) {
	f := store.JobFilter{
		Repository: q.Get("repository"), Workflow: q.Get("workflow"), Branch: q.Get("branch"), SHA: q.Get("commit"), Status: q.Get("status"),
		Conclusion: q.Get("conclusion"), Label: q.Get("label"), Runner: q.Get("runner"), LogState: q.Get("log"), Event: q.Get("event"), Actor: q.Get("actor"),
	}
	if f.LogState != "" && !slices.Contains(store.LogStateNames, f.LogState) {
		return f, fmt.Errorf("log=%q: want one of %s", f.LogState, strings.Join(store.LogStateNames, ", "))
	}
	var err error
	if f.Fork, err = parseFork(q.Get("fork")); err != nil {
		return f, err
	}
	if run := q.Get("run"); run != "" {
		if f.RunID, err = strconv.ParseInt(run, 10, 64); err != nil || f.RunID < 1 {
			return f, fmt.Errorf("run=%q: want the id of a workflow run", run)
		}
	}
	if f.Since, err = ParseTime(q.Get("since"), now); err != nil {
		return f, fmt.Errorf("since=%w", err)
	}
	if f.Until, err = ParseTime(q.Get("until"), now); err != nil {
		return f, fmt.Errorf("until=%w", err)
	}
	if after := q.Get("after"); after != "" {
		cursor, err := decodeCursor(after)
		if err != nil {
			return f, err
		}
		f.After = &cursor
	}
	return f, nil
}

// parseFork reads the parameter fork, which is 1 or 0 (the default). Which runs are not
// from a fork cannot be asked: of many it is not known.
func parseFork(s string) (bool, error) {
	switch s {
	case "1":
		return true, nil
	case "", "0":
		return false, nil
	}
	return false, fmt.Errorf("fork=%q: want 1 or 0", s)
}

// EncodeCursor writes a cursor for the parameter after: MICROSECONDS.ID, or .ID where the
// time is not known.
func EncodeCursor(p store.Cursor) string {
	at := ""
	if !p.CreatedAt.IsZero() {
		at = strconv.FormatInt(p.CreatedAt.UnixMicro(), 10)
	}
	return at + "." + strconv.FormatInt(p.ID, 10)
}

func decodeCursor(s string) (store.Cursor, error) {
	at, id, ok := strings.Cut(s, ".")
	var p store.Cursor
	var micro int64
	var err error
	if at != "" {
		micro, err = strconv.ParseInt(at, 10, 64)
		p.CreatedAt = time.UnixMicro(micro)
	}
	if err == nil {
		p.ID, err = strconv.ParseInt(id, 10, 64)
	}
	const tooFar = 1 << 57 // microseconds; Postgres has no such times
	if err != nil || !ok || micro > tooFar || micro < -tooFar {
		return p, fmt.Errorf("after=%q is no place in a list", s)
	}
	return p, nil
}
