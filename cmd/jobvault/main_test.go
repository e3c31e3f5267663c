package main

import (
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jobvault/jobvault/internal/testenv"
)

// beMain makes this test binary be jobvault itself, for tests from outside.
const beMain = "JOBVAULT_TEST_BE_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(beMain) != "" {
		for _, kv := range os.Environ() { // what the tests are told is no setting
			if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "JOBVAULT_TEST_") || name == "JOBVAULT_CORPUS" {
				os.Unsetenv(name)
			}
		}
		main()
	}
	// With the race detector, a command that has succeeded would sleep for a second.
	os.Setenv("GORACE", strings.TrimSpace("atexit_sleep_ms=20 "+os.Getenv("GORACE")))
	testscript.Main(tests{m}, map[string]func(){"jobvault": main})
}

// tests runs the package's tests and cleans up after them.
type tests struct{ m *testing.M }

func (t tests) Run() int { return testenv.Run(t.m) }
