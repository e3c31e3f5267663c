package joblog_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive/joblog"
)

const pullImage = "##[group]Pull down action image '"

const commit = "11bd71901bbe5b1630ceea73d27597364c9af683"

// job is one whose log a runner writes: each message with one timestamp, whatever line
// ends it holds.
type job struct {
	queue    []string // the service's lines before the runner's
	runner   string
	group    string
	machine  string
	services []string // messages after "Prepare workflow directory"
	actions  []string // after "Getting action download info"
	uses     string
	inputs   []string // "key: value"
	name     string
	images   []string // messages after "Complete job name"
	steps    []string
	pace     time.Duration // from one message of the set-up to the next
}

func newJob() job {
	return job{
		runner: "runner-1", group: "Default", machine: "ip-10-0-0-1",
		actions: []string{"Download action repository 'actions/checkout@v4' (SHA:" + commit + ")"},
		uses:    "acme/shared/.github/workflows/build.yml@refs/heads/main (" + commit + ")",
		name:    "call / build",
		pace:    100 * time.Microsecond,
		steps:   []string{"##[group]Run make", "##[endgroup]", "##[error]Process completed with exit code 1.", "Cleaning up orphan processes"},
	}
}

func (j job) messages() []string {
	ms := slices.Concat(j.queue, []string{
		"Current runner version: '2.330.0'", "Runner name: '" + j.runner + "'", "Runner group name: '" + j.group + "'", "Machine name: '" + j.machine + "'",
		"##[group]Operating System", "Ubuntu", "24.04.1", "LTS", "##[endgroup]",
		"##[group]Runner Image", "Image: ubuntu-24.04", "Version: 20261101.1.0", "##[endgroup]",
		"##[group]GITHUB_TOKEN Permissions", "Contents: read", "Metadata: read", "##[endgroup]",
		"Secret source: Actions", "Cache mode: read-write", "Prepare workflow directory",
	}, j.services, []string{"Prepare all required actions", "Getting action download info"}, j.actions)
	if j.uses != "" {
		ms = append(ms, "Uses: "+j.uses)
		if len(j.inputs) > 0 {
			ms = append(ms, "##[group] Inputs")
			for _, in := range j.inputs {
				ms = append(ms, "  "+in)
			}
			ms = append(ms, "##[endgroup]")
		}
	}
	return slices.Concat(ms, []string{"Complete job name: " + j.name}, j.images, j.steps)
}

// pulled are the messages of an image that is pulled.
func pulled(image, digest string) []string {
	tag := "v4"
	if strings.Contains(image, "@") {
		tag = digest
	}
	return []string{
		pullImage + image + "'", "##[command]/usr/bin/docker pull " + image, tag + ": Pulling from acme/lint", "97518928ae5f: Pulling fs layer", "97518928ae5f: Pull complete",
		"Digest: " + digest, "Status: Downloaded newer image for " + image, image, "##[endgroup]",
	}
}

// log is what is stored of it: the set-up is printed at once, a step's line each second.
func (j job) log(lineEnd string) []byte {
	var b strings.Builder
	b.WriteString("\ufeff")
	at := time.Date(2026, 11, 20, 10, 0, 0, 500_000_000, time.UTC)
	ms := j.messages()
	for i, m := range ms {
		if at = at.Add(j.pace); i >= len(ms)-len(j.steps) {
			at = at.Add(time.Second)
		}
		b.WriteString(at.Format("2006-01-02T15:04:05.0000000Z ") + m + lineEnd)
	}
	return []byte(b.String())
}

// ofTheRunner is what a log tells without doubt.
func ofTheRunner(u *joblog.Usage) joblog.Usage {
	said := joblog.Usage{Environment: u.Environment, Permissions: u.Permissions}
	for _, a := range u.Actions {
		if a.InSetup {
			said.Actions = append(said.Actions, a)
		}
	}
	return said
}

// anybodys is the rest, without places.
func anybodys(u *joblog.Usage) joblog.Usage {
	said := joblog.Usage{ActionsCut: u.ActionsCut, AnnotationsCut: u.AnnotationsCut}
	for _, a := range u.Actions {
		if a.Line = 0; !a.InSetup {
			said.Actions = append(said.Actions, a)
		}
	}
	for _, a := range u.Annotations {
		a.Line = 0
		said.Annotations = append(said.Annotations, a)
	}
	return said
}

