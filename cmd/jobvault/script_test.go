package main

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jobvault/jobvault/internal/testenv"
)

// The scripts run the real binary: help, wrong settings, exit codes, and a little of
// everything against a database.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("DATABASE", testenv.DatabaseURL(t))
			e.Setenv("EMPTY", testenv.EmptyDatabaseURL(t))
			return nil
		},
		// wantexit CODE COMMAND…: the script's own commands know only 0 and not 0.
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"wantexit": func(ts *testscript.TestScript, _ bool, args []string) {
				err := ts.Exec(args[1], args[2:]...)
				got := "exit status " + args[0]
				if args[0] == "0" && err == nil {
					return
				}
				if err == nil || !strings.HasSuffix(err.Error(), got) {
					ts.Fatalf("%s ended with %v, want %s", strings.Join(args[1:], " "), err, got)
				}
			},
		},
	})
}
