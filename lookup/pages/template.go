package pages

import (
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/store"
)

//go:embed template
var templateFiles embed.FS

// templates are the pages by name, each within the layout.
type templates map[string]*template.Template

func parseTemplates() (templates, error) {
	base, err := template.New("").Funcs(functions).ParseFS(templateFiles, "template/layout.html", "template/parts.html")
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	all := make(templates)
	for _, name := range []string{"jobs", "run", "job", "find", "overview", "uses", "search", "sign_in", "message"} {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, "template/"+name+".html")
		}
		if err != nil {
			return nil, fmt.Errorf("pages: %w", err)
		}
		all[name] = t
	}
	return all, nil
}

var functions = template.FuncMap{
	"when":         when,
	"stamp":        stamp,
	"took":         took,
	"meaning":      meaning,
	"size":         func(n *int64) string { return humanize.IBytes(uint64(*n)) },
	"comma":        humanize.Comma,
	"hex":          func(b []byte) string { return fmt.Sprintf("%x", b) },
	"short":        short,
	"outcome":      outcome,
	"valueOrEmpty": valueOrEmpty,
	"plain":        plain,
	"joined":       func(s []string) string { return strings.Join(s, ", ") },
	"jobPath":      jobPath,
	"runPath":      runPath,
	"moment":       func(t time.Time) *time.Time { return &t },
	"count":        func(n int64) *int64 { return &n },
	"number":       func(n *int64) int64 { return *n },
	"plus":         func(a, b int) int { return a + b },
	"less":         func(n int64) int64 { return n - 1 },
	"states":       func() []string { return store.LogStateNames },
	"secondsOf":    func(s float64) string { return seconds(s) },
	"seconds": func(s *float64) string {
		if s == nil {
			return ""
		}
		return seconds(*s)
	},
	"unsettled": func(c *store.Coverage) int64 { return c.Pending + c.Denied },
	"list":      func(title string, list []store.Heavy) heavyList { return heavyList{title, list} },
}

// heavyList is one of the lists of an overview.
type heavyList struct {
	Title string
	List  []store.Heavy
}

// when formats a time for people; it is empty for no time.
func when(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// stamp formats a time for machines.
func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// took is the time between two times; empty where one is not known, or they are not
// in order.
func took(from, to *time.Time) string {
	if from == nil || to == nil || to.Before(*from) {
		return ""
	}
	return duration(to.Sub(*from))
}

// duration formats a duration for people: 41s, 3m 07s, 2h 05m.
func duration(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm %02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
}

// short is the beginning of a commit.
func short(sha *string) string {
	if sha == nil {
		return ""
	}
	return (*sha)[:min(len(*sha), 8)]
}

// valueOrEmpty returns the value of a column that may be null; empty for null.
func valueOrEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// plain returns the value of a column that may be null and that anybody may have worded,
// with each character that would not be seen, or would turn others about, as a sign.
func plain(s *string) string {
	shown, _ := harmless(strings.ReplaceAll(valueOrEmpty(s), "\x1b", "\u241b"))
	return shown
}

// outcome is how a job or step ended or, if it has not, its status.
func outcome(status string, conclusion *string) string {
	if conclusion != nil {
		return *conclusion
	}
	return strings.ReplaceAll(status, "_", " ")
}

func jobPath(owner, repository string, id int64) string {
	return fmt.Sprintf("/%s/%s/jobs/%d", url.PathEscape(owner), url.PathEscape(repository), id)
}

func runPath(owner, repository string, id int64) string {
	return fmt.Sprintf("/%s/%s/runs/%d", url.PathEscape(owner), url.PathEscape(repository), id)
}

func queryEscape(s string) string { return url.QueryEscape(s) }

// detailsPath is the page of a job.
func detailsPath(d store.JobDetails) string {
	return jobPath(d.Repository.Owner, d.Repository.Name, d.Job.ID)
}
