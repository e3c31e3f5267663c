package localpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakePostgres makes a folder with programs that only know their version. Every
// user can run them.
func fakePostgres(t *testing.T, root, version string) string {
	t.Helper()
	dir := filepath.Join(root, strings.ReplaceAll(version, " ", "-"), "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s'\n", version)
	for _, name := range []string{"initdb", "postgres"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := readable(root); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return dir
}

// openDir is a temporary folder that every user can walk to.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "localpg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFindBinaries(t *testing.T) {
	t.Parallel()
	acct, err := accountFor("")
	if err != nil {
		t.Fatal(err)
	}
	root := openDir(t)
	v13 := fakePostgres(t, root, "13.21")
	v14 := fakePostgres(t, root, "14.9 (Debian 14.9-1)")
	v15 := fakePostgres(t, root, "15.13")
	v16 := fakePostgres(t, root, "16beta1")
	half := fakePostgres(t, root, "17.1")
	if err := os.Remove(filepath.Join(half, "initdb")); err != nil {
		t.Fatal(err)
	}
	all := []string{filepath.Join(root, "*", "bin")}

	for _, test := range []struct {
		name  string
		c     catalogue
		major int
		want  string
	}{
		{"the highest", catalogue{patterns: all}, 0, v16},
		{"PATH goes first", catalogue{first: []string{"", "bin", "/nowhere", v15, v16}, patterns: all}, 0, v15},
		{"unless too old", catalogue{first: []string{v13}, patterns: all}, 0, v16},
		{"the cluster's", catalogue{first: []string{v15}, patterns: all}, 14, v14},
		{"none of the cluster's", catalogue{first: []string{v15}, patterns: all}, 18, ""},
		{"only one folder", catalogue{first: []string{v14}}, 0, v14},
		{"only half of it", catalogue{first: []string{half}}, 0, ""},
	} {
		if got, _ := test.c.find(t.Context(), acct, test.major); got.dir != test.want {
			t.Errorf("%s: %q, want %q", test.name, got.dir, test.want)
		}
	}
}

func TestUnrunnableBinariesAreNotChosen(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("for root")
	}
	acct, err := accountFor("")
	if err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(openDir(t), "closed")
	dir := fakePostgres(t, closed, "15.1")
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	b, rejected := (&catalogue{first: []string{dir}}).find(t.Context(), acct, 0)
	if b.dir != "" || len(rejected) != 1 || !strings.Contains(rejected[0], "permission denied") {
		t.Errorf("chose %q, rejected %q", b.dir, rejected)
	}
}

func TestNoBinariesSaysWhatToDo(t *testing.T) {
	t.Parallel()
	c := Config{Dir: t.TempDir(), BinDir: fakePostgres(t, openDir(t), "13.2")}
	_, err := Start(t.Context(), c)
	if !errors.Is(err, ErrNoBinaries) {
		t.Fatalf("error = %v", err)
	}
	for _, want := range []string{c.BinDir + " has version 13", "apt install postgresql", "brew install postgresql@17", "JOBVAULT_DATABASE_URL"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}