const forgedStamp = "2026-11-20T10:00:01.0000000Z "

// forgeries are lines that look like the runner's.
var forgeries = []string{
	"Current runner version: '9.9.9'", "Runner name: 'evil'", "Job defined at: evil/evil/.github/workflows/x.yml@refs/heads/main", "Reusable workflow chain:",
	"evil/evil/.github/workflows/x.yml@refs/heads/main (" + commit + ")", "Requested labels: evil", "Secret source: Evil", "Prepare workflow directory",
	"Prepare all required actions", "Getting action download info", "Download action repository 'evil/action@v1' (SHA:" + commit + ")",
	"Download action repository 'evil/action@v1'", "##[group]Download immutable action package 'evil/frozen@v1'", "Version: 6.6.6", "Digest: sha256:evil",
	"Source commit SHA: " + commit, "Uses: evil/evil/.github/workflows/x.yml@refs/heads/main (" + commit + ")", "##[group]GITHUB_TOKEN Permissions",
	"Contents: write", "Actions: write", "##[group]Operating System", "Evil OS", "##[group]Runner Image", "##[group]Virtual Environment", "Image: evil",
	"##[endgroup]", "##[error]forged", "##[warning]forged", "##[notice]forged", "##[group]Run evil", "##[group] Inputs", "##[debug]x", "Post job cleanup.",
	"A job started hook has been configured by the self-hosted runner administrator", "##[group]Checking docker version", "Cleaning up orphan processes",
	"Runner group name: 'evil'", "Machine name: 'evil'", "##[group]VM Image", "- OS: evil", "- Name: evil", "- Version: evil", "Cache mode: evil",
	"Using locked action versions from the workflow's lockfile", pullImage + "evil/image:v4'", "##[command]/usr/bin/docker pull evil/image:v4",
	"Digest: sha256:" + strings.Repeat("e", 64), "Status: Downloaded newer image for evil/image:v4", "v4: Pulling from evil/image", "97518928ae5f: Pull complete",
	"##[group]Build container for action use: '/w/_actions/actions/checkout/v4/Dockerfile'.", "##[group]Starting job container", "##[group]Starting evil service container",
	"##[start-action display=x;id=evil]", "##[end-action id=evil;outcome=failure;conclusion=success;duration_ms=1]",
	"::group::Run evil", "::endgroup::", "\x1b[36;1mSecret source: Evil\x1b[0m", "\u2028Secret source: Evil", "\u0085Secret source: Evil", "\rSecret source: Evil", "",
}

// hostile is text with lines that look like the runner's, as somebody may word it.
func hostile(t *rapid.T, label string, forged []string) string {
	var b strings.Builder
	b.WriteString(rapid.SampledFrom([]string{"", "title", "it's'", "a@b' (SHA:" + commit + ")", "\x1b[31mred"}).Draw(t, label))
	for range rapid.IntRange(0, 8).Draw(t, label+" lines") {
		b.WriteString(rapid.SampledFrom([]string{"\n", "\r\n", "\n\n", "\r", "\u2028", "\u0085", "\n\ufeff"}).Draw(t, "line end"))
		b.WriteString(rapid.SampledFrom([]string{forgedStamp, forgedStamp, "2030-01-01T00:00:00.0000000Z ", "2001-01-01T00:00:00.0000000Z ", ""}).Draw(t, "stamp"))
		b.WriteString(rapid.OneOf(rapid.SampledFrom(forged), rapid.String()).Draw(t, "text"))
	}
	return b.String()
}

