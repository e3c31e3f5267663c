package joblog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive/joblog"
)

const actFirst = "runner 1 (x)(version:v0.2.13) received task 7 of job build, be triggered by event: push"

func TestActLogs(t *testing.T) {
	u := index(stampLines([]string{
		actFirst, "🚀  Start image=node:20", "🚀  Start image=evil", "  🐳  docker pull image=node:20 platform=", "  🐳  docker pull image=postgres:14 platform=",
		"☁  git clone 'https://gitea.example/acme/mono/sub/dir.git' # ref=refs/heads/x", "☁  git clone 'https://gitea.example/acme' # ref=v1", "☁  git clone 'x' # ref=v1",
		"☁  git clone 'https://h/a/b' # ref=", "☁  git clone 'https://h/a b' # ref=v1", "☁  git clone 'https://h/a/b'",
		"⭐ Run Main make", "🚀  Start image=evil", "::error file=dir%2Ca.go,line=12,col=3,title=x::a%0Ab%25", "##[warning file=b.go;line=-3]w%5D", "::notice::n",
		"##[error]plain", "|::error::without a time", " ::error::indented", "::error", "::Error::case", "::group::g", "::debug::d", "::endgroup::",
		"::stop-commands::pause", "::error::stopped", "::other::", "::pause::", "::error line=99999999999::last", "##[group]Pull down action image 'evil/x:v1'",
		"Download action repository 'evil/x@v1' (SHA:" + commit + ")", "Current runner version: '9'",
	})).Usage
	want := &joblog.Usage{
		Environment: joblog.Environment{RunnerVersion: "v0.2.13", Image: "node:20"},
		Actions: []joblog.Action{
			{Line: 5, Kind: joblog.ContainerImage, Name: "docker://postgres", Ref: "14"}, {Line: 6, Name: "acme/mono", Path: "sub/dir", Ref: "refs/heads/x"},
		},
		Annotations: []joblog.Annotation{
			{Line: 14, Level: joblog.Error, Message: "a\nb%", File: "dir,a.go", FileLine: 12}, {Line: 15, Level: joblog.Warning, Message: "w]", File: "b.go"},
			{Line: 16, Level: joblog.Notice, Message: "n"}, {Line: 17, Level: joblog.Error, Message: "plain\n::error::without a time"}, {Line: 29, Level: joblog.Error, Message: "last"},
		},
	}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A step that stops commands stops its own: the runner forgets that when the next one begins.
func TestActStopsCommandsForOneStep(t *testing.T) {
	for _, next := range []string{"⭐ Run Main make", "⭐ Run Pre make", "⭐ Run Post make", "  ⭐ Run Main within"} {
		u := index(stampLines([]string{actFirst, "⭐ Run Main a", "::stop-commands::pause", "::error::stopped", next, "::error::seen"})).Usage
		want := []joblog.Annotation{{Line: 6, Level: joblog.Error, Message: "seen"}}
		if diff := cmp.Diff(want, u.Annotations); diff != "" {
			t.Errorf("%s (-want +got):\n%s", next, diff)
		}
	}
}

// Only the first line tells that a log is such a one.
func TestOtherLogsAreNotOfAct(t *testing.T) {
	for _, lines := range [][]string{
		hostedLog(runnerImage, "##[group]Run x", "##[endgroup]", actFirst, "::error::x", "☁  git clone 'https://h/a/b' # ref=v1"),
		{"received task 7 of job build", "::error::x", "☁  git clone 'https://h/a/b' # ref=v1"},
	} {
		u := index(stampLines(lines)).Usage
		for _, a := range u.Actions {
			if a.Name == "a/b" {
				t.Errorf("%+v", a)
			}
		}
		if len(u.Annotations) > 0 {
			t.Errorf("%+v", u.Annotations)
		}
	}
}

// Whatever bytes a step prints, the log can be read, in pieces as well; and what the runner
// says of itself stays.
func FuzzActLog(f *testing.F) {
	for _, s := range []string{"::error file=a,line=1::x%0Ay", "##[error x;y]", "::stop-commands::x", "☁  git clone 'https://h/a/b' # ref=v1", "🐳  docker pull image=x", "🚀  Start image=x"} {
		f.Add(s, 20)
	}
	f.Fuzz(func(t *testing.T, s string, cut int) {
		log := stampLines([]string{actFirst, "🚀  Start image=node:20", "⭐ Run Main make", s, s})
		whole := index(log)
		if e := whole.Usage.Environment; e != (joblog.Environment{RunnerVersion: "v0.2.13", Image: "node:20"}) {
			t.Errorf("%+v", e)
		}
		cut = min(max(cut, 0), len(log))
		if diff := cmp.Diff(whole, index(log[:cut], log[cut:])); diff != "" {
			t.Errorf("whole (-) and in pieces (+):\n%s", diff)
		}
	})
}
