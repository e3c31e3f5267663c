package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

func TestUnknownUses(t *testing.T) {
	f := newFixture(t)
	f.usedBy(1, 1, day, usage(goodSHA, true))
	f.usedBy(2, 1, day, nil)
	cut := usage(goodSHA, true)
	cut.ActionsCut = 1
	f.usedBy(3, 2, day.Add(time.Hour), cut)
	for id, state := range map[int64]string{4: store.LogMissing, 5: store.LogExpired, 6: store.LogNone} {
		f.usedBy(id, 1, day, nil)
		f.exec(`UPDATE job_logs SET state = $2, object_key = NULL, raw_bytes = NULL, stored_bytes = NULL, lines = NULL, sha256 = NULL, frame_lines = NULL, frame_offsets = NULL,
			archived_at = NULL, stored_sha256 = NULL WHERE job_id = $1`, id, state)
	}
	for what, c := range map[string]struct {
		filter store.ActionFilter
		want   store.UnknownUses
	}{
		"all":          {store.ActionFilter{Action: "a/b"}, store.UnknownUses{Unread: 1, NoLog: 2, Cut: 1}},
		"a repository": {store.ActionFilter{Action: "a/b", Repository: "acme/other"}, store.UnknownUses{Cut: 1}},
		"since":        {store.ActionFilter{Action: "a/b", Since: day.Add(time.Minute)}, store.UnknownUses{Cut: 1}},
		"may be read":  {store.ActionFilter{Action: "a/b", Repositories: []int64{1}}, store.UnknownUses{Unread: 1, NoLog: 2}},
		"nothing may":  {store.ActionFilter{Action: "a/b", Repositories: []int64{}}, store.UnknownUses{}},
	} {
		if got, err := f.db.UnknownUses(t.Context(), c.filter); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", what, got, err, c.want)
		}
	}
}

// usedIn archives a job of a run, in an attempt of it, whose log tells of the actions.
func (f *fixture) usedIn(id, run, attempt int64, actions ...joblog.Action) {
	f.t.Helper()
	f.fetch(factsOf(id, store.StatusCompleted, func(facts *store.Facts) {
		facts.Run.ID, facts.Job.RunID, facts.Job.RunAttempt = run, run, &attempt
	}))
	s := archivedAs(id)
	s.Usage = &joblog.Usage{Actions: actions}
	f.settle(s)
}

// started records what a listing says of a run of the first repository.
func (f *fixture) started(run, attempt int64, event, actor, by string, head int64) {
	f.t.Helper()
	listed := store.ListedRun{
		ID: run, RepositoryID: 1, Origin: store.RunOrigin{Event: &event, Actor: &actor},
		Attempt: store.RunAttemptFacts{RunAttempt: attempt, TriggeringActor: &by},
	}
	if head != 0 {
		listed.Origin.HeadRepositoryID = &head
	}
	f.check(f.db.RecordRuns(f.t.Context(), []store.ListedRun{listed}))
}

func (f *fixture) wantUnknown(what string, filter store.ActionFilter, want store.UnknownUses) {
	f.t.Helper()
	if got, err := f.db.UnknownUses(f.t.Context(), filter); err != nil || got != want {
		f.t.Errorf("%s: %+v, %v, want %+v", what, got, err, want)
	}
}

// What no listing has told is neither a use in such a run nor in another one.
func TestUnknownStartsOfUses(t *testing.T) {
	f := newFixture(t)
	used := joblog.Action{Line: 1, Name: "a/b", Ref: "v1", SHA: goodSHA}
	for id := int64(1); id <= 5; id++ {
		f.usedIn(id, id, 1, used)
	}
	f.usedIn(6, 4, 2, used)
	f.usedIn(7, 6, 1, joblog.Action{Line: 1, Name: "a/b", Ref: "v2"})
	f.usedIn(8, 7, 1, joblog.Action{Line: 1, Name: "a/other", Ref: "v1"})
	for id, run := range map[int64]int64{9: 2, 10: 3, 11: 1} { // nobody has read their logs
		f.usedIn(id, run, 1)
		f.exec(`UPDATE job_logs SET usage_version = NULL WHERE job_id = $1`, id)
	}
	f.started(2, 1, "push", "mona", "mona", 1)
	f.started(3, 1, "pull_request_target", "mallory", "mallory", 9)
	f.started(4, 3, "push", "mona", "hubot", 1) // who started the second attempt, nobody has said
	f.started(5, 1, "push", "mona", "mona", 0)  // its head was deleted
	for what, c := range map[string]struct {
		filter store.ActionFilter
		want   store.UnknownUses
	}{
		"anything":            {store.ActionFilter{}, store.UnknownUses{Unread: 3, NoSHA: 1}},
		"an event":            {store.ActionFilter{Event: "pull_request_target"}, store.UnknownUses{Unread: 2, NoSHA: 1, NotListed: 2}},
		"an actor":            {store.ActionFilter{Actor: "Mallory"}, store.UnknownUses{Unread: 2, NoSHA: 1, NotListed: 3}},
		"a fork":              {store.ActionFilter{Fork: true}, store.UnknownUses{Unread: 2, NoSHA: 1, NotListed: 3}},
		"an event and a fork": {store.ActionFilter{Event: "push", Fork: true}, store.UnknownUses{Unread: 1, NoSHA: 1, NotListed: 3}},
		"at a ref":            {store.ActionFilter{Event: "push", Ref: "v1"}, store.UnknownUses{Unread: 2, NotListed: 1}},
		"elsewhere":           {store.ActionFilter{Event: "push", Repositories: []int64{2}}, store.UnknownUses{}},
		"later":               {store.ActionFilter{Event: "push", Since: day.AddDate(1, 0, 0)}, store.UnknownUses{}},
	} {
		c.filter.Action = "A/b"
		f.wantUnknown(what, c.filter, c.want)
	}
}

