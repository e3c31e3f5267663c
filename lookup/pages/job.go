package pages

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

// jobPage is a job with a window of its log.
type jobPage struct {
	store.JobDetails
	Path       string
	Available  bool
	Readable   store.JobLog // the log or its redacted copy; only if Available
	Unreadable bool         // the ledger has the log, but the bucket does not have it, or has another object
	Window     window
	Next       int64 // where to look for the next error from
	Before     int64 // and for the one before
	begins     map[int64][]beginning
}

// details finds the job of the path, if the reader may see it. enter must have let
// somebody in before.
func (c *call) details(enter func() error) (store.JobDetails, error) {
	if err := enter(); err != nil {
		return store.JobDetails{}, err
	}
	ids, err := c.named()
	if err != nil {
		return store.JobDetails{}, err
	}
	d, err := c.DB.JobDetails(c.ctx(), c.number("job_id"))
	if err == nil && !slices.Contains(ids, d.Job.RepositoryID) {
		err = store.ErrNotFound
	}
	return d, err
}

// archivedJob is details, where the log is in the archive. It is for what reads all of the
// log, to which no other site may lead.
func (c *call) archivedJob() (store.JobDetails, error) {
	d, err := c.details(c.enterFromHere)
	if err == nil && lookup.CheckAvailable(d.Log) != nil {
		err = store.ErrNotFound
	}
	return d, err
}

// job is GET /{owner}/{repo}/jobs/{job_id}: with line=A or A-B, at those lines; with
// from=A, from there on.
func (c *call) job() error {
	d, err := c.details(c.enter)
	if err != nil {
		return err
	}
	p := jobPage{JobDetails: d, Path: detailsPath(d), Available: lookup.CheckAvailable(d.Log) == nil, Readable: lookup.Readable(d.Log), begins: beginnings(d.Steps)}
	if p.Available {
		release, err := c.readingSlot()
		if err != nil {
			return err
		}
		p.Window, err = c.window(d)
		release()
		if errors.Is(err, bucket.ErrUnreadable) || errors.Is(err, bucket.ErrNotFound) {
			c.Logger.WarnContext(c.ctx(), "a log could not be shown", "job", d.Job.ID, "error", err)
			p.Unreadable = true
		} else if err != nil {
			return err
		}
		p.Next, p.Before = p.Window.First, p.Window.First
		if m := p.Window.Marked; m.First != 0 {
			p.Next, p.Before = m.Last+1, m.First
		}
	}
	return c.show(http.StatusOK, "job", d.Job.Name, p)
}

// window reads the lines that a request is for. Which they are is recorded, before any
// is shown.
func (c *call) window(d store.JobDetails) (window, error) {
	q := c.req.URL.Query()
	marked, first := span{}, int64(1)
	total := *lookup.Readable(d.Log).Lines
	switch {
	case q.Get("line") != "":
		selection, err := lookup.ParseSelection(q.Get("line"))
		if err != nil {
			return window{}, fmt.Errorf("%w: line=%w", errWrongUse, err)
		}
		marked = span{selection.First, min(selection.Last, max(total, selection.First))}
		first = startOf(min(selection.First, total), total)
	case q.Get("from") != "":
		n, err := strconv.ParseInt(q.Get("from"), 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) || n < 1 {
			return window{}, fmt.Errorf("%w: from=%q: want the number of a line", errWrongUse, q.Get("from"))
		}
		first = max(1, min(n, total))
	}
	log := lookup.LayoutOf(d.Log)
	w, err := readWindow(c.ctx(), c.Sender.Archive, log, first, marked, d.Steps)
	if err == nil && marked.First > w.Last && marked.First <= total {
		// Huge lines stand before it.
		w, err = readWindow(c.ctx(), c.Sender.Archive, log, marked.First, marked, d.Steps)
	}
	if err != nil || w.Last < w.First {
		return w, err
	}
	shown := lookup.Selection{First: w.First, Last: w.Last}
	return w, c.DB.NoteRead(c.ctx(), c.reader.Subject, d.Job.ID, shown.String())
}

// raw is GET …/raw: the log as GitHub sent it, or its redacted copy, to be saved.
func (c *call) raw() error {
	d, err := c.archivedJob()
	if err != nil {
		return err
	}
	return c.Sender.Send(c.w, c.req, d.Log, lookup.Selection{}, c.reader.Subject)
}

