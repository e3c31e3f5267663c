package ghapi

import "strings"

// Kind is what a request asks for, for whoever counts requests.
type Kind string

// The kinds that archiving asks for, and everything else.
const (
	KindJob        Kind = "job"
	KindLog        Kind = "log"
	KindJobs       Kind = "jobs" // a page of a list of jobs
	KindRun        Kind = "run"
	KindRuns       Kind = "runs" // a page of a list of runs
	KindDeliveries Kind = "deliveries"
	KindOther      Kind = "other"
)

// kindOfPath goes by the path, below the API's base.
func kindOfPath(path string) Kind {
	path, _, _ = strings.Cut(path, "?")
	of := path[strings.LastIndex(path, "/actions/")+1:] // owners and repositories may be called so too
	of, found := strings.CutPrefix(of, "actions/")
	noun, rest, one := strings.Cut(of, "/")
	switch {
	case strings.Contains(path, "/hook") && strings.Contains(path, "/deliveries") && noun != "jobs" && noun != "runs":
		return KindDeliveries
	case !found:
		return KindOther
	case noun == "jobs" && strings.HasSuffix(rest, "/logs"):
		return KindLog
	case noun == "jobs" && one:
		return KindJob
	case noun == "runs" && strings.HasSuffix(rest, "/jobs"):
		return KindJobs
	case noun == "runs" && !one:
		return KindRuns
	case noun == "runs" && !strings.Contains(rest, "/"):
		return KindRun
	}
	return KindOther
}
