package testenv

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Whoever lacks a part is told how to get it.
func TestWhatIsMissingSaysHowToGetIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("JOBVAULT_TEST_MINIO", "")
	t.Chdir(t.TempDir()) // above which there is no .cache/bin
	for name, p := range parts {
		path, err := find(name)
		if err == nil && slices.Contains(p.names, path) {
			continue // it is not looked for in PATH alone
		}
		if !errors.Is(err, errMissing) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), p.get) || p.get == "" {
			t.Errorf("%s: %q, %v", name, path, err)
		}
	}
	if _, err := find("nothing"); err == nil || errors.Is(err, errMissing) {
		t.Errorf("what is not among the parts: %v", err)
	}
}

func TestWhereProgramsAreLookedFor(t *testing.T) {
	inPath, root := t.TempDir(), t.TempDir()
	program := func(text string, path ...string) string {
		file := filepath.Join(path...)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("#!/bin/sh\necho "+text+"\n"), 0o755)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	want := func(name, path string) {
		t.Helper()
		if got, err := find(name); err != nil || got != path {
			t.Errorf("%s is at %q, want %q (%v)", name, got, path, err)
		}
	}
	t.Setenv("PATH", inPath)
	t.Setenv("JOBVAULT_TEST_MINIO", "")
	below := filepath.Join(root, "some", "folder")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(below)

	want("minio", program("", inPath, "minio"))
	want("minio", program("", root, ".cache", "bin", "minio"))
	t.Setenv("JOBVAULT_TEST_MINIO", "/elsewhere/minio")
	want("minio", "/elsewhere/minio")

	program("", root, ".cache", "bin", "zstd") // which make tools does not build
	want("zstd", program("", inPath, "zstd"))

	program("BSD", inPath, "ggrep")
	want("GNU grep", program("GNU", inPath, "grep"))
}
