// Command jobvault keeps what GitHub Actions forgets: it receives workflow_job
// webhooks, archives each job's details and log, and answers questions about them. It
// wires the other packages together from the settings, and is the only one that reads
// flags and the environment; see [docs/design.md].
//
// [docs/design.md]: https://github.com/jobvault/jobvault/blob/main/docs/design.md#rooms
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"

	"github.com/alecthomas/kong"
)

// Exit codes: 0 done, 1 failed or found something wrong, 2 wrong use.
const (
	exitFailed = 1
	exitUsage  = 2
)

// cli is the command line: the settings, which every command has, and the
// commands.
type cli struct {
	Settings

	Serve     serveCmd     `cmd:"" help:"Receive webhooks, archive jobs and their logs, and answer readers."`
	Migrate   migrateCmd   `cmd:"" help:"Apply or undo migrations of the database schema, or show their status."`
	Reconcile reconcileCmd `cmd:"" help:"Find and archive jobs that no webhook reported."`
	Backfill  backfillCmd  `cmd:"" help:"Archive jobs of the past, at low priority."`
	Coverage  coverageCmd  `cmd:"" help:"Show how many jobs are in each state, by repository and day."`
	Verify    verifyCmd    `cmd:"" help:"Check that the bucket holds what the ledger says."`
	Rebuild   rebuildCmd   `cmd:"" help:"Fill the database from the bucket alone."`
	Manifest  manifestCmd  `cmd:"" help:"Write the daily manifests that are due."`
	Export    exportCmd    `cmd:"" help:"Write jobs and their logs to a directory that an auditor can check."`
	Reindex   reindexCmd   `cmd:"" help:"Read archived logs again for the lines of their steps, for what their jobs used, and for the filters of grep."`
	Retention retentionCmd `cmd:"" help:"Manage how long logs are kept, and remove those that expired."`
	Hold      holdCmd      `cmd:"" help:"Set, list and release legal holds, which keep logs from being removed."`
	Redact    redactCmd    `cmd:"" help:"Remove a job's log, or only what patterns match in it."`
	Jobs      jobsCmd      `cmd:"" help:"List jobs, newest first."`
	Log       logCmd       `cmd:"" help:"Print an archived log."`
	Grep      grepCmd      `cmd:"" help:"Print lines of archived logs that match a pattern, newest jobs first."`
	Token     tokenCmd     `cmd:"" help:"Create, list and revoke tokens for reading."`
	Uses      usesCmd      `cmd:"" help:"Show which repositories used an action, and at which commits."`
	Demo      demoCmd      `cmd:"" help:"Archive a day of a small organisation from a simulated GitHub, and show the result."`
	Config    configCmd    `cmd:"" help:"Print the effective settings, with secrets redacted."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// Help is kong's: examples and exit status.
func (cli) Help() string {
	return helpText(`jobvault demo
jobvault serve
jobvault grep -i 'timed out' --since=7d`, "0 if it is done, 1 if it failed or found something wrong, 2 if it was used wrongly.")
}

// exitError ends the process with a code of its own; with a nil error it prints nothing.
type exitError struct {
	code int
	error
}

func (e exitError) Unwrap() error { return e.error }

// environment is what a command is given.
type environment struct {
	settings Settings
	stdout   io.Writer
	stderr   io.Writer
	given    givenFlags
	command  string // its name, with jobvault's
}

// usageError is wrong use: wrong flags, arguments or settings.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	ctx, stop := withStopSignals(context.Background())
	ctx, cancel := context.WithCancelCause(ctx)
	keepBrokenPipes()
	code := run(ctx, os.Args[1:], openOutput(os.Stdout, cancel), openOutput(os.Stderr, cancel))
	stop()
	dieOfBrokenPipe(ctx)
	os.Exit(code)
}

// run is main with its surroundings as parameters.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	parser, err := newParser(&c, kong.Writers(stdout, stderr), kong.Exit(func(code int) { exited = code }))
	if err != nil {
		fmt.Fprintln(stderr, "jobvault:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	c.Given = findGiven(parser.Model, args)
	c.Stray = findStray(variablesOf(parser.Model), os.Environ())
	command, err := parser.Parse(args)
	if exited >= 0 || nobodyReads(ctx) { // --help
		return max(exited, 0)
	}
	if err != nil {
		fmt.Fprintf(stderr, "jobvault: %s\nTry jobvault --help.\n", plainLines(c.Given.parseError(err)))
		return exitUsage
	}
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(&environment{settings: c.Settings, stdout: stdout, stderr: stderr, given: c.Given, command: command.Selected().FullPath()})
	code, ended := exitFailed, exitError{}
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		code, err = ended.code, ended.error
	case errors.As(err, &usageError{}):
		code = exitUsage
	}
	if err != nil && !nobodyReads(ctx) {
		fmt.Fprintln(stderr, "jobvault:", plainLines(err.Error()))
	}
	return code
}

// newParser reads the command line into c.
func newParser(c *cli, more ...kong.Option) (*kong.Kong, error) {
	return kong.New(c, append([]kong.Option{
		kong.Name("jobvault"),
		kong.Description("Keeps what GitHub Actions forgets: jobs in Postgres, logs in a bucket."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.Help(printHelp),
		kong.ValueFormatter(flagHelp),
		kong.ExplicitGroups(helpGroups),
		kong.KindMapper(reflect.Int, numberMapper(strconv.IntSize)),
		kong.KindMapper(reflect.Int64, numberMapper(64)),
	}, more...)...)
}
