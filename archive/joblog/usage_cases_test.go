package joblog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/testenv"
)

const imageDigest = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

// usageCases are logs as runners of 2026 write them, and what they say. Lines that begin
// with "|" have no timestamp. Those of the corpus are read too, where there is one.
var usageCases = map[string]struct {
	lines []string
	want  joblog.Usage
}{
	"vm-image": {
		hostedLog([]string{"##[group]VM Image", "- OS: Linux (x64)", "- Source: Docker", "- Name: ubuntu:24.04", "- Version: 20260922.6.5", "##[endgroup]"},
			"##[group]Run make", "\x1b[36;1mmake\x1b[0m", "shell: /usr/bin/bash -e {0}", "##[endgroup]", "hello", "Cleaning up orphan processes"),
		hostedUsage("Linux (x64)", "ubuntu:24.04", "20260922.6.5", 26, nil),
	},
	"annotation-lines": {
		hostedLog(runnerImage, "##[group]Run make", "##[endgroup]", "##[error]Deploy failed: 3 checks", "|check a: secret is missing", "|check b: quota is used up",
			"##[warning]\x1b[33mfirst\x1b[0m", "|second line", "##[error]src/app.ts(3,7): error TS2322: Type 'string' is not assignable",
			"##[error]Process completed with exit code 2.", "Cleaning up orphan processes"),
		runnerImageUsage([]joblog.Annotation{
			{Line: 34, Level: joblog.Error, Message: "Deploy failed: 3 checks\ncheck a: secret is missing\ncheck b: quota is used up"},
			{Line: 37, Level: joblog.Warning, Message: "first"},
			{Line: 39, Level: joblog.Error, Message: "src/app.ts(3,7): error TS2322: Type 'string' is not assignable"},
			{Line: 40, Level: joblog.Error, Message: "Process completed with exit code 2."},
		}),
	},
	"pull-image": {
		hostedLog(runnerImage, "##[group]Pull down action image 'ghcr.io/acme-tools/lint:slim-v4'", "##[command]/usr/bin/docker pull ghcr.io/acme-tools/lint:slim-v4",
			"Digest: "+imageDigest, "Status: Downloaded newer image for ghcr.io/acme-tools/lint:slim-v4", "##[endgroup]",
			"##[group]Run docker://ghcr.io/acme-tools/lint:slim-v4", "##[endgroup]", "ok", "Cleaning up orphan processes"),
		runnerImageUsage(nil, joblog.Action{
			Line: 32, Kind: joblog.PulledImage, Name: "docker://ghcr.io/acme-tools/lint", Ref: "slim-v4", Digest: imageDigest, InSetup: true,
		}),
	},
	"composite-markers": {
		hostedLog(runnerImage, "##[group]Run ./.github/actions/setup", "##[endgroup]", "##[start-action display=Install deps;id=__self.__run]", "##[group]Run npm ci",
			"##[endgroup]", "added 12", "##[end-action id=__self.__run;outcome=success;conclusion=success;duration_ms=100]",
			"##[start-action display=Fails%3B quietly;id=__self.two]", "##[group]Run npm run flaky", "##[endgroup]", "##[error]Process completed with exit code 1.",
			"##[end-action id=__self.two;outcome=failure;conclusion=success;duration_ms=9]", "##[group]Run make test", "##[endgroup]", "ok"),
		runnerImageUsage([]joblog.Annotation{{Line: 42, Level: joblog.Error, Message: "Process completed with exit code 1.", Tolerated: true}}),
	},
	"escapes": {
		hostedLog(runnerImage, "##[group]Run make", "##[endgroup]", "##[error]\x1b[2K\x1b]8;;https://example.org/x\x07link\x1b]8;;\x07 broke",
			"\x1b[31m##[error]coloured marker\x1b[0m", "##[error]", "##[warning]   ", "  ##[error]indented", "##[Error]case", "::error file=a.go,line=3::unprocessed",
			"##[error file=a.go;line=3]old style", "prefix ##[error]in the middle", "##[group]##[error]in a title", "##[endgroup]",
			"##[error]caf\u00e9 \u202e bidi \u200b zero", "##[debug]##[error]in debug", "Cleaning up orphan processes"),
		runnerImageUsage([]joblog.Annotation{
			{Line: 34, Level: joblog.Error, Message: "link broke"}, {Line: 36, Level: joblog.Error}, {Line: 37, Level: joblog.Warning},
			{Line: 45, Level: joblog.Error, Message: "café bidi zero"},
		}),
	},
	"act-runner": {
		[]string{
			"runner-1(version:v0.2.13) received task 7 of job build, be triggered by event: push", "workflow prepared", "evaluating expression 'success()'",
			"expression 'success()' evaluated to 'true'", "🚀  Start image=node:20-bookworm",
			"  🐳  docker pull image=node:20-bookworm platform= username= forcePull=false", "  ☁  git clone 'https://github.com/acme-tools/fetch' # ref=v4",
			"  ☁  git clone 'https://github.com/evil/exfil' # ref=v1", "⭐ Run Main acme-tools/fetch@v4", "  ✅  Success - Main acme-tools/fetch@v4",
			"⭐ Run Main make", "::error file=a.go,line=3::boom", "  ❌  Failure - Main make", "exitcode '2': failure",
		},
		joblog.Usage{
			Environment: joblog.Environment{RunnerVersion: "v0.2.13", Image: "node:20-bookworm"},
			Actions:     []joblog.Action{{Line: 7, Name: "acme-tools/fetch", Ref: "v4"}, {Line: 8, Name: "evil/exfil", Ref: "v1"}},
			Annotations: []joblog.Annotation{{Line: 12, Level: joblog.Error, Message: "boom", File: "a.go", FileLine: 3}},
		},
	},
}

