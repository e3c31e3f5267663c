package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// part is a program that tests use and that does not come with Go.
type part struct {
	names  []string               // what it may be called in PATH, the best first
	tool   bool                   // `make tools` builds it, into .cache/bin, which is looked at before PATH
	env    string                 // a variable that names the program and comes before all else; empty: none
	usable func(path string) bool // nil: whatever has the name
	get    string                 // how to get it
}

// parts are all of them, by the name that a test asks for. No other place says where
// they are looked for and how to get them; only PostgreSQL is looked for by
// internal/localpg, as jobvault itself does. CI installs them in .ci/run.
var parts = map[string]part{
	"chromium": {
		names: []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"},
		get:   "Debian: apt-get install chromium",
	},
	"GNU grep": {
		names: []string{"ggrep", "grep"}, usable: saysGNU,
		get: "Debian: apt-get install grep; Homebrew: brew install grep",
	},
	"minio": {
		names: []string{"minio"}, tool: true, env: "JOBVAULT_TEST_MINIO",
		get: "run `make tools`, or set JOBVAULT_TEST_MINIO to the program",
	},
	"rclone": {
		names: []string{"rclone"}, tool: true,
		get: "run `make tools`",
	},
	"versitygw": {
		names: []string{"versitygw"}, tool: true,
		get: "run `make tools`",
	},
	"go":              {names: []string{"go"}, get: "put Go's own bin folder into PATH"},
	"npm":             {names: []string{"npm"}, get: "install Node.js 20 or later (Debian: apt-get install nodejs npm)"},
	"pg_dump":         {names: []string{"pg_dump"}, get: "Debian: apt-get install postgresql-client; Homebrew: brew install libpq"},
	"pg_restore":      {names: []string{"pg_restore"}, get: "Debian: apt-get install postgresql-client; Homebrew: brew install libpq"},
	"pgbouncer":       {names: []string{"pgbouncer", "/usr/sbin/pgbouncer"}, get: "Debian: apt-get install pgbouncer (and systemctl disable --now pgbouncer); Homebrew: brew install pgbouncer"},
	"sha256sum":       {names: []string{"sha256sum"}, get: "Debian: apt-get install coreutils; Homebrew: brew install coreutils"},
	"systemd-analyze": {names: []string{"systemd-analyze"}, get: "Debian: apt-get install systemd"},
	"zstd":            {names: []string{"zstd"}, get: "Debian: apt-get install zstd; Homebrew: brew install zstd"},
}

// errMissing is about a part that this machine does not have.
var errMissing = errors.New("missing on this machine")

// Program returns the path of a program of parts. Without it the test is skipped, in CI
// it fails; both say how to get it.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := find(name)
	if errors.Is(err, errMissing) {
		Missing(t, "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// find is Program for callers without a test.
func find(name string) (string, error) {
	p, ok := parts[name]
	if !ok {
		return "", fmt.Errorf("testenv: %s is not among the parts", name)
	}
	if path := os.Getenv(p.env); p.env != "" && path != "" {
		return path, nil
	}
	for _, program := range p.names {
		if path, ok := built(program); ok && p.tool {
			return path, nil
		}
		if path, err := exec.LookPath(program); err == nil && (p.usable == nil || p.usable(path)) {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is %w: %s", name, errMissing, p.get)
}

// built looks where `make tools` puts programs: in .cache/bin of this folder or one above.
func built(program string) (path string, ok bool) {
	for dir := must(os.Getwd()); ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, ".cache", "bin", program)
		if _, err := os.Stat(path); err == nil {
			return path, true
		}
		if dir == filepath.Dir(dir) {
			return "", false
		}
	}
}

func saysGNU(path string) bool {
	out, err := exec.CommandContext(context.Background(), path, "--version").Output()
	return err == nil && bytes.Contains(out, []byte("GNU"))
}
