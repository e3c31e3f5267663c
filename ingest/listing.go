package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// listing lists the runs of one repository that were created in a range of
// time, every one of them, although GitHub's listing ends at ghapi.SearchCap, may
// change from page to page, and does not always count right; and although other servers
// list all runs there are, whatever time they are asked for, see walk.go.
type listing struct {
	client *ghapi.Client
	repo   store.Repository
	// visit writes what belongs to the runs. It may get a run more than once.
	visit func(context.Context, []ghapi.Run) error
	// swept is told of each range when its runs were visited; certain says that
	// they are all, by GitHub's count.
	swept func(ctx context.Context, from, to time.Time, certain bool) error
	// confirm makes sure that the name is the repository's still.
	confirm func(context.Context) error
	pages   int              // read
	shown   int              // pages that showed that the server does not heed the range
	told    ghapi.Repository // as the runs name it
	asked   bool             // whose name it is
}

// errOtherRepository says that the name belongs to another repository now.
var errOtherRepository = errors.New("the name belongs to another repository now")

// first is what the first page of a listing said.
type first struct {
	at        time.Time // GitHub's clock
	etag      string
	runs      int // on that page
	more      bool
	unchanged bool
}

// listTries is how often a range is listed whose count does not agree.
const listTries = 3

// open lists the runs from a time to now. With the etag of the same listing, one
// that is unchanged is not read: nothing new can be in it. empty says that there was
// nothing in it then, and so nothing that tells whose it is.
func (l *listing) open(ctx context.Context, from time.Time, etag string, empty bool) (first, error) {
	var f first
	certain := false
	for try := range listTries {
		once, err := l.once(ctx, from, time.Time{}, etag)
		if err != nil {
			return first{}, err
		}
		if try == 0 {
			f = once.first
		}
		if f.unchanged {
			l.asked = !empty
			return f, l.done(ctx, from, f.at, true)
		}
		if once.capped {
			return f, l.closed(ctx, from, f.at.Truncate(time.Second).Add(time.Second))
		}
		if certain = once.agrees(); certain {
			break
		}
		etag = ""
	}
	return f, l.done(ctx, from, f.at, certain)
}

// done tells of a range, if it is known whose runs were listed: of an empty list
// that is not said.
func (l *listing) done(ctx context.Context, from, to time.Time, certain bool) error {
	if l.told.ID == 0 && !l.asked {
		if err := l.confirm(ctx); err != nil {
			return err
		}
		l.asked = true
	}
	return l.swept(ctx, from, to, certain)
}

// closed lists the runs created from one second to before another, the older
// half before the newer where they are too many.
func (l *listing) closed(ctx context.Context, from, to time.Time) error {
	certain, at := false, time.Time{}
	for range listTries {
		once, err := l.once(ctx, from, to.Add(-time.Second), "")
		if err != nil {
			return err
		}
		if once.capped {
			return l.halve(ctx, from, to)
		}
		at = once.at
		if certain = once.agrees(); certain {
			break
		}
	}
	// What has not been yet was not listed.
	if to.After(at) {
		to = at
	}
	return l.done(ctx, from, to, certain)
}

func (l *listing) halve(ctx context.Context, from, to time.Time) error {
	middle := from.Add(to.Sub(from) / 2).Truncate(time.Second)
	if !middle.After(from) {
		return &ghapi.Error{Class: ghapi.Transient, Op: "list runs of " + l.repo.FullName(), Status: http.StatusOK,
			Message: fmt.Sprintf("there are more than %d created at %s, and GitHub lists no more of them", ghapi.SearchCap, from.UTC().Format(time.RFC3339))}
	}
	if err := l.closed(ctx, from, middle); err != nil {
		return err
	}
	return l.closed(ctx, middle, to)
}

// onceListed is what one reading of a range came to.
type onceListed struct {
	first
	capped bool // there are more runs than GitHub lists
	runs   int  // different ones
	total  int  // by GitHub's count
	before int  // by its count on the first page
	shrank bool // while it was read
	walk   walk
}

// agrees tells whether all were seen. New runs push others to pages that are yet
// to come; but one that is deleted pulls others to pages that were read. A count
// that is too high may be a lie: it is read again, listTries times at most. In a walk all
// that is new comes first, so that what was there before is to be seen; and of one that
// ended with the range, the count says nothing but that.
func (o onceListed) agrees() bool {
	want := o.total
	if o.walk.ignored && !o.walk.mixed {
		want = min(o.before, o.total)
	}
	return (o.walk.passed || o.runs >= want) && !o.shrank
}

// once reads a range once, both ends included. It stops where it finds that
// GitHub will not list all: by the count, if the page is full, so that a count
// that lies does not make it halve for ever; or because the cap is reached.
func (l *listing) once(ctx context.Context, from, to time.Time, etag string) (onceListed, error) {
	var o onceListed
	seen, begin := make(map[int64]bool), l.pages+1
	for page, err := range l.client.Runs(ctx, l.repo.Owner, l.repo.Name, from, to, etag) {
		if err != nil {
			return o, err
		}
		l.pages++
		if o.at.IsZero() {
			o.before = page.Total
			o.first = first{at: page.At, etag: page.ETag, runs: len(page.Runs), more: page.More, unchanged: page.Unchanged}
		}
		if page.Unchanged {
			return o, nil
		}
		o.walk.read(page.Runs, from, to)
		if o.walk.shows {
			l.shown++
		}
		// Of what is yet to come of a walk that has passed the range, nothing is asked for.
		if !o.walk.passed && page.Total > ghapi.SearchCap && page.More && l.searched(o.walk) {
			o.capped = true
			return o, nil
		}
		runs, err := l.ours(page.Runs, from, to)
		if err != nil {
			return o, err
		}
		if err := l.visit(ctx, runs); err != nil {
			return o, err
		}
		for _, r := range page.Runs {
			seen[r.ID] = true
		}
		o.shrank = o.shrank || page.Total < o.total
		o.runs, o.total = len(seen), page.Total
		if o.walk.passed {
			o.more = o.more && l.pages > begin
			return o, nil
		}
		if o.runs >= ghapi.SearchCap && l.searched(o.walk) {
			o.capped = true
			return o, nil
		}
	}
	return o, nil
}

// ours are the runs of the page that were asked for, as far as they tell.
func (l *listing) ours(runs []ghapi.Run, from, to time.Time) ([]ghapi.Run, error) {
	var ours []ghapi.Run
	for _, r := range runs {
		if r.Repository.ID != 0 && r.Repository.ID != l.repo.ID {
			return nil, fmt.Errorf("%s: %w", l.repo.FullName(), errOtherRepository)
		}
		l.told = r.Repository
		if beforeRange(r, from) || afterRange(r, to) {
			continue
		}
		ours = append(ours, r)
	}
	return ours, nil
}