var runnerImage = []string{
	"##[group]Operating System", "Ubuntu", "24.04.5", "LTS", "##[endgroup]",
	"##[group]Runner Image", "Image: ubuntu-24.04", "Version: 20260907.300.1", "Included Software: https://example.org/x", "##[endgroup]",
}

// hostedLog is the log of a job on a hosted runner with these groups of its image.
func hostedLog(image []string, steps ...string) []string {
	lines := []string{
		"Current runner version: '2.337.0'", "##[group]Runner Image Provisioner", "Hosted Compute Agent", "Version: 20260901.588", "Commit: " + strings.Repeat("f", 40),
		"Build Date: 2026-09-01T19:56:44Z", "Worker ID: {0}", "Azure Region: northcentralus", "##[endgroup]",
	}
	lines = append(lines, image...)
	lines = append(lines, "##[group]GITHUB_TOKEN Permissions", "Contents: read", "IdToken: write", "Metadata: read", "##[endgroup]", "Secret source: Actions",
		"Cache mode: read-write", "Prepare workflow directory", "Prepare all required actions", "Getting action download info",
		"Download action repository 'acme-tools/fetch@v4' (SHA:"+commit+")", "Complete job name: build")
	return append(lines, steps...)
}

func hostedUsage(system, image, version string, fetched int64, annotations []joblog.Annotation, more ...joblog.Action) joblog.Usage {
	return joblog.Usage{
		Environment: joblog.Environment{
			RunnerVersion: "2.337.0", OS: system, Image: image, ImageVersion: version, SecretSource: "Actions", CacheMode: "read-write", ActionsLocked: new(false),
		},
		Permissions: []joblog.Permission{{Scope: "Contents", Level: "read"}, {Scope: "IdToken", Level: "write"}, {Scope: "Metadata", Level: "read"}},
		Actions:     append([]joblog.Action{{Line: fetched, Name: "acme-tools/fetch", Ref: "v4", SHA: commit, InSetup: true}}, more...),
		Annotations: annotations,
	}
}

func runnerImageUsage(annotations []joblog.Annotation, more ...joblog.Action) joblog.Usage {
	return hostedUsage("Ubuntu 24.04.5 LTS", "ubuntu-24.04", "20260907.300.1", 30, annotations, more...)
}

// stampLines puts a time before each line that has one.
func stampLines(lines []string) []byte {
	var b strings.Builder
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for _, l := range lines {
		if at = at.Add(time.Millisecond); strings.HasPrefix(l, "|") {
			fmt.Fprintln(&b, l[1:])
		} else {
			fmt.Fprintln(&b, at.Format("2006-01-02T15:04:05.0000000Z"), l)
		}
	}
	return []byte(b.String())
}

func TestUsageCases(t *testing.T) {
	for name, c := range usageCases {
		if diff := cmp.Diff(&c.want, index(stampLines(c.lines)).Usage); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestUsageCasesOfTheCorpus(t *testing.T) {
	for name, c := range usageCases {
		log, err := os.ReadFile(filepath.Join(testenv.Corpus(t), "cases", name, "log"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&c.want, index(log).Usage); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
