package pages_test

import (
	"bytes"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/access"
)

func TestSearchShowsLinesUnderTheirJobs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for id := int64(1); id <= 3; id++ {
		f.Record(f.Facts(id))
		f.Log(id, []byte(strings.Repeat("2024-07-08T16:48:09.3750041Z nothing\n", 10)+
			fmt.Sprintf("2024-07-08T16:48:10.0000000Z <script>alert(%d)</script> \x1b[31mleaked\x1b[0m %s\n", id, strings.Repeat("x", 5000))))
	}
	f.want(f.get("/search"), 200, "<h1>Search</h1>")
	a := f.get("/search?pattern=LEAK&ignore_case=1")
	f.want(a, 200, `<a href="/acme/rocket/jobs/3">build (3)</a>`, `<a class="n" href="/acme/rocket/jobs/1?line=11#L11">11</a>`, "&lt;script&gt;alert(2)&lt;",
		"3 lines in 3 of 3 logs", "which are all", `value="LEAK"`, "</html>")
	if strings.Contains(a.body, "<script>alert") || strings.Contains(a.body, strings.Repeat("x", 2001)) || strings.Contains(a.body, "\ue000") {
		t.Errorf("%.3000s", a.body)
	}
	f.want(f.get("/search?pattern="+url.QueryEscape("(")), 400, "missing closing )")
	f.want(f.get("/search?pattern=x&since=whenever"), 400, "since=")
	f.want(f.get("/search?pattern=nowhere&repository=acme/rocket"), 200, "0 lines in 0 of 3 logs")
	f.want(f.get("/search?pattern=nowhere&event=push"), 200, "0 lines in 0 of 0 logs", "3 jobs are left out: it is not known what started them")
	var reads int
	f.Check(f.DB.Pool().QueryRow(t.Context(), `SELECT count(*) FROM reads WHERE what = 'lines found by a search'`).Scan(&reads))
	if reads != 3 {
		t.Errorf("%d readings are recorded", reads)
	}
}

func TestSearchShowsSomeOfMuchAndGoesOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	many := bytes.Repeat([]byte("2024-07-08T16:48:09.3750041Z found\n"), 100)
	for id := int64(1); id <= 40; id++ {
		f.Record(f.Facts(id))
		f.Log(id, many)
	}
	a := f.get("/search?pattern=found")
	f.want(a, 200, "There may be more in this log", "500 lines in 25 of 25 logs", "Search further")
	_, further, _ := strings.Cut(a.body, `rel="next" href="`)
	further, _, _ = strings.Cut(further, `"`)
	f.want(f.get(strings.ReplaceAll(further, "&amp;", "&")), 200, "300 lines in 15 of 15 logs", "which are all")
}

func TestSearchLooksOnlyIntoWhatMayBeRead(t *testing.T) {
	t.Parallel()
	v := testenv.NewVault(t)
	f := serve(t, v, access.Tokens(v.DB))
	f.Record(f.Facts(1))
	f.Log(1, []byte("2024-07-08T16:48:09.3750041Z secret\n"))
	a := f.get("/search?pattern=secret")
	if a.StatusCode != 303 || strings.Contains(a.body, "secret</") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// What a search finds is what pages show of a line, with the matches that escape sequences
// are in the way of, and not what was written over; a search of bytes shows these.
func TestSearchFindsWhatPagesShow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Record(f.Facts(1))
	f.Log(1, stamped("mem\x1b[31mdump\x1b[0m.py", "\x1b]8;;https://memdump.py\amem\x1b]8;;\a", "memdump.py\rnothing at all", "##[error]memdump.py", strings.Repeat("\x1b[1mx", 1000)+"memdump.py"))
	const job = "/acme/rocket/jobs/1"
	a := f.get("/search?pattern=memdump.py")
	f.want(a, 200, `<span class="x">mem<span class="term-fg31">dump</span>.py</span>`, ">##[error]memdump.py<", "xmemdump.py", "3 lines in 1 of 1 logs", `name="raw" value="1">`)
	f.want(f.get(job+"/find?q=MEMDUMP.py"), 200, "3 lines of lines 1 to 5", `#L1">1<`, `#L4">4<`, `#L5">5<`)
	f.want(f.get(job), 200, `<span class="x">mem<span class="term-fg31">dump</span>.py</span>`, `<span class="x">mem</span>`, ">nothing at all<")
	f.want(f.get("/search?raw=1&pattern=memdump.py"), 200, "␛]8;;https://memdump.py␇mem", "memdump.py␍nothing at all", "4 lines in 1 of 1 logs", `name="raw" value="1" checked>`)
	f.want(f.get("/search?raw=2&pattern=x"), 400, "raw=")
}

// What was asked for stands in the form, and is asked for again when that is sent: a filter
// that is lost would find what was left out.
func TestSearchFormSendsWhatItWasGiven(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	given := url.Values{"pattern": {"<x>"}}
	for _, name := range lookup.FilterNames {
		given.Set(name, name+`"<`)
	}
	for name, value := range map[string]string{
		"fork": "1", "log": "archived", "run": "7", "since": "7d", "until": "36h", "step": "make", "ignore_case": "1", "fixed": "1", "inverse": "1", "raw": "1",
	} {
		given.Set(name, value)
	}
	plain := url.Values{"pattern": {"x"}}
	for _, asked := range []url.Values{given, plain, {"pattern": {"x"}, "raw": {"0"}, "fixed": {"0"}, "ignore_case": {"0"}, "inverse": {"0"}, "fork": {"0"}}} {
		page := f.get("/search?" + asked.Encode())
		f.want(page, 200)
		_, form, _ := strings.Cut(page.body, `<form class="filter search"`)
		form, _, _ = strings.Cut(form, "</form>")
		sent := make(url.Values)
		for _, field := range regexp.MustCompile(`<input [^>]*name="(\w+)"[^>]* value="([^"]*)"([^>]*)>`).FindAllStringSubmatch(form, -1) {
			if field[2] != "" && (!strings.Contains(field[0], "checkbox") || strings.Contains(field[3], "checked")) {
				sent.Set(field[1], html.UnescapeString(field[2]))
			}
		}
		if chosen := regexp.MustCompile(`<select name="(\w+)">.*<option value="(\w+)" selected>`).FindStringSubmatch(form); chosen != nil {
			sent.Set(chosen[1], chosen[2])
		}
		if asked.Get("raw") == "0" { // as if it were not given
			asked = plain
		}
		if diff := cmp.Diff(asked, sent); diff != "" {
			t.Errorf("(-given +sent again):\n%s", diff)
		}
	}
}
