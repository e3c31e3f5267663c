package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/search"
)

// SearchLine is a line of the answer to a search. The last line has Searched or Failed;
// an answer without such a line was cut off on its way.
type SearchLine struct {
	*search.Match
	Fault    *SearchFault  `json:"fault,omitempty"`     // a log that cannot be read
	Progress *search.Stats `json:"progress,omitempty"`  // how far the search is
	Searched *search.Stats `json:"searched,omitempty"`  // it has ended
	Next     string        `json:"next,omitempty"`      // where the search continues, for the parameter after
	Failed   string        `json:"failed,omitempty"`    // it could not go on
	CutShort string        `json:"cut_short,omitempty"` // a bound has ended it: which, and how more is asked for
}

// SearchFault is a log that cannot be read.
type SearchFault struct {
	JobID int64  `json:"job_id"`
	Error string `json:"error"`
}

// search is GET /api/v3/search: what search.ParseQuery reads. It answers in JSON
// Lines as it finds, within the bounds of search.LimitedSearcher unless limit=all is asked for.
// The header search.ParametersHeader says which parameters it has read.
func (c *call) search() {
	reader, err := c.Gate.Reader(c.req)
	if err != nil {
		c.answerError(err)
		return
	}
	q, err := search.ParseQuery(c.req.URL.Query(), c.Now())
	if err != nil {
		c.fail(http.StatusUnprocessableEntity, err.Error())
		return
	}
	if q.Jobs.Repositories, err = reader.Listed(c.req.Context(), q.Jobs.Repository); err != nil {
		c.answerError(err)
		return
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/x-ndjson; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, no-store")
	h.Set(search.ParametersHeader, strings.Join(readParameters(c.req.URL.Query()), ", "))
	out := &searchAnswer{w: lookup.Stream(c.w), written: c.Now()}
	stats, err := c.Searcher.Search(c.req.Context(), reader.Subject, q, out)
	switch {
	case errors.Is(err, lookup.ErrBusy):
		h.Set("Retry-After", "5")
		c.fail(http.StatusServiceUnavailable, "too many searches run at once")
		return
	case out.failed != nil: // the client is gone
		panic(http.ErrAbortHandler)
	}
	last := SearchLine{Searched: &stats}
	if err != nil {
		c.Logger.WarnContext(c.req.Context(), "a search could not go on", "error", err)
		last.Failed = "jobvault cannot go on now"
	}
	last.CutShort = explainBound(stats, q)
	if !stats.Complete && stats.Next != nil {
		last.Next = lookup.EncodeCursor(*stats.Next)
	}
	_ = out.write(last) // without it, the client knows
}

// readParameters are the names of those parameters that search.ParseQuery reads.
func readParameters(q url.Values) []string {
	var read []string
	for _, name := range search.ParameterNames {
		if q.Has(name) {
			read = append(read, name)
		}
	}
	return read
}

// explainBound says which bound ended an answer, and how the caller gets more. It is
// empty if no bound did.
func explainBound(stats search.Stats, q search.Query) string {
	var w string
	switch stats.Bound {
	case "":
		return ""
	case search.BoundLines:
		w = fmt.Sprintf("after %d lines", q.Limit)
		if q.CountOnly {
			w = fmt.Sprintf("after %d logs", q.Limit)
		}
	case search.BoundBytes:
		w = "after 64 MiB"
	case search.BoundTime:
		w = "after a minute"
	}
	if stats.CutLog != nil {
		w += fmt.Sprintf("; of the log of job %d only %d lines are told", stats.CutLog.JobID, stats.CutLog.Lines)
	}
	return w + "; ask for what follows with after=NEXT, or for more at once with limit=N or limit=all"
}

// searchAnswer writes what a search finds.
type searchAnswer struct {
	w       io.Writer
	written time.Time // the last line
	failed  error     // the client accepts nothing any more
}

// progressInterval is how often a search that finds nothing reports that it is still
// running.
const progressInterval = 5 * time.Second

// Matches writes a line for each match.
func (a *searchAnswer) Matches(matches []search.Match, _ bool) error {
	lines := make([]SearchLine, len(matches))
	for i := range matches {
		lines[i].Match = &matches[i]
	}
	return a.write(lines...)
}

// Fault writes a line for a log that cannot be read.
func (a *searchAnswer) Fault(f search.Fault) {
	a.failed = a.write(SearchLine{Fault: &SearchFault{f.JobID, f.Err.Error()}})
}

// Progress writes a line if none was written for progressInterval.
func (a *searchAnswer) Progress(stats search.Stats) {
	if time.Since(a.written) >= progressInterval {
		a.failed = a.write(SearchLine{Progress: &stats})
	}
}

func (a *searchAnswer) write(lines ...SearchLine) error {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	for _, l := range lines {
		if err := out.Encode(l); err != nil {
			return err
		}
	}
	a.written = time.Now()
	_, a.failed = a.w.Write(b.Bytes())
	return a.failed
}