// findPage is what was found in a log.
type findPage struct {
	store.JobDetails
	Path  string
	Query string
	Found found
	From  int64
	Back  bool
	None  string // why nothing is shown; empty: something is
}

// find is GET …/find: with q=TEXT, a list of the lines that hold it; without, on to
// the next line that the runner marks as an error or a warning, or with back=1 to
// the one before.
func (c *call) find() error {
	d, err := c.archivedJob()
	if err != nil {
		return err
	}
	p, err := c.parseFind(d)
	if err != nil {
		return err
	}
	if err := c.DB.NoteRead(c.ctx(), c.reader.Subject, d.Job.ID, "search"); err != nil {
		return err
	}
	release, err := c.readingSlot()
	if err != nil {
		return err
	}
	defer release()
	var line int64
	switch {
	case p.Query != "":
		err = c.findText(&p)
	case p.Back:
		line, err = c.findMarkedBefore(&p)
	default:
		line, err = c.findMarkedFrom(&p)
	}
	if err != nil {
		return err
	}
	if line != 0 {
		c.toLine(d, line)
		return nil
	}
	return c.show(http.StatusOK, "find", "Find in "+d.Job.Name, p)
}

// parseFind reads what to look for, and from where on. What is no number of a line
// means the first one.
func (c *call) parseFind(d store.JobDetails) (findPage, error) {
	q := c.req.URL.Query()
	from, err := strconv.ParseInt(q.Get("from"), 10, 64)
	if err != nil || from < 1 {
		from = 1
	}
	p := findPage{JobDetails: d, Path: detailsPath(d), Query: q.Get("q"), From: min(from, math.MaxInt64-1), Back: q.Get("back") != ""}
	if len(p.Query) > 1000 {
		return p, fmt.Errorf("%w: the text to look for is longer than 1000 bytes", errWrongUse)
	}
	return p, nil
}

// findText fills in the lines that have the text.
func (c *call) findText(p *findPage) error {
	each, err := containing(p.Query)
	if err != nil {
		return err
	}
	p.Found, err = forward(c.ctx(), c.Sender.Archive, lookup.LayoutOf(p.Log), p.From, each, maxFound)
	return err
}

// findMarkedBefore returns the last error or warning before a line; 0: there is none, and
// the page says so.
func (c *call) findMarkedBefore(p *findPage) (line int64, err error) {
	log := lookup.LayoutOf(p.Log)
	if line, p.Found, err = backward(c.ctx(), c.Sender.Archive, log, min(p.From, log.Lines+1)); err != nil || line != 0 {
		return line, err
	}
	p.None = fmt.Sprintf("No error and no warning before line %d.", p.From)
	if p.Found.More {
		p.None = fmt.Sprintf("No error and no warning from line %d to line %d; lines before that were not looked at yet.", p.Found.At, p.From-1)
	}
	return 0, nil
}

// findMarkedFrom returns the first error or warning from a line on; 0: there is none, and
// the page says so.
func (c *call) findMarkedFrom(p *findPage) (line int64, err error) {
	if p.Found, err = forward(c.ctx(), c.Sender.Archive, lookup.LayoutOf(p.Log), p.From, eachMarked, 1); err != nil {
		return 0, err
	}
	if len(p.Found.Lines) > 0 {
		return p.Found.Lines[0].Number, nil
	}
	p.None = fmt.Sprintf("No error and no warning from line %d on.", p.From)
	if p.Found.More {
		p.None = fmt.Sprintf("No error and no warning from line %d to line %d; lines after that were not looked at yet.", p.From, p.Found.At)
	}
	return 0, nil
}

// toLine sends the reader on to a line.
func (c *call) toLine(d store.JobDetails, line int64) {
	http.Redirect(c.w, c.req, fmt.Sprintf("%s?line=%d#L%d", detailsPath(d), line, line), http.StatusSeeOther)
}

// Further returns the address that continues the search where it ended.
func (p findPage) Further() string {
	q := url.Values{"from": {strconv.FormatInt(p.Found.At+1, 10)}}
	switch {
	case p.Query != "":
		q.Set("q", p.Query)
	case p.Back:
		q = url.Values{"from": {strconv.FormatInt(p.Found.At, 10)}, "back": {"1"}}
	}
	return p.Path + "/find?" + q.Encode()
}
