package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

const (
	goodSHA = "1111111111111111111111111111111111111111"
	evilSHA = "2222222222222222222222222222222222222222"
)

func usage(sha string, inSetup bool) *joblog.Usage {
	return &joblog.Usage{
		Environment: joblog.Environment{
			RunnerVersion: "2.317.0", RunnerName: "r", RunnerGroup: "g", Machine: "m", OS: "Ubuntu 22.04.4 LTS", CacheMode: "read-only", ActionsLocked: new(true), WorkflowRef: "a/b/c.yml@x",
		},
		Permissions:    []joblog.Permission{{Scope: "Contents", Level: "read"}, {Scope: "Contents", Level: "write"}},
		Actions:        []joblog.Action{{Line: 9, Name: "Tj-Actions/changed-files", Ref: "v45", SHA: sha, InSetup: inSetup}, {Line: 10, Name: "acme/mono", Path: "a/b", Ref: "main"}, {Line: 11, Kind: joblog.PulledImage, Name: "docker://ghcr.io/acme/lint", Ref: "v4", InSetup: true}},
		Annotations:    []joblog.Annotation{{Line: 12, Level: joblog.Error, Message: "it broke", File: "a.go", FileLine: 3}},
		AnnotationsCut: joblog.LevelCounts{Errors: 1, Warnings: 2},
	}
}

// usedBy archives a job of a repository, whose log tells of the usage.
func (f *fixture) usedBy(id, repository int64, created time.Time, u *joblog.Usage) {
	f.t.Helper()
	facts := factsOf(id, store.StatusCompleted)
	facts.Repository = store.Repository{ID: repository, Owner: "acme", Name: []string{"", "rocket", "other"}[repository], SeenAt: day}
	facts.Run.ID, facts.Run.RepositoryID, facts.Job.RunID, facts.Job.RepositoryID = 100*repository, repository, 100*repository, repository
	facts.Run.WorkflowName = new("CI")
	facts.Job.CreatedAt = &created
	f.fetch(facts)
	s := archivedAs(id)
	s.Usage = u
	f.settle(s)
}

