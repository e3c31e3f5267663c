package pages

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/archive/ngram"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/lookup/search"
)

const (
	// searchTime bounds how long one page searches.
	searchTime = time.Minute
	// maxLines bounds how many lines a page shows, and maxLinesPerLog of one log.
	maxLines, maxLinesPerLog = 500, 20
	// maxShown is how many bytes of a line are shown.
	maxShown = 2000
)

// searchPage is a form and, once it is sent, what it finds.
type searchPage struct {
	Query         map[string]string
	Problem       string // what is wrong with the query
	FromElsewhere bool   // a link on another site led here: a search has to be asked for here
	Found         string // stands where what is found is written
}

// matchesMark is in the page after all that a reader has asked for.
const matchesMark = "\ue000found\ue000"

// searchNames are the parameters that the form has. Filters that few ask for it shows only
// if they were given, so that they are sent again.
var searchNames = append([]string{"pattern", "ignore_case", "fixed", "inverse", "raw", "step"}, lookup.FilterNames...)

// search is GET /search. Matches are sent as they are found.
func (c *call) search() error {
	if err := c.enter(); err != nil {
		return err
	}
	q := c.req.URL.Query()
	p := searchPage{Query: make(map[string]string)}
	for _, name := range searchNames {
		p.Query[name] = q.Get(name)
	}
	if q.Get("pattern") == "" {
		return c.show(http.StatusOK, "search", "Search", p)
	}
	if p.FromElsewhere = access.FromOtherSite(c.req); p.FromElsewhere { // a search costs too much to be another site's to begin
		return c.show(http.StatusOK, "search", "Search", p)
	}
	query, err := search.ParseQuery(q, c.Now())
	if err != nil {
		p.Problem = err.Error()
		return c.show(http.StatusBadRequest, "search", "Search", p)
	}
	if query.Jobs.Repositories, err = c.reader.Listed(c.ctx(), query.Jobs.Repository); err != nil {
		return err
	}
	query.CountOnly, query.MaxCount, query.Before, query.After, query.Limit = false, maxLinesPerLog, 0, 0, 0 // the page has bounds of its own
	return c.streamMatches(p, query)
}

// streamMatches sends the page up to where matches stand in it, the matches, a summary
// of the search, and the rest of the page. It fails only before the page is begun.
func (c *call) streamMatches(p searchPage, query search.Query) error {
	p.Found = matchesMark
	page, err := c.render("search", "Search", p)
	if err != nil {
		return err
	}
	before, after, _ := cutLast(page, matchesMark)
	ctx, cancel := context.WithTimeout(c.ctx(), searchTime)
	defer cancel()
	out := &matchSections{w: lookup.Stream(c.w), begin: before, show: c.templates["search"], pattern: query.Pattern}
	sum, err := c.Searcher.Search(ctx, c.reader.Subject, query, out)
	switch {
	case errors.Is(err, lookup.ErrBusy):
		return err
	case out.broken != nil, c.ctx().Err() != nil: // the reader is gone
		panic(http.ErrAbortHandler)
	}
	out.write("searched", c.summary(sum, err))
	if out.broken == nil {
		_, out.broken = io.WriteString(out.w, after)
	}
	if out.broken != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// summary says how a search ended: err is nil, or why it could not go on.
func (c *call) summary(sum search.Stats, err error) searchSummary {
	s := searchSummary{Stats: sum, OfSteps: c.req.URL.Query().Get("step") != "", Late: errors.Is(err, context.DeadlineExceeded)}
	if err != nil && !s.Late {
		c.Logger.WarnContext(c.ctx(), "a search could not go on", "error", err)
		s.Failed = true
	}
	if !sum.Complete && sum.Next != nil {
		s.Further = "/search?" + withParameter(c.req.URL.Query(), "after", lookup.EncodeCursor(*sum.Next))
	}
	return s
}

// searchSummary is what stands under all that was found.
type searchSummary struct {
	search.Stats
	OfSteps bool // only lines of steps were looked for
	Late    bool
	Failed  bool
	Further string // the address that continues the search
}

// LeftOut says how many jobs' logs were not searched since it is not known what started them.
func (e searchSummary) LeftOut() string { return lookup.SayUnknownStarts(e.Unknown) }

// Size is the size of the logs that were searched, in words.
func (e searchSummary) Size() string { return humanize.IBytes(uint64(e.RawBytes)) }

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// matchSections writes what is found into the page.
type matchSections struct {
	w       io.Writer
	begin   string // of the page, until it is written
	show    *template.Template
	pattern *ngram.Pattern
	job     int64
	lines   int
	broken  error // the client accepts nothing any more
}

// matchSection is some of what was found in one log.
type matchSection struct {
	Job   *search.Match // nil: that of the section before
	Path  string
	Lines []foundLine
	More  bool // there may be more in the log
}

// Matches writes some matches of one log, and ends the search when the page is full.
func (o *matchSections) Matches(found []search.Match, last bool) error {
	if len(found) == 0 {
		return o.stopWhenFull(last)
	}
	var s matchSection
	for _, f := range found {
		owner, name, _ := strings.Cut(f.Repository, "/")
		s.Path = jobPath(owner, name, f.JobID)
		if f.JobID != o.job {
			o.job, s.Job = f.JobID, &f
		}
		s.Lines = append(s.Lines, foundLine{f.Line, lineHTML(o.excerpt([]byte(f.Text)))})
	}
	o.lines += len(s.Lines)
	s.More = last && len(found) >= maxLinesPerLog
	if o.write("found", s); o.broken != nil {
		return o.broken
	}
	return o.stopWhenFull(last)
}

// stopWhenFull ends the search with a log when the page has its lines.
func (o *matchSections) stopWhenFull(last bool) error {
	if last && o.lines >= maxLines {
		return archive.ErrStop
	}
	return nil
}

// excerpt is the part of a line that is shown: maxShown bytes around the first match, if it
// is longer, and then without colours.
func (o *matchSections) excerpt(text []byte) []byte {
	shown := text
	if !o.pattern.Raw() {
		shown, text = joblog.ColouredText(text), joblog.VisibleText(text)
	}
	if len(text) <= maxShown {
		return shown
	}
	from := 0
	if at := o.pattern.Find(text, 1); at != nil {
		from = min(max(at[0][0]-maxShown/4, 0), len(text)-maxShown)
	}
	part := strings.ToValidUTF8(string(text[from:from+maxShown]), "") + "…"
	if from > 0 {
		part = "…" + part
	}
	return []byte(part)
}

// Fault writes nothing: the summary counts the faults.
func (o *matchSections) Fault(search.Fault) {}

// Progress begins the page, and keeps the connection alive.
func (o *matchSections) Progress(search.Stats) {
	if o.begin != "" {
		o.write("searching", nil)
	}
}

// write adds a part to the page; before the first part, it writes the page's beginning.
func (o *matchSections) write(name string, data any) {
	b := bytes.NewBufferString(o.begin)
	o.begin = ""
	if o.broken == nil {
		o.broken = o.show.ExecuteTemplate(b, name, data)
	}
	if o.broken == nil {
		_, o.broken = o.w.Write(b.Bytes())
	}
}