// Whatever stands in inputs and in names, the runner's rows are those of the same log
// without them; and nothing of the steps is lost.
func TestNobodysWordsBecomeTheRunners(t *testing.T) {
	withName := append([]string{"Complete job name: forged"}, forgeries...)
	rapid.Check(t, func(t *rapid.T) {
		j := newJob()
		lineEnd := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "line end")
		want := index(j.log(lineEnd)).Usage
		for range rapid.IntRange(1, 4).Draw(t, "inputs") {
			j.inputs = append(j.inputs, hostile(t, "key", withName)+": "+hostile(t, "value", withName))
		}
		j.name = hostile(t, "name", withName)
		if rapid.Bool().Draw(t, "hostile workflow") {
			j.uses += hostile(t, "workflow", withName)
			want.Actions = want.Actions[:len(want.Actions)-1]
		}
		log := j.log(lineEnd)
		cut := rapid.IntRange(0, len(log)).Draw(t, "cut")
		got := index(log[:cut], log[cut:]).Usage
		said := ofTheRunner(got)
		if len(said.Actions) > len(want.Actions) && strings.HasPrefix(said.Actions[len(want.Actions)].Name, "acme/") {
			said.Actions = said.Actions[:len(want.Actions)] // the workflow's own line, up to its line end
		}
		if diff := cmp.Diff(ofTheRunner(want), said); diff != "" {
			t.Fatalf("%q\n(-want +got):\n%s", log, diff)
		}
		if last := got.Annotations[len(got.Annotations)-1]; last.Message != "Process completed with exit code 1." {
			t.Fatalf("%q\nlost the step's annotation: %+v", log, got.Annotations)
		}
	})
}

// Inputs become no rows, even if they look like the end of the set-up and a step: whoever
// writes them does not know the time that the runner will print.
func TestInputsTellNothing(t *testing.T) {
	withName := append([]string{"Complete job name: forged", "Complete job name: call / build"}, forgeries...)
	rapid.Check(t, func(t *rapid.T) {
		j := newJob()
		want := index(j.log("\n")).Usage
		for range rapid.IntRange(1, 4).Draw(t, "inputs") {
			j.inputs = append(j.inputs, hostile(t, "key", withName)+": "+hostile(t, "value", withName))
		}
		got := index(j.log("\n")).Usage
		if diff := cmp.Diff(anybodys(want), anybodys(got)); diff != "" {
			t.Fatalf("%q\n(-want +got):\n%s", j.log("\n"), diff)
		}
	})
}

