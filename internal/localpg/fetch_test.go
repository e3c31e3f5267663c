package localpg

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestFetchedPostgres runs a Postgres whose binaries come from a Maven
// repository on loopback: wrappers around this machine's.
func TestFetchedPostgres(t *testing.T) {
	t.Parallel()
	have := systemBinaries(t)
	repository, requests := serveArtefact(t, artefact(t, have.dir), "")
	c := config(t.TempDir())
	c.programs = &catalogue{cache: filepath.Join(openDir(t), "cache"), repository: repository, major: have.major}
	s := mustStart(t, c)
	query(t, s.URL(), `select 'up'`)
	mustClose(t, s)

	fetched := requests.Load()
	if fetched == 0 {
		t.Fatal("nothing was fetched")
	}
	mustStart(t, c)
	if requests.Load() != fetched {
		t.Error("fetched again")
	}
	left, err := os.ReadDir(c.programs.cache)
	if err != nil || len(left) != 1 {
		t.Errorf("in the cache: %v, %v; want one folder", left, err)
	}
}

func TestFetchFails(t *testing.T) {
	t.Parallel()
	have := systemBinaries(t)
	jar := artefact(t, have.dir)
	for _, test := range []struct {
		name, sum, want string
		jar             []byte
		major           int
	}{
		{name: "no such version", want: "no version found"},
		{name: "wrong checksum", jar: jar, sum: strings.Repeat("0", 64), want: "checksums do not match"},
		{name: "no archive", jar: []byte("not a zip"), want: "zip"},
		{name: "not offered", jar: jar, major: 11, want: "version 11 is not among"},
		{name: "not what it says", jar: jar, major: otherThan(have.major), want: fmt.Sprintf("holds version %d", have.major)},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Config{Dir: t.TempDir()}
			repository, _ := serveArtefact(t, test.jar, test.sum)
			major := test.major
			if major == 0 {
				major = have.major
			}
			c.programs = &catalogue{cache: openDir(t), repository: repository, major: major}
			_, err := Start(t.Context(), c)
			if !errors.Is(err, ErrNoBinaries) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestFetchIsInterruptible(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-over
		http.NotFound(w, r)
	}))
	c := Config{Dir: t.TempDir(), programs: &catalogue{cache: openDir(t), repository: server.URL, major: fetchMajor}}
	_, err := Start(ctx, c)
	close(over)
	server.Close() // once the request has ended
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

func otherThan(major int) int {
	if major == 16 {
		return 17
	}
	return 16
}

// artefact builds what the repository serves: a zip with a .txz of bin.
func artefact(t *testing.T, bin string) []byte {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	add := func(h tar.Header, text string) {
		h.Size = int64(len(text))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	add(tar.Header{Typeflag: tar.TypeDir, Name: "bin/", Mode: 0o700}, "")
	for _, name := range []string{"initdb", "pg_ctl", "postgres"} {
		add(tar.Header{Typeflag: tar.TypeReg, Name: "bin/" + name, Mode: 0o700},
			fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", filepath.Join(bin, name)))
	}
	add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/postmaster", Linkname: "postgres"}, "")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	xz, err := exec.LookPath("xz")
	if err != nil {
		missing(t, "xz is needed to build an artefact: install the package xz-utils")
	}
	cmd := exec.Command(xz, "-c")
	cmd.Stdin = &archive
	txz, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	f, err := z.Create("postgres-test.txz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(txz); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return jar.Bytes()
}

// serveArtefact serves jar, unless nil, with the checksum sum or the right
// one, and counts the requests.
func serveArtefact(t *testing.T, jar []byte, sum string) (url string, requests *atomic.Int32) {
	t.Helper()
	if sum == "" {
		sum = fmt.Sprintf("%x", sha256.Sum256(jar))
	}
	requests = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		switch {
		case jar == nil:
			http.NotFound(w, r)
		case strings.HasSuffix(r.URL.Path, ".jar"):
			w.Write(jar)
		case strings.HasSuffix(r.URL.Path, ".jar.sha256"):
			fmt.Fprint(w, sum)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}
