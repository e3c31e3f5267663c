package joblog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive/joblog"
)

// imageJob is a job that pulls an image before its first step.
func imageJob() job {
	j := newJob()
	j.uses, j.name = "", "lint"
	j.images = slices.Concat(pulled("ghcr.io/acme/lint:v4", imageDigest), pulled("acme/other@"+imageDigest, imageDigest))
	return j
}

// images are the rows of a usage that are of images, without places.
func images(u *joblog.Usage) []joblog.Action {
	var found []joblog.Action
	for _, a := range u.Actions {
		if a.Line = 0; a.Kind != joblog.Downloaded {
			found = append(found, a)
		}
	}
	return found
}

func TestImages(t *testing.T) {
	lint := joblog.Action{Kind: joblog.PulledImage, Name: "docker://ghcr.io/acme/lint", Ref: "v4", Digest: imageDigest, InSetup: true}
	other := joblog.Action{Kind: joblog.PulledImage, Name: "docker://acme/other", Ref: imageDigest, Digest: imageDigest, InSetup: true}
	build := joblog.Action{Kind: joblog.BuiltImage, Name: "actions/checkout", Path: "sub", Ref: "v4", SHA: commit, InSetup: true}
	doubtful := func(a joblog.Action) joblog.Action { a.InSetup = false; return a }
	undigested := func(a joblog.Action) joblog.Action { a.Digest = ""; return a }
	pull := pulled("ghcr.io/acme/lint:v4", imageDigest)
	title, services := pull[0], []string{
		"##[group]Checking docker version", "##[command]/usr/bin/docker version --format '{{.Server.APIVersion}}'", "'1.41'", "##[endgroup]",
		"##[group]Starting db service container", "##[command]/usr/bin/docker --config /w/.docker_1 pull postgres:14", "14: Pulling from library/postgres",
		"Digest: " + imageDigest, "##[command]/usr/bin/docker create --name x", "##[endgroup]", "##[group]Starting job container", "##[command]/usr/bin/docker pull node", "##[endgroup]",
	}
	built := []string{"##[group]Build container for action use: '/home/runner/work/_actions/actions/checkout/v4/sub/Dockerfile'.", "##[command]/usr/bin/docker build -t x", "anything", "##[endgroup]"}
	for name, c := range map[string]struct {
		images []string
		want   []joblog.Action
	}{
		"one after the other": {imageJob().images, []joblog.Action{lint, other}},
		"with debug lines":    {slices.Concat([]string{"##[debug]Finishing: Set up job"}, pull), []joblog.Action{lint}},
		"a Dockerfile's":      {slices.Concat(pull, built), []joblog.Action{lint, build}},
		"after a Dockerfile's output, which is anybody's": {slices.Concat(built, pull), []joblog.Action{build, doubtful(lint)}},
		"of services": {services, []joblog.Action{
			{Kind: joblog.ContainerImage, Name: "docker://postgres", Ref: "14", Digest: imageDigest}, {Kind: joblog.ContainerImage, Name: "docker://node", Ref: "latest"},
		}},
		"after a step":          {slices.Concat([]string{"##[group]Run x", "##[endgroup]"}, pull), []joblog.Action{doubtful(lint)}},
		"after other words":     {slices.Concat([]string{"x"}, pull), []joblog.Action{doubtful(lint)}},
		"tried again":           {slices.Concat(pull[:2], []string{"##[warning]Docker pull failed with exit code 1, back off 1 seconds before retry."}, pull[1:]), []joblog.Action{doubtful(lint)}},
		"a registry's words":    {slices.Concat(pull[:2], []string{"Error response from daemon: x", "Digest: " + imageDigest}), []joblog.Action{doubtful(lint)}},
		"another command":       {slices.Concat(pull[:1], []string{"##[command]/usr/bin/docker pull evil/x"}, pull[2:]), []joblog.Action{doubtful(lint)}},
		"words with a line end": {slices.Concat(pull[:1], []string{pull[1] + "\nx"}, pull[2:]), []joblog.Action{doubtful(lint)}},
		"not pulled":            {[]string{title, "##[endgroup]"}, []joblog.Action{undigested(lint)}},
		"no digest":             {[]string{title, "Digest: sha256:beef", "##[endgroup]", "Digest: " + imageDigest}, []joblog.Action{undigested(lint)}},
		"no image":              {[]string{pullImage + "a/UPPER'", pullImage + "'", pullImage + "a/b", pullImage + strings.Repeat("x", 3000) + "'"}, nil},
		"no Dockerfile":         {[]string{"##[group]Build container for action use: '/home/runner/work/x/./Dockerfile'.", "##[group]Build container for action use: '/_actions/a/b/Dockerfile'."}, nil},
		"of an unknown action":  {[]string{"##[group]Build container for action use: 'C:\\w\\_actions\\a\\b\\v1\\Dockerfile'."}, []joblog.Action{{Kind: joblog.BuiltImage, Name: "a/b", Ref: "v1"}}},
		"a long pull":           {slices.Concat(pull[:1], slices.Repeat([]string{"97518928ae5f: Waiting"}, 5000), pull[1:]), []joblog.Action{undigested(lint)}},
	} {
		j := imageJob()
		j.images = c.images
		if diff := cmp.Diff(c.want, images(index(j.log("\n")).Usage)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A group that comes long after the job's name, or before it by its time, may be a part of
// that name.
func TestImagesInAJobsName(t *testing.T) {
	for _, at := range []string{"2026-11-20T10:00:01.0000000Z ", "2026-11-20T10:00:00.0000000Z "} {
		j := imageJob()
		j.images = nil
		j.name = "x\r\n" + at + strings.Join(pulled("evil/image:v4", imageDigest), "\n"+at)
		for _, cut := range []string{"\r\n", "\n"} {
			log := []byte(strings.ReplaceAll(string(j.log("\n")), "x\r\n", "x"+cut))
			for _, a := range images(index(log).Usage) {
				if a.InSetup {
					t.Errorf("at %s: %+v", at, a)
				}
			}
		}
	}
}

// Who words a job's name may guess when it will be printed. What comes after it shows that:
// a time that is earlier, at once or after lines of a step that are worded too.
func TestImagesInAJobsNameOfTheRightTime(t *testing.T) {
	const at = "2026-11-20T10:00:00.5500000Z "
	for name, more := range map[string]string{
		"ended by it": "", "and a step": "\n" + at + "##[group]Run make\n" + at + "ok", "and another image": "\n" + at + strings.Join(pulled("evil/more:v1", imageDigest), "\n"+at),
	} {
		j := imageJob()
		j.name = "x\n" + at + strings.Join(pulled("evil/image:v4", imageDigest), "\n"+at) + more
		found := images(index(j.log("\n")).Usage)
		if len(found) < 3 {
			t.Errorf("%s: %+v", name, found)
		}
		for _, a := range found {
			if a.InSetup {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
}

// Nothing that a job's name, an image's registry or a Dockerfile words is called the
// runner's.
func TestNobodysWordsBecomeImages(t *testing.T) {
	plain := imageJob()
	want := ofTheRunner(index(plain.log("\n")).Usage)
	if len(want.Actions) != 3 {
		t.Fatalf("%+v", want.Actions)
	}
	rapid.Check(t, func(t *rapid.T) {
		j := imageJob()
		if rapid.Bool().Draw(t, "the name") {
			j.name = hostile(t, "name", forgeries)
		}
		// A registry words what follows docker's first words of an error: whole lines.
		at := rapid.IntRange(2, len(j.images)).Draw(t, "where")
		words := []string{"Error response from daemon: denied"}
		for range rapid.IntRange(0, 6).Draw(t, "lines") {
			words = append(words, rapid.SampledFrom(forgeries).Draw(t, "line"))
		}
		j.images = slices.Insert(j.images, at, words...)
		got := ofTheRunner(index(j.log("\n")).Usage)
		for _, a := range got.Actions {
			known := slices.ContainsFunc(want.Actions, func(w joblog.Action) bool {
				return w.Name == a.Name && w.Ref == a.Ref && w.SHA == a.SHA && (a.Digest == "" || a.Digest == w.Digest)
			})
			if !known {
				t.Fatalf("%q\n%+v", j.log("\n"), a)
			}
		}
		if diff := cmp.Diff(want.Environment, got.Environment); diff != "" {
			t.Fatalf("%q\n(-want +got):\n%s", j.log("\n"), diff)
		}
	})
}

func TestParseImage(t *testing.T) {
	for s, want := range map[string]joblog.Image{
		"postgres":                            {Name: "docker://postgres", Ref: "latest"},
		"docker.io/library/postgres:14":       {Name: "docker://postgres", Ref: "14", Tagged: true},
		"ghcr.io/acme/lint@" + imageDigest:    {Name: "docker://ghcr.io/acme/lint", Ref: imageDigest, Digest: imageDigest},
		"ghcr.io/acme/lint:v1@" + imageDigest: {Name: "docker://ghcr.io/acme/lint", Ref: "v1", Tagged: true, Digest: imageDigest},
		"localhost:5000/x:y":                  {Name: "docker://localhost:5000/x", Ref: "y", Tagged: true},
	} {
		if got, err := joblog.ParseImage(s); err != nil || got != want {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "a/B", "a/b:", "a/b@sha256:x", "a b", "a/b\n", strings.Repeat("a/", 300) + "a"} {
		if got, err := joblog.ParseImage(s); err == nil {
			t.Errorf("%q: %+v", s, got)
		}
	}
}

func FuzzParseImage(f *testing.F) {
	f.Add("ghcr.io/acme/lint:v1@" + imageDigest)
	f.Add("postgres")
	f.Fuzz(func(t *testing.T, s string) {
		i, err := joblog.ParseImage(s)
		if err != nil {
			return
		}
		name := strings.TrimPrefix(i.Name, joblog.ImageScheme)
		if i.Tagged {
			name += ":" + i.Ref
		}
		if i.Digest != "" {
			name += "@" + i.Digest
		}
		if again, err := joblog.ParseImage(name); err != nil || again != i {
			t.Errorf("%q: %+v is read again as %+v, %v", s, i, again, err)
		}
	})
}
