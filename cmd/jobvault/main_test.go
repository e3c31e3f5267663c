package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jobvault/jobvault/internal/testenv"
)

// beMain makes this test binary be jobvault itself, for tests from outside.
const beMain = "JOBVAULT_TEST_BE_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(beMain) != "" {
		main()
	}
	testscript.Main(tests{m}, map[string]func(){"jobvault": main})
}

// tests runs the package's tests and cleans up after them.
type tests struct{ m *testing.M }

func (t tests) Run() int { return testenv.Run(t.m) }
