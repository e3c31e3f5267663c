package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/jobvault/jobvault/lookup"
)

// SearchLine is a line of the answer to a search. The last one has Searched or Failed;
// an answer without either was cut off on its way.
type SearchLine struct {
	*lookup.Found
	Fault    *SearchFault     `json:"fault,omitempty"`     // a log that cannot be read
	Progress *lookup.Searched `json:"progress,omitempty"`  // how far the search is
	Searched *lookup.Searched `json:"searched,omitempty"`  // it has ended
	Next     string           `json:"next,omitempty"`      // where it goes on, for the parameter after
	Failed   string           `json:"failed,omitempty"`    // it could not go on
	CutShort string           `json:"cut_short,omitempty"` // a bound has ended it: which, and how more is asked for
}

// SearchFault is a log that cannot be read.
type SearchFault struct {
	JobID int64  `json:"job_id"`
	Error string `json:"error"`
}

// search is GET /api/v3/search: what lookup.ParseSearch reads. It answers in JSON
// Lines as it finds, within the bounds of lookup.Searcher unless limit=all is asked for.
func (c *call) search() {
	reader, err := c.Gate.Reader(c.req)
	if err != nil {
		c.refuse(err)
		return
	}
	q, err := lookup.ParseSearch(c.req.URL.Query(), c.Now())
	if err != nil {
		c.fail(http.StatusUnprocessableEntity, err.Error())
		return
	}
	if q.Jobs.Repositories, err = reader.Listed(c.req.Context(), q.Jobs.Repository); err != nil {
		c.refuse(err)
		return
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/x-ndjson; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, no-store")
	out := &searchAnswer{w: lookup.Stream(c.w), told: c.Now()}
	sum, err := c.Searcher.Search(c.req.Context(), reader.Subject, q, out)
	switch {
	case errors.Is(err, lookup.ErrBusy):
		h.Set("Retry-After", "5")
		c.fail(http.StatusServiceUnavailable, "too many searches run at once")
		return
	case out.failed != nil: // the client is gone
		panic(http.ErrAbortHandler)
	}
	last := SearchLine{Searched: &sum}
	if err != nil {
		c.Logger.WarnContext(c.req.Context(), "a search could not go on", "error", err)
		last.Failed = "jobvault cannot go on now"
	}
	last.CutShort = cutWords(sum, q)
	if !sum.Complete && sum.Next != nil {
		last.Next = lookup.EncodePlace(*sum.Next)
	}
	_ = out.write(last) // without it, the client knows
}

// cutWords says that, and how, an answer was cut; empty: it was not.
func cutWords(sum lookup.Searched, q lookup.Search) string {
	var w string
	switch sum.Bound {
	case "":
		return ""
	case lookup.BoundLines:
		w = fmt.Sprintf("after %d lines", q.Limit)
		if q.CountOnly {
			w = fmt.Sprintf("after %d logs", q.Limit)
		}
	case lookup.BoundBytes:
		w = "after 64 MiB"
	case lookup.BoundTime:
		w = "after a minute"
	}
	if sum.CutLog != nil {
		w += fmt.Sprintf("; of the log of job %d only %d lines are told", sum.CutLog.JobID, sum.CutLog.Lines)
	}
	return w + "; ask for what follows with after=NEXT, or for more at once with limit=N or limit=all"
}

// searchAnswer writes what a search tells.
type searchAnswer struct {
	w      io.Writer
	told   time.Time
	failed error
}

// tellEvery is how often a search that finds nothing says that it goes on.
const tellEvery = 5 * time.Second

func (a *searchAnswer) Found(found []lookup.Found, _ bool) error {
	lines := make([]SearchLine, len(found))
	for i := range found {
		lines[i].Found = &found[i]
	}
	return a.write(lines...)
}

func (a *searchAnswer) Fault(f lookup.SearchFault) {
	a.failed = a.write(SearchLine{Fault: &SearchFault{f.JobID, f.Err.Error()}})
}

func (a *searchAnswer) Progress(sum lookup.Searched) {
	if time.Since(a.told) >= tellEvery {
		a.failed = a.write(SearchLine{Progress: &sum})
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
	a.told = time.Now()
	_, a.failed = a.w.Write(b.Bytes())
	return a.failed
}
