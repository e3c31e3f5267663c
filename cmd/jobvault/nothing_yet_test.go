package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
)

// archiveCommands are all commands that need an archive that exists, as they are run.
var archiveCommands = []string{
	"jobs", "log 1", "grep x", "uses acme/lint", "coverage", "export 1 DIR", "verify", "verify --repair", "verify --database", "verify --manifests",
	"hold set --job=1 --reason=x", "hold list", "hold release 1", "token list", "token revoke ci", "retention list", "retention delete 1",
	"retention plan", "retention apply", "redact 1 --reason=x --yes", "reindex", "manifest", "migrate status", "migrate down --yes",
}

// firstCommands may be the first that an archive sees, and make it.
var firstCommands = []string{
	"backfill --repo=acme/rocket --since=1d", "reconcile", "rebuild", "token create --name=ci --repo=acme/rocket", "retention add --keep=9d", "migrate up",
}

// otherCommands have nothing to do with an archive's settings, or are the server.
var otherCommands = []string{"serve", "demo", "config", "version"}

// Every command is in one of the lists, so that the tests below are about all of them.
func TestEveryCommandIsListed(t *testing.T) {
	t.Parallel()
	parser, err := newParser(new(cli))
	if err != nil {
		t.Fatal(err)
	}
	listed := "\n" + strings.Join(append(append(append([]string{}, archiveCommands...), firstCommands...), otherCommands...), "\n") + "\n"
	for _, command := range parser.Model.Leaves(false) {
		name := strings.TrimPrefix(command.FullPath(), "jobvault ")
		if !strings.Contains(listed, "\n"+name+"\n") && !strings.Contains(listed, "\n"+name+" ") {
			t.Errorf("%s is in no list", name)
		}
	}
}

// Where nothing is archived, commands say so in one line, at once, with how to begin, and
// make nothing: no Postgres, no bucket, no directory.
func TestNothingIsMadeWhereNothingIsArchived(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	settings := []string{"JOBVAULT_DATA_DIR=" + dir, "JOBVAULT_DATABASE_URL=", "JOBVAULT_GITHUB_TOKEN=x"}
	for _, line := range archiveCommands {
		args := strings.Fields(line)
		code := exitFailed
		if args[0] == "grep" {
			code = grepFailed
		}
		w := &world{t: t, settings: settings}
		s := w.want(code, args...)
		if s.out != "" || strings.Count(s.err, "\n") != 1 || !strings.Contains(s.err, "nothing is archived in "+dir) || !strings.Contains(s.err, "jobvault serve begins") {
			t.Errorf("%s says %q, %q", line, s.out, s.err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s has made %s (%v)", line, dir, err)
		}
	}
	w := &world{t: t, settings: append(settings, "JOBVAULT_BUCKET_URL=file://"+dir)}
	if s := w.want(1, "verify", "--manifests"); !strings.Contains(s.err, "there is no directory "+dir) {
		t.Errorf("a bucket that is not there: %s", s.err)
	}
	// A bucket without its database is no empty folder.
	if err := os.MkdirAll(filepath.Join(dir, "bucket", "v1", "12"), 0o700); err != nil {
		t.Fatal(err)
	}
	w = &world{t: t, settings: settings}
	if s := w.want(1, "jobs"); !strings.Contains(s.err, "jobvault rebuild makes the database from the bucket") {
		t.Errorf("a bucket without its database: %s", s.err)
	}
}

// Where the environment names a server, no command reads or changes another archive than
// the server's: those that cannot ask it say so, and how to mean the settings' archive.
func TestEveryCommandAsksTheServerOrRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings = append(w.settings, "JOBVAULT_SERVER=http://user:hush@127.0.0.1:1/")
	asks := map[string]bool{"jobs": true, "log": true, "grep": true, "uses": true}
	for _, line := range append(append([]string{}, archiveCommands...), firstCommands...) {
		args := strings.Fields(line)
		s := w.want(exitUsage, args...) // one that asks does not take a URL with a password
		if strings.Contains(s.err, "cannot ask a server") == asks[args[0]] || !strings.Contains(s.err, "JOBVAULT_SERVER=") || strings.Contains(s.err, "hush") {
			t.Errorf("%s says %q", line, s.err)
		}
	}
	w.want(0, "jobs", "--server=")
	w.want(0, "config")
	// A copy of a bucket is read by its path, and no setting counts.
	if s := w.want(1, "verify", "--manifests", "--from", t.TempDir()); !strings.Contains(s.out, "0 manifests") {
		t.Errorf("verify of a copy: %s%s", s.out, s.err)
	}
}

// Those that may be the first make an archive, which the others then read.
func TestFirstCommandsBeginAnArchive(t *testing.T) {
	t.Parallel()
	sim, err := githubsim.Start(githubsim.Options{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	w := &world{t: t, settings: []string{"JOBVAULT_DATA_DIR=" + t.TempDir(), "JOBVAULT_DATABASE_URL=", "JOBVAULT_GITHUB_API_URL=" + sim.URL(), "JOBVAULT_GITHUB_TOKEN=" + sim.Token()}}
	w.want(0, "token", "create", "--name=ci", "--repo=acme/rocket")
	if s := w.want(0, "token", "list"); !strings.Contains(s.out, "acme/rocket") {
		t.Errorf("token list: %s", s.out)
	}
	w.want(0, "jobs")
	w.want(0, "verify", "--deep")
	// A database that was never migrated is read by nobody either, and says what to do.
	w.settings = append(w.settings, "JOBVAULT_DATABASE_URL="+testenv.EmptyDatabaseURL(t))
	for _, line := range []string{"jobs", "verify", "hold list", "retention plan"} {
		if s := w.want(1, strings.Fields(line)...); !strings.Contains(s.err, "run jobvault migrate up") {
			t.Errorf("%s without a schema: %s", line, s.err)
		}
	}
}
