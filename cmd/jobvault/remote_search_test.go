package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/lookup/search"
)

// A jobvault that does not know a filter passes over it: what it finds is not printed.
// Older ones do not say what they know.
func TestASearchThatPassesOverAFilterIsNotBelieved(t *testing.T) {
	const older = "pattern, limit, repository, step"
	for _, c := range []struct {
		says  string // the header; empty: none
		flags []string
		want  string // what it is too old for
	}{
		{"", []string{"--repo=acme/rocket", "--step=make", "-i", "-C2"}, ""},
		{"", []string{"--event=push"}, "--event"},
		{"", []string{"--actor=mona"}, "--actor"},
		{"", []string{"--fork", "--raw", "-c"}, "--fork, --raw"},
		{older, []string{"--repo=acme/rocket", "--step=make"}, ""},
		{older, []string{"--repo=acme/rocket", "--branch=main"}, "--branch"},
		{older + ", event,actor, fork,raw", []string{"--event=push", "--actor=mona", "--fork", "--raw"}, ""},
		{older, []string{"-m1", "-l"}, "--count, --max-count"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if c.says != "" {
				w.Header().Set(search.ParametersHeader, c.says)
			}
			fmt.Fprintln(w, `{"job_id":1,"repository":"acme/rocket","job":"build","line":5,"text":"found"}`)
			fmt.Fprintln(w, `{"searched":{"logs":1,"matched":1,"lines":1,"complete":true}}`)
		}))
		var out, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"grep", "found", "--server", server.URL}, c.flags...), &out, &stderr)
		server.Close()
		if c.want == "" && (code != 0 || out.Len() == 0) {
			t.Errorf("%q to %q: %d, %s%s", c.flags, c.says, code, out.String(), stderr.String())
		}
		if c.want != "" && (code != grepFailed || out.Len() > 0 || !strings.HasSuffix(strings.TrimSpace(stderr.String()), "this jobvault is too old for "+c.want)) {
			t.Errorf("%q to %q: %d, %s%s", c.flags, c.says, code, out.String(), stderr.String())
		}
	}
}