func TestUsesOfAnAction(t *testing.T) {
	f := newFixture(t)
	f.usedBy(1, 1, day, usage(goodSHA, true))
	f.usedBy(2, 1, day.Add(time.Hour), usage(evilSHA, true))
	f.usedBy(3, 1, day.Add(2*time.Hour), usage(evilSHA, true))
	f.usedBy(4, 2, day.Add(3*time.Hour), usage(evilSHA, false))
	use := func(repository, sha string, jobs, first, last int64, inSetup bool) store.ActionUse {
		at := func(job int64) *time.Time { return new(day.Add(time.Duration(job-1) * time.Hour)) }
		return store.ActionUse{
			Action: "Tj-Actions/changed-files", Ref: "v45", SHA: &sha, Repository: repository, Workflow: new("CI"), Jobs: jobs, FirstJob: first, LastJob: last,
			FirstUsedAt: at(first), LastUsedAt: at(last), InSetup: inSetup,
		}
	}
	other, evil, good := use("acme/other", evilSHA, 1, 4, 4, false), use("acme/rocket", evilSHA, 2, 2, 3, true), use("acme/rocket", goodSHA, 1, 1, 1, true)
	const name = "tj-actions/CHANGED-files"
	for what, c := range map[string]struct {
		filter store.ActionFilter
		want   []store.ActionUse
	}{
		"all":                  {store.ActionFilter{Action: name}, []store.ActionUse{other, evil, good}},
		"under a tag":          {store.ActionFilter{Action: name, Ref: "v45"}, []store.ActionUse{other, evil, good}},
		"at a commit":          {store.ActionFilter{Action: name, Ref: evilSHA}, []store.ActionUse{other, evil}},
		"its beginning":        {store.ActionFilter{Action: name, Ref: "1111111"}, []store.ActionUse{good}},
		"too little of it":     {store.ActionFilter{Action: name, Ref: "111"}, nil},
		"another ref":          {store.ActionFilter{Action: name, Ref: "v4%"}, nil},
		"by a repository":      {store.ActionFilter{Action: name, Repository: "acme/OTHER"}, []store.ActionUse{other}},
		"since":                {store.ActionFilter{Action: name, Since: day.Add(3 * time.Hour)}, []store.ActionUse{other}},
		"of what may be read":  {store.ActionFilter{Action: name, Repositories: []int64{2}}, []store.ActionUse{other}},
		"a path that it lacks": {store.ActionFilter{Action: name + "/sub"}, nil},
		"nobody's":             {store.ActionFilter{Action: "a/b"}, nil},
	} {
		got, err := f.db.ActionUses(t.Context(), c.filter)
		f.check(err)
		if diff := cmp.Diff(c.want, got); diff != "" && len(c.want)+len(got) > 0 {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	mono, err := f.db.ActionUses(t.Context(), store.ActionFilter{Action: "acme/mono/A/b", Repository: "acme/other"})
	f.check(err)
	if len(mono) != 1 || *mono[0].Path != "a/b" || mono[0].SHA != nil {
		t.Errorf("%+v", mono)
	}
	if _, err := f.db.ActionUses(t.Context(), store.ActionFilter{Action: "x"}); err == nil {
		t.Error("no name of an action is taken for one")
	}
}

func TestUsageIsWrittenOnceAndReadAgain(t *testing.T) {
	f := newFixture(t)
	f.usedBy(1, 1, day, usage(goodSHA, true))
	f.usedBy(2, 1, day, nil) // of before jobvault knew how
	unread := func(again bool) []int64 {
		t.Helper()
		logs, err := f.db.LogsToReindex(t.Context(), 0, again, 10)
		f.check(err)
		var ids []int64
		for _, l := range logs {
			ids = append(ids, l.JobID)
		}
		return ids
	}
	if diff := cmp.Diff([][]int64{{2}, {1, 2}}, [][]int64{unread(false), unread(true)}); diff != "" {
		t.Errorf("unread (-want +got):\n%s", diff)
	}
	digest := archivedAs(2).Object.SHA256
	if recorded, err := f.db.RecordIndex(t.Context(), 2, []byte("another log's"), nil, usage(goodSHA, true), 5000); err != nil || recorded {
		t.Errorf("another log's index: %v, %v", recorded, err)
	}
	if got := unread(false); len(got) != 1 {
		t.Errorf("what another log tells was taken for this one's: %v", got)
	}
	for range 2 { // again is harmless
		if recorded, err := f.db.RecordIndex(t.Context(), 2, digest[:], nil, usage(evilSHA, true), 5000); err != nil || !recorded {
			t.Errorf("its index: %v, %v", recorded, err)
		}
	}
	if got := unread(false); len(got) != 0 {
		t.Errorf("unread still: %v", got)
	}
	var rows string
	f.check(f.db.Pool().QueryRow(t.Context(), `
		SELECT concat_ws(' | ', (SELECT string_agg(concat_ws(',', seq, kind, action, path, ref, left(resolved_sha, 2), log_line, in_setup), ' ' ORDER BY seq) FROM job_actions WHERE job_id = 2),
			(SELECT string_agg(scope || level, ' ') FROM job_permissions WHERE job_id = 2),
			(SELECT string_agg(concat_ws(',', log_line, level, message, tolerated, file, file_line), ' ') FROM job_annotations WHERE job_id = 2),
			(SELECT concat_ws(',', runner_version, runner_name, runner_group, machine, os, image, cache_mode, actions_locked, defined_from, annotations_cut, errors_cut, warnings_cut, notices_cut)
			 FROM job_environment WHERE job_id = 2))`).Scan(&rows))
	want := "0,action,Tj-Actions/changed-files,v45,22,9,t 1,action,acme/mono,a/b,main,10,f 2,image,docker://ghcr.io/acme/lint,v4,11,t" +
		" | Contentsread | 12,error,it broke,f,a.go,3 | 2.317.0,r,g,m,Ubuntu 22.04.4 LTS,read-only,t,log,3,1,2,0"
	if rows != want {
		t.Errorf("%s\nwant\n%s", rows, want)
	}
}

// versionsOfUsage are the transactions that have written the rows of what jobs used.
const versionsOfUsage = `
	SELECT string_agg(row, ' ' ORDER BY row) FROM (
		SELECT concat_ws('/', 'action', job_id, seq, xmin) AS row FROM job_actions UNION ALL SELECT concat_ws('/', 'permission', job_id, scope, xmin) FROM job_permissions
		UNION ALL SELECT concat_ws('/', 'annotation', job_id, log_line, xmin) FROM job_annotations UNION ALL SELECT concat_ws('/', 'environment', job_id, xmin) FROM job_environment
	) rows`

// What a log tells once more changes no row, and what it tells no more has none.
func TestUsageThatIsTheSameIsNotWritten(t *testing.T) {
	f := newFixture(t)
	f.usedBy(1, 1, day, usage(goodSHA, true))
	f.rollUp()
	before := f.text(versionsOfUsage)
	digest := archivedAs(1).Object.SHA256
	record := func(u *joblog.Usage) {
		t.Helper()
		if recorded, err := f.db.RecordIndex(t.Context(), 1, digest[:], nil, u, 5000); err != nil || !recorded {
			t.Fatalf("%v, %v", recorded, err)
		}
	}
	record(usage(goodSHA, true))
	if after := f.text(versionsOfUsage); before != after {
		t.Errorf("%s\nbecame\n%s", before, after)
	}
	if n := f.text(`SELECT ((SELECT count(*) FROM action_pending) + (SELECT count(*) FROM action_invalidated))::text`); n != "0" {
		t.Errorf("%s notes for the sums", n)
	}
	record(&joblog.Usage{Permissions: []joblog.Permission{{Scope: "Contents", Level: "write"}}, Annotations: []joblog.Annotation{{Line: 13, Level: joblog.Warning}}})
	got := f.text(`SELECT concat_ws(' ', (SELECT count(*) FROM job_actions), (SELECT string_agg(level, ',') FROM job_permissions),
		(SELECT string_agg(concat_ws('/', log_line, level, message), ',') FROM job_annotations), (SELECT count(runner_version) + count(defined_from) FROM job_environment))`)
	if got != "0 write 13/warning/ 0" {
		t.Errorf("%s", got)
	}
}

// text is the one value of a query.
func (f *fixture) text(query string, args ...any) (s string) {
	f.t.Helper()
	f.check(f.db.Pool().QueryRow(f.t.Context(), query, args...).Scan(&s))
	return s
}

func TestUsesOfAnImage(t *testing.T) {
	f := newFixture(t)
	const name = "docker://ghcr.io/acme/lint"
	old, now := "sha256:"+goodSHA, "sha256:"+evilSHA
	pull := func(kind joblog.ActionKind, ref, digest string) *joblog.Usage {
		return &joblog.Usage{Actions: []joblog.Action{{Line: 1, Kind: kind, Name: name, Ref: ref, Digest: digest, InSetup: true}}}
	}
	f.usedBy(1, 1, day, pull(joblog.PulledImage, "v4", old))
	f.usedBy(2, 1, day.Add(time.Hour), pull(joblog.PulledImage, "v4", now))
	f.usedBy(3, 2, day.Add(2*time.Hour), pull(joblog.ContainerImage, now, now))
	f.usedBy(4, 2, day.Add(3*time.Hour), pull(joblog.PulledImage, "v5", ""))
	for _, when := range []string{"before they are summed up", "after that"} {
		for what, c := range map[string]struct {
			filter store.ActionFilter
			want   string
		}{
			"all":               {store.ActionFilter{Action: name}, "4 3 2 1"},
			"by tag":            {store.ActionFilter{Action: name, Ref: "v4"}, "2 1"},
			"by digest":         {store.ActionFilter{Action: name, Digest: now}, "3 2"},
			"by both":           {store.ActionFilter{Action: name, Ref: "v4", Digest: old}, "1"},
			"by another digest": {store.ActionFilter{Action: name, Digest: "sha256:0"}, ""},
			"another image":     {store.ActionFilter{Action: name + "er"}, ""},
			"since":             {store.ActionFilter{Action: name, Since: day.Add(90 * time.Minute)}, "4 3"},
		} {
			uses, err := f.db.ActionUses(t.Context(), c.filter)
			f.check(err)
			var jobs []string
			for _, u := range uses {
				jobs = append(jobs, fmt.Sprint(u.LastJob))
			}
			if got := strings.Join(jobs, " "); got != c.want {
				t.Errorf("%s, %s: jobs %q, want %q", what, when, got, c.want)
			}
		}
		if got := f.text(`SELECT string_agg(concat_ws('/', repository, jobs), ' ' ORDER BY repository) FROM action_uses WHERE image_digest = $1`, now); got != "acme/other/1 acme/rocket/1" {
			t.Errorf("%s the view says %s", when, got)
		}
		f.rollUp()
	}
}

// What has no text is no signature of a failure, nor is what was allowed to fail.
func TestSignaturesAreOfTheJobsErrors(t *testing.T) {
	f := newFixture(t)
	f.usedBy(1, 1, day, &joblog.Usage{Annotations: []joblog.Annotation{
		{Line: 1, Level: joblog.Error, Message: "broke 7\nall of it"}, {Line: 2, Level: joblog.Error}, {Line: 3, Level: joblog.Error, Message: "it may", Tolerated: true},
		{Line: 4, Level: joblog.Warning, Message: "careful"},
	}})
	if got := f.text(`SELECT string_agg(signature, '|') FROM failure_signatures`); got != "broke #\nall of it" {
		t.Errorf("%q", got)
	}
}
