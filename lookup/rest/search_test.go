package rest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/lookup/rest"
	"github.com/jobvault/jobvault/lookup/search"
)

// searched asks for a search and takes its answer apart: how many lines were found, and
// its last line.
func (f *fixture) searched(query string) (n int, last rest.SearchLine) {
	f.T.Helper()
	a := f.get("/search?" + query)
	f.want(a, 200)
	for line := range strings.Lines(a.body) {
		last = rest.SearchLine{}
		f.Check(json.Unmarshal([]byte(line), &last))
		if last.Match != nil {
			n++
		}
	}
	if last.Searched == nil {
		f.T.Fatalf("%s has no end", query)
	}
	return n, last
}

// One answer has a bound unless it is asked for all, and says that it was cut, where it
// goes on, and how more is had.
func TestASearchAnswerIsBounded(t *testing.T) {
	f := newFixture(t)
	for id := int64(1); id <= 3; id++ {
		f.Record(f.Facts(id))
	}
	f.Log(1, []byte("2024-07-08T16:48:09.3750041Z found\n"))
	f.Log(2, bytes.Repeat([]byte("2024-07-08T16:48:09.3750041Z found\n"), 10_001))
	f.Log(3, bytes.Repeat([]byte("2024-07-08T16:48:09.3750041Z found\n"), 10))
	cut := func(query string, lines int, says, next string) {
		t.Helper()
		n, last := f.searched(query)
		if n != lines || last.CutShort != says || last.Searched.Complete != (says == "") || (last.Next != "") != (says != "") {
			t.Errorf("%s: %d lines, %+v", query, n, last)
		}
		if says == "" {
			return
		}
		if n, last = f.searched(query + "&after=" + last.Next); n == 0 || !strings.Contains(next, last.CutShort) {
			t.Errorf("%s goes on with %d lines, %+v", query, n, last)
		}
	}
	const more = "; ask for what follows with after=NEXT, or for more at once with limit=N or limit=all"
	cut("pattern=found", 10_010, "after 10000 lines; of the log of job 2 only 10000 lines are told"+more, "")
	cut("pattern=found&limit=5", 5, "after 5 lines; of the log of job 3 only 5 lines are told"+more, "after 5 lines; of the log of job 2 only 5 lines are told"+more)
	cut("pattern=found&limit=10&most=1", 3, "", "")
	cut("pattern=found&limit=2&most=1", 2, "after 2 lines"+more, "")
	cut("pattern=found&limit=2&count=1", 2, "after 2 logs"+more, "")
	cut("pattern=found&limit=all", 10_012, "", "")
	cut("pattern=found&limit=0", 10_012, "", "")
	cut("pattern=found&count=1", 3, "", "")
	cut("pattern=found&limit=10&max_count=1", 3, "", "")
	f.want(f.get("/search?pattern=x&max_count=1&most=2"), 422, "max_count=1 and most=2")
	for _, wrong := range []string{"-1", "many", "1e3", "9223372036854775808"} {
		f.want(f.get("/search?pattern=x&limit="+wrong), 422, `limit=`, `want a number of lines`)
	}
}

// An answer says which parameters it is an answer to.
func TestASearchSaysWhichParametersItHasRead(t *testing.T) {
	f := newFixture(t)
	a := f.get("/search?pattern=x&newer=1&event=push&raw=0")
	f.want(a, 200, `"searched"`, `"unknown":{"not_listed":`)
	if got := a.Header.Get(search.ParametersHeader); got != "pattern, raw, event" {
		t.Errorf("it has read %s", got)
	}
}