// Forged annotations in inputs, however many, do not take the places of those of the
// steps.
func TestInputsDoNotFillTheBounds(t *testing.T) {
	j := newJob()
	want := index(j.log("\n")).Usage
	j.inputs = []string{"body: " + strings.Repeat("\n"+forgedStamp+"##[error]forged\n"+forgedStamp+"Download action repository 'evil/x@v1'", 2000)}
	if diff := cmp.Diff(anybodys(want), anybodys(index(j.log("\n")).Usage)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A step cannot make what was found be forgotten, nor can a slow machine.
func TestStepsDoNotEndTheSetUpAgain(t *testing.T) {
	for how, pace := range map[string]time.Duration{"at once": 100 * time.Microsecond, "slowly": 20 * time.Millisecond} {
		j := newJob()
		j.pace = pace
		j.inputs = []string{"title: x"}
		j.steps = append(j.steps[:3:3], "Download action repository 'acme/composite@v1' (SHA:"+commit+")", "Complete job name: forged",
			"##[error]x\n2026-11-20T10:00:00.5030000Z Complete job name: call / build", "##[error]last")
		u := index(j.log("\n")).Usage
		if len(u.Annotations) != 3 || u.Annotations[0].Message != "Process completed with exit code 1." || len(u.Actions) != 3 {
			t.Errorf("%s: %+v", how, u)
		}
	}
}

// Each kind of forgery, in an input and wherever else somebody words a part of the log.
func TestEachForgery(t *testing.T) {
	plain := newJob()
	want := ofTheRunner(index(plain.log("\n")).Usage)
	for _, forged := range append(forgeries, "Complete job name: forged") {
		lines := "x\n" + forgedStamp + "##[endgroup]\n" + forgedStamp + forged + "\n" + forgedStamp + "Contents: write\n" + forgedStamp + "evil/evil"
		for where, put := range map[string]func(*job){
			"an input's value":   func(j *job) { j.inputs = []string{"title: " + lines} },
			"an input's key":     func(j *job) { j.inputs = []string{lines + ": x"} },
			"the job's name":     func(j *job) { j.name = lines },
			"a message of steps": func(j *job) { j.steps = append(j.steps, "##[error]"+lines) },
			"after a forged end": func(j *job) {
				j.inputs = []string{"title: x\n" + forgedStamp + "##[endgroup]\n" + forgedStamp + "Complete job name: x\n" + forgedStamp + "##[group]Run x\n" + lines}
			},
		} {
			j := newJob()
			put(&j)
			if diff := cmp.Diff(want, ofTheRunner(index(j.log("\n")).Usage)); diff != "" {
				t.Errorf("%q in %s (-want +got):\n%s", forged, where, diff)
			}
		}
	}
}

// Words before the inputs that may hold line ends take trust away; they give none.
func TestDoubtfulSetUpsTellNothingFalse(t *testing.T) {
	plain := newJob()
	want := ofTheRunner(index(plain.log("\n")).Usage)
	trusted := make(map[string]bool)
	for _, a := range want.Actions {
		trusted[a.Name] = true
	}
	for _, forged := range forgeries {
		lines := "x'\n" + forgedStamp + forged + "\n" + forgedStamp + "Contents: write\n" + forgedStamp + "Image: evil\n" + forgedStamp + "evil/evil"
		for where, put := range map[string]func(*job){
			"a service's name": func(j *job) {
				j.services = []string{"The service '" + lines + "' will not be started because the container definition has an empty image."}
			},
			"an unresolved action": func(j *job) { j.actions = append(j.actions, "Download action repository 'acme/x@"+lines+"'") },
			"an error":             func(j *job) { j.actions = []string{"##[error]Unable to resolve action `acme/x@" + lines + "`"} },
			"a failed resolution":  func(j *job) { j.actions = []string{"Failed to resolve action download info. Error: " + lines} },
			"labels": func(j *job) {
				j.queue = []string{"Requested labels: " + lines, "Job defined at: acme/rocket/.github/workflows/ci.yml@refs/heads/main"}
			},
		} {
			j := newJob()
			put(&j)
			got := ofTheRunner(index(j.log("\n")).Usage)
			e := got.Environment
			for field, v := range map[string]string{"runner version": e.RunnerVersion, "image": e.Image, "OS": e.OS, "secret source": e.SecretSource, "workflow": e.WorkflowRef,
				"machine": e.Machine, "group": e.RunnerGroup, "image's version": e.ImageVersion} {
				if strings.Contains(strings.ToLower(v), "evil") || strings.Contains(v, "9.9.9") {
					t.Errorf("%q in %s: %s is %q", forged, where, field, v)
				}
			}
			if slices.Contains(got.Permissions, joblog.Permission{Scope: "Contents", Level: "write"}) {
				t.Errorf("%q in %s: %v", forged, where, got.Permissions)
			}
			for _, a := range got.Actions {
				if !trusted[a.Name] && a.Name != "acme/x" {
					t.Errorf("%q in %s: %+v is taken for the set-up's", forged, where, a)
				}
			}
		}
	}
}

// Whatever bytes stand in an input, a name, the service's lines and after the job's name,
// the log can be read, in pieces as well, and the runner's rows stay what they are.
func FuzzSetUp(f *testing.F) {
	for _, forged := range forgeries {
		f.Add("x\n"+forgedStamp+"##[endgroup]\n"+forgedStamp+forged, "call / build", 700)
	}
	f.Add("x\n2026-11-20T10:00:00.5030000Z Complete job name: x\n2026-11-20T10:00:00.5030000Z ##[group]Run x", "a\n"+forgedStamp+"##[error]x", 3)
	plain := newJob()
	want := ofTheRunner(index(plain.log("\n")).Usage)
	f.Fuzz(func(t *testing.T, input, name string, cut int) {
		j := newJob()
		j.inputs, j.name = []string{"title: " + input}, name
		j.steps = append(j.steps, input)
		log := j.log("\n")
		whole := index(log)
		if diff := cmp.Diff(want, ofTheRunner(whole.Usage)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		cut = min(max(cut, 0), len(log))
		if diff := cmp.Diff(whole, index(log[:cut], log[cut:])); diff != "" {
			t.Errorf("whole (-) and in pieces (+):\n%s", diff)
		}
	})
}
