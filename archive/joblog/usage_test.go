package joblog_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/testenv"
)

// corpusLog reads a real log; one in a zip by the name within it.
func corpusLog(t *testing.T, name, within string) []byte {
	t.Helper()
	path := filepath.Join(testenv.Corpus(t), "logs", name)
	if within == "" {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open(within)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func permissions(level string, scopes ...string) []joblog.Permission {
	var ps []joblog.Permission
	for _, s := range scopes {
		ps = append(ps, joblog.Permission{Scope: s, Level: level})
	}
	return ps
}

// What jobs used is found in real logs as somebody found it who read them.
func TestUsageOfRealLogs(t *testing.T) {
	retry := "3e91a01664abd3c5cd539100d10d33b9c5b68482"
	checkout := "755da8c3cf115ac066823e79a1e1788f8940201b"
	for name, c := range map[string]struct {
		log  []byte
		want *joblog.Usage
	}{
		"2021, hosted": {corpusLog(t, "hub4j-job-2270858630.log", ""), &joblog.Usage{
			Environment: joblog.Environment{RunnerVersion: "2.277.1", OS: "Ubuntu 20.04.2 LTS", Image: "ubuntu-20.04", ImageVersion: "20210330.1", ActionsLocked: new(false)},
			Permissions: []joblog.Permission{
				{Scope: "Actions", Level: "write"}, {Scope: "Checks", Level: "write"}, {Scope: "Contents", Level: "write"}, {Scope: "Deployments", Level: "write"},
				{Scope: "Issues", Level: "write"}, {Scope: "Metadata", Level: "read"}, {Scope: "OrganizationPackages", Level: "write"}, {Scope: "Packages", Level: "write"},
				{Scope: "PullRequests", Level: "write"}, {Scope: "RepositoryProjects", Level: "write"}, {Scope: "SecurityEvents", Level: "write"}, {Scope: "Statuses", Level: "write"},
			},
		}},
		"2024, self-hosted, reusable workflow, composites": {corpusLog(t, "pytorch-error_log1.txt", ""), &joblog.Usage{
			Environment: joblog.Environment{
				RunnerVersion: "2.317.0", RunnerName: "i-00726d0d1e8699347", RunnerGroup: "Default", Machine: "ip-10-0-79-130", SecretSource: "Actions", ActionsLocked: new(false),
			},
			Permissions: permissions("read", "Actions", "Attestations", "Checks", "Contents", "Deployments", "Discussions", "Issues", "Metadata", "Packages", "Pages",
				"PullRequests", "RepositoryProjects", "SecurityEvents", "Statuses"),
			Actions: []joblog.Action{
				{Line: 25, Name: "pytorch/test-infra", Ref: "main", SHA: "42f716d5f8e9e9215f663a172ae233a6008ebbcb", InSetup: true},
				{Line: 26, Name: "pytorch/pytorch", Ref: "main", SHA: "63743b223c0b69f4dbbcfd349f523eee3f5a12c2", InSetup: true},
				{Line: 27, Name: "aws-actions/configure-aws-credentials", Ref: "v3", SHA: "50ac8dd1e1b10d09dac7b8727528b91bed831ac0", InSetup: true},
				{Line: 28, Name: "seemethere/upload-artifact-s3", Ref: "v5", SHA: "baba72d0712b404f646cebe0730933554ebce96a", InSetup: true},
				{Line: 30, Name: "malfet/checkout", Ref: "silent-checkout", SHA: "e07af140b3ccefc05679e3755b9db68f4ee4589c", InSetup: true},
				{Line: 32, Name: "nick-fields/retry", Ref: retry, SHA: retry, InSetup: true},
				{Line: 33, Name: "pytorch/pytorch", Path: ".github/workflows/_linux-test.yml", Ref: "refs/heads/main", SHA: "c8ab2e8b637515b6488931f5e59f23848aae9991", InSetup: true},
				{Line: 2668, Name: "seemethere/download-artifact-s3", Ref: "v4", SHA: "1da556a7aa0a088e3153970611f6c432d58e80e6"},
				{Line: 2669, Name: "actions/download-artifact", Ref: "v3", SHA: "9bc31d5ccc31df68ecc42ccf4149144866c47d8a"},
				{Line: 4142, Name: "actions/upload-artifact", Ref: "v3", SHA: "a8a3f3ad30e3422c9c7b888a15615d19a852ae32"},
			},
			Annotations: []joblog.Annotation{
				{Line: 3194, Level: joblog.Error, Message: "Process completed with exit code 1."},
				{Line: 4047, Level: joblog.Error, Message: "Process completed with exit code 1."},
			},
		}},
		"2024, with the lines of the queue": {corpusLog(t, "gato-x-run_log.zip", "0_build (3.10).txt"), &joblog.Usage{
			Environment: joblog.Environment{
				RunnerVersion: "2.312.0", RunnerName: "runner-30", RunnerGroup: "aws-arm64-runners", Machine: "ip-172-31-49-38", SecretSource: "Actions", ActionsLocked: new(false),
				JobDefinedAt: "tensorflow/tensorflow/.github/workflows/arm-ci.yml@refs/heads/master",
				WorkflowRef:  "tensorflow/tensorflow/.github/workflows/arm-ci.yml@refs/heads/master",
			},
			Permissions: permissions("read", "Contents", "Metadata"),
			Actions:     []joblog.Action{{Line: 17, Name: "actions/checkout", Ref: checkout, SHA: checkout, InSetup: true}},
		}},
	} {
		if diff := cmp.Diff(c.want, index(c.log).Usage); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// stampedLog puts a timestamp before each line.
func stampedLog(lines ...string) []byte {
	return []byte("2024-07-08T16:48:09.1000000Z " + strings.Join(lines, "\n2024-07-08T16:48:09.1000000Z ") + "\n")
}

func TestImmutableActionsAndChains(t *testing.T) {
	sha := strings.Repeat("ab", 20)
	got := index(stampedLog(
		"Job defined at: acme/shared/.github/workflows/build.yml@refs/tags/v2", "Reusable workflow chain:",
		"acme/rocket/.github/workflows/ci.yml@refs/heads/main ("+sha+")", "-> acme/shared/.github/workflows/build.yml@refs/tags/v2 ("+sha+")",
		"Current runner version: '2.317.0'", "Prepare all required actions", "Getting action download info",
		"##[group]Download immutable action package 'actions/checkout@v4'", "Version: 4.2.2", "Digest: sha256:0123", "Source commit SHA: "+sha, "##[endgroup]",
		"Download action repository 'acme/mono/path/to/action@refs/heads/x' (SHA:"+sha+")", "Download action repository 'acme/short@v1'",
		"Complete job name: build",
	)).Usage
	want := &joblog.Usage{
		Environment: joblog.Environment{
			RunnerVersion: "2.317.0", JobDefinedAt: "acme/shared/.github/workflows/build.yml@refs/tags/v2", WorkflowRef: "acme/rocket/.github/workflows/ci.yml@refs/heads/main",
		},
		Actions: []joblog.Action{
			{Line: 8, Name: "actions/checkout", Ref: "v4", SHA: sha, Version: "4.2.2", Digest: "sha256:0123", InSetup: true},
			{Line: 13, Name: "acme/mono", Path: "path/to/action", Ref: "refs/heads/x", SHA: sha, InSetup: true},
			{Line: 14, Name: "acme/short", Ref: "v1", InSetup: true},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A step may print whatever the runner does: it is never taken for the set-up.
func TestForgedLinesAreNotOfTheSetUp(t *testing.T) {
	sha := strings.Repeat("cd", 20)
	forged := []string{
		"Download action repository 'evil/action@v1' (SHA:" + sha + ")", "##[group]Download immutable action package 'evil/frozen@v1'", "Version: 1.0.0", "##[endgroup]",
		"Current runner version: '9'", "Job defined at: evil/evil/x.yml@main", "Secret source: Evil", "Uses: evil/evil/.github/workflows/x.yml@main (" + sha + ")",
		"##[group]GITHUB_TOKEN Permissions", "Contents: write", "##[endgroup]", "##[group]Runner Image", "Image: evil", "##[endgroup]",
	}
	for how, begin := range map[string][]string{
		"after the job's name":        {"Current runner version: '2'", "Complete job name: x"},
		"by the job's name":           {"Current runner version: '2'", "Complete job name: x\nDownload action repository 'evil/name@v1' (SHA:" + sha + ")"},
		"without one, as before 2022": {"Current runner version: '2'", "##[group]Run x", "##[endgroup]"},
	} {
		u := index(stampedLog(append(begin, forged...)...)).Usage
		if diff := cmp.Diff(joblog.Environment{RunnerVersion: "2"}, u.Environment); diff != "" || len(u.Permissions) > 0 {
			t.Errorf("%s: %+v, %v", how, u.Environment, u.Permissions)
		}
		if len(u.Actions) != 2 {
			t.Errorf("%s: %+v", how, u.Actions)
		}
		for _, a := range u.Actions {
			if a.InSetup {
				t.Errorf("%s: %+v is taken for the set-up's", how, a)
			}
		}
	}
}

func TestUsageIsBoundedAndCountsWhatWasCut(t *testing.T) {
	x := joblog.NewIndexer()
	var b bytes.Buffer
	const n = 1_000_000
	for i := range n {
		fmt.Fprintf(&b, "2024-07-08T16:48:09.1000000Z ##[error]%d \x1b[31m\x00\xff%s\n", i, strings.Repeat("é", i%3*600))
		if b.Len() > 1<<20 || i == n-1 {
			x.Add(b.Bytes())
			b.Reset()
		}
	}
	for range 3000 {
		x.Add(stampedLog("Download action repository 'a/b@v1' (SHA:" + strings.Repeat("0", 40) + ")"))
	}
	u := x.Finish().Usage
	if len(u.Annotations) != 1000 || u.AnnotationsCut != (joblog.LevelCounts{Errors: n - 1000}) || len(u.Actions) != 1000 || u.ActionsCut != 2000 {
		t.Errorf("%d annotations and %d cut, %d actions and %d cut", len(u.Annotations), u.AnnotationsCut, len(u.Actions), u.ActionsCut)
	}
	for _, a := range u.Annotations {
		if len(a.Message) > 1000 || strings.ContainsAny(a.Message, "\x00\x1b") || !utf8.ValidString(a.Message) {
			t.Fatalf("message %q", a.Message)
		}
	}
}

func TestWhatOnlyLooksLikeADownloadIsNone(t *testing.T) {
	sha := strings.Repeat("0a", 20)
	for _, line := range []string{
		"a/b@v1", "a/b'", "@v1'", "a/b@'", "a b/c@v1'", "a/b'c@v1'", "a/b@v1'x", "a/b@v1' ", "a/b@v1' (SHA:" + sha, "a/b@v1' (SHA:" + sha[1:] + ")",
		"a/b@v1' (SHA:" + sha + sha + ")", "a/b@v1' (SHA:" + strings.ToUpper(sha) + ")", "a/b@v1'(SHA:" + sha + ")", "a/b@v1' (SHA:" + sha + ")x", "ab@v1'",
	} {
		x := joblog.NewIndexer()
		x.Add(stampedLog("Download action repository '" + line))
		if got := x.Finish().Usage.Actions; len(got) > 0 {
			t.Errorf("%s: %+v", line, got)
		}
	}
	x := joblog.NewIndexer()
	x.Add(stampedLog("Download action repository 'a/b@x@y (z)' (SHA:" + sha + ")"))
	if got := x.Finish().Usage.Actions; len(got) != 1 || got[0].Name != "a/b" || got[0].Ref != "x@y (z)" || got[0].SHA != sha {
		t.Errorf("%+v", got)
	}
	x = joblog.NewIndexer()
	x.Add(stampedLog("Download action repository 'a/b@v1' (SHA:" + strings.Repeat("0", 40) + ")' (SHA:" + sha + ")"))
	if got := x.Finish().Usage.Actions; len(got) != 1 || got[0].SHA != sha {
		t.Errorf("a ref that looks like the end of the line: %+v", got)
	}
}
