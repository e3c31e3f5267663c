package pages

import (
	"context"
	"html/template"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

const (
	// windowLines is how many lines of a log a page shows.
	windowLines = 500
	// windowBytes is after how many bytes of a log, or of HTML made of it, a page
	// shows no more lines.
	windowBytes = 1 << 20
)

// line is a line of a log as it is shown.
type line struct {
	Number int64
	Stamp  string // time of day in UTC; empty: the line has none
	Full   string // the whole time stamp
	Kind   joblog.Kind
	HTML   template.HTML
	Begins []beginning // the steps that begin here
	Marked bool        // the page was asked for it
}

// group is lines that fold together, or one that is in none.
type group struct {
	Title *line // nil: the lines stand alone
	Lines []line
	Open  bool
}

// window is the part of a log that a page shows.
type window struct {
	First, Last int64 // lines; none if Last is less
	Total       int64
	Groups      []group
	Marked      span
}

// span is lines that a page was asked for; none if First is 0.
type span struct{ First, Last int64 }

func (s span) has(n int64) bool { return s.First != 0 && n >= s.First && n <= s.Last }

// startOf is where the window begins that shows a line with some before it.
func startOf(line, total int64) int64 {
	const before = 20
	return max(1, min(line-before, total-windowLines+1))
}

// readWindow reads the lines from first on. It asks the bucket for one range. Where
// lines are huge it ends early.
func readWindow(ctx context.Context, a *archive.Archive, log archive.LogLayout, first int64, marked span, steps []store.Step) (window, error) {
	begins := beginnings(steps)
	w := window{First: first, Last: min(first+windowLines-1, log.Lines), Total: log.Lines, Marked: marked}
	var open *group // the group that lines go into, if one was begun
	read, made := 0, 0
	err := a.ScanLines(ctx, log, w.First, w.Last, func(n int64, b []byte) error {
		if read > windowBytes || made > windowBytes {
			w.Last = n - 1
			return archive.ErrStop
		}
		l := joblog.ParseLine(b)
		kind, _ := l.Kind()
		shown := line{Number: n, Kind: kind, HTML: lineHTML(withoutKind(l.Text)), Begins: begins[n], Marked: marked.has(n)}
		read, made = read+len(b), made+len(shown.HTML)
		if !l.Time.IsZero() {
			shown.Stamp, shown.Full = l.Time.Format("15:04:05"), l.Time.Format(time.RFC3339Nano)
		}
		// A step ends the group before it.
		if len(shown.Begins) > 0 {
			open = nil
		}
		switch {
		case kind == joblog.Group:
			w.Groups = append(w.Groups, group{Title: &shown, Open: shown.Marked})
			open = &w.Groups[len(w.Groups)-1]
			return nil
		case kind == joblog.EndGroup && open != nil:
			open.Lines = append(open.Lines, shown)
			open.Open = open.Open || shown.Marked
			open = nil
			return nil
		case open != nil:
			open.Lines = append(open.Lines, shown)
			open.Open = open.Open || shown.Marked || kind == joblog.Error
			return nil
		}
		if len(w.Groups) == 0 || w.Groups[len(w.Groups)-1].Title != nil {
			w.Groups = append(w.Groups, group{})
		}
		last := &w.Groups[len(w.Groups)-1]
		last.Lines = append(last.Lines, shown)
		return nil
	})
	return w, err
}

// Before is where the window before this one begins; 0: there is none.
func (w window) Before() int64 {
	if w.First <= 1 {
		return 0
	}
	return max(1, w.First-windowLines)
}

// After is where the window after this one begins; 0: there is none.
func (w window) After() int64 {
	if w.Last >= w.Total {
		return 0
	}
	return w.Last + 1
}
