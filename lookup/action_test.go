package lookup_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

func TestParseAction(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for s, want := range map[string]store.ActionFilter{
		"a/b":                               {Action: "a/b"},
		"a/b/c/d@v1":                        {Action: "a/b/c/d", Ref: "v1"},
		"docker://ghcr.io/a/b":              {Action: "docker://ghcr.io/a/b"},
		"docker://docker.io/library/x:14":   {Action: "docker://x", Ref: "14"},
		"docker://ghcr.io/a/b@" + digest:    {Action: "docker://ghcr.io/a/b", Digest: digest},
		"docker://ghcr.io/a/b:v1@" + digest: {Action: "docker://ghcr.io/a/b", Ref: "v1", Digest: digest},
	} {
		got, err := lookup.ParseAction(s)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", s, err, diff)
		}
	}
	for _, s := range []string{"", "a", "a/", "/b", "a//b", "docker://", "docker://a b", "docker://a@sha256:1"} {
		if got, err := lookup.ParseAction(s); err == nil || !strings.Contains(err.Error(), "want ") {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
}

// Who asks is told what is not known, also if nothing was found.
func TestGapsOfUses(t *testing.T) {
	f := newFixture(t)
	use := func(id int64, u *joblog.Usage) {
		f.job(id)
		f.settle(store.Settlement{JobID: id, State: store.LogNone, Usage: u})
	}
	use(1, &joblog.Usage{Actions: []joblog.Action{{Line: 1, Name: "a/b", Ref: "v1"}}, ActionsCut: 1})
	use(2, &joblog.Usage{Actions: []joblog.Action{{Line: 1, Name: "a/b", Ref: "v1"}}})
	f.job(3)
	f.settle(store.Settlement{JobID: 3, State: store.LogMissing, Asked: true})
	for action, want := range map[string][]string{
		"a/b": {
			"1 job whose log is not archived may have used it", "1 job whose log tells of more actions than are kept may have used it",
			"2 jobs used it at a commit or digest that the log does not say",
		},
		"a/none": {"1 job whose log is not archived may have used it", "1 job whose log tells of more actions than are kept may have used it"},
	} {
		uses, err := lookup.FindUses(t.Context(), f.db, store.ActionFilter{Action: action})
		f.check(err)
		if got := uses.Gaps(); !slices.Equal(got, want) {
			t.Errorf("%s: %q", action, got)
		}
	}
	byEvent, err := lookup.FindUses(t.Context(), f.db, store.ActionFilter{Action: "a/b", Event: "push"})
	f.check(err)
	if got := byEvent.Gaps(); len(byEvent.Uses) > 0 || !slices.Contains(got, "2 jobs used it in runs of which it is not known what started them: no listing has told") {
		t.Errorf("by what started runs: %+v, %q", byEvent.Uses, got)
	}
	uses, err := lookup.FindUses(t.Context(), f.db, store.ActionFilter{Action: "a/b", Since: time.Now().Add(time.Hour)})
	f.check(err)
	if got := uses.Gaps(); len(got) > 0 {
		t.Errorf("of no job: %q", got)
	}
	many := lookup.Uses{Unknown: store.UnknownUses{Unread: store.MaxUnknown}}
	if got := many.Gaps(); len(got) != 1 || !strings.HasPrefix(got[0], "10000 or more jobs ") {
		t.Errorf("%q", got)
	}
}