// A commit or digest that is asked for may be that of any use whose own is not known.
func TestUnknownCommitsAndDigests(t *testing.T) {
	f := newFixture(t)
	const image = "docker://ghcr.io/acme/lint"
	digest := "sha256:" + strings.Repeat("a", 64)
	f.usedIn(1, 1, 1, joblog.Action{Line: 1, Name: "a/b", Ref: "v1", SHA: goodSHA}, joblog.Action{Line: 2, Name: image, Ref: "v4", Kind: joblog.PulledImage, Digest: digest})
	f.usedIn(2, 2, 1, joblog.Action{Line: 1, Name: "a/b", Ref: "v1"}, joblog.Action{Line: 2, Name: "a/b", Ref: "v2"}, joblog.Action{Line: 3, Name: image, Ref: "v4", Kind: joblog.PulledImage})
	f.usedIn(3, 3, 1, joblog.Action{Line: 1, Name: "a/b", Ref: evilSHA}, joblog.Action{Line: 3, Name: image, Ref: "v5", Kind: joblog.PulledImage})
	for what, c := range map[string]struct {
		filter store.ActionFilter
		noSHA  int64
	}{
		"a commit":                    {store.ActionFilter{Action: "a/b", Ref: goodSHA}, 1},
		"its beginning":               {store.ActionFilter{Action: "a/b", Ref: strings.ToUpper(goodSHA[:7])}, 1},
		"one that was asked for":      {store.ActionFilter{Action: "a/b", Ref: evilSHA}, 2},
		"a tag":                       {store.ActionFilter{Action: "a/b", Ref: "v2"}, 1},
		"a tag that nobody used":      {store.ActionFilter{Action: "a/b", Ref: "v3"}, 0},
		"a path":                      {store.ActionFilter{Action: "a/b/c", Ref: goodSHA}, 0},
		"a digest":                    {store.ActionFilter{Action: image, Digest: digest}, 2},
		"one that nobody has printed": {store.ActionFilter{Action: image, Digest: "sha256:" + strings.Repeat("b", 64)}, 2},
		"a digest of a tag":           {store.ActionFilter{Action: image, Ref: "v4", Digest: digest}, 1},
	} {
		f.wantUnknown(what, c.filter, store.UnknownUses{NoSHA: c.noSHA})
	}
}

// Of a job that did not run again there are several logs, and one of them tells.
func TestUnknownUsesOfAnExecution(t *testing.T) {
	states := map[string]string{
		"read": `UPDATE job_logs SET usage_version = 3 WHERE job_id = $1`, "unread": `UPDATE job_logs SET usage_version = 2 WHERE job_id = $1`,
		"lost": `UPDATE job_logs SET state = 'missing', usage_version = NULL, object_key = NULL, raw_bytes = NULL, stored_bytes = NULL, lines = NULL, sha256 = NULL,
			frame_lines = NULL, frame_offsets = NULL, archived_at = NULL, stored_sha256 = NULL WHERE job_id = $1`,
		"cut": `UPDATE job_environment SET actions_cut = 1 WHERE job_id = $1`,
	}
	for what, c := range map[string]struct {
		logs [3]string // of the job that ran, and of its copies
		want store.UnknownUses
	}{
		"all are read":                  {[3]string{"read", "read", "read"}, store.UnknownUses{}},
		"that of the job that ran":      {[3]string{"read", "unread", "lost"}, store.UnknownUses{}},
		"that of a copy":                {[3]string{"lost", "unread", "read"}, store.UnknownUses{}},
		"none":                          {[3]string{"lost", "unread", "unread"}, store.UnknownUses{Unread: 2, NoLog: 1}},
		"all tell of more than is kept": {[3]string{"cut", "cut", "cut"}, store.UnknownUses{Cut: 1}},
	} {
		t.Run(what, func(t *testing.T) {
			f := newFixture(t)
			for i, log := range c.logs {
				id := int64(i + 1)
				f.fetch(ran(id, id))
				s := archivedAs(id)
				s.Usage = &joblog.Usage{}
				f.settle(s)
				f.exec(states[log], id)
			}
			f.wantUnknown(what, store.ActionFilter{Action: "a/b"}, c.want)
		})
	}
}
