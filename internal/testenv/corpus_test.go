package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stopped is a test that ends where it fails or is skipped, and what it says then.
type stopped struct {
	testing.TB
	how, said string
}

func (s *stopped) Helper() {}

func (s *stopped) Fatalf(format string, args ...any) { s.end("failed", fmt.Sprintf(format, args...)) }

func (s *stopped) Skipf(format string, args ...any) { s.end("skipped", fmt.Sprintf(format, args...)) }

func (s *stopped) end(how, said string) {
	s.how, s.said = how, said
	panic(s)
}

// A folder that is named must be there; without a name, a test of it is skipped.
func TestCorpus(t *testing.T) {
	try := func(named string) (dir string, s *stopped) {
		t.Setenv("JOBVAULT_CORPUS", named)
		s = &stopped{TB: t}
		defer func() {
			if e := recover(); e != nil && e != any(s) {
				panic(e)
			}
		}()
		return Corpus(s), s
	}
	there := filepath.Join(t.TempDir(), "corpus")
	if _, s := try(there); s.how != "failed" || !strings.Contains(s.said, "JOBVAULT_CORPUS names no corpus") {
		t.Errorf("a name of nothing: %+v", s)
	}
	if err := os.Mkdir(there, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(there, "README.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if dir, s := try(there); dir != there || s.how != "" {
		t.Errorf("%q, %+v", dir, s)
	}
	checkout := filepath.Join(t.TempDir(), "checkout")
	if err := os.Mkdir(checkout, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(checkout, "go.mod"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(checkout)
	if _, s := try(""); s.how != "skipped" || !strings.Contains(s.said, "set JOBVAULT_CORPUS") {
		t.Errorf("no name: %+v", s)
	}
}
