// Command jobvault keeps what GitHub Actions forgets: it receives workflow_job
// webhooks, archives each job's details and log, and answers questions about
// them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

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

	Serve     serveCmd     `cmd:"" help:"Receive webhooks, archive jobs and logs."`
	Migrate   migrateCmd   `cmd:"" help:"Bring the database schema up or down, or show where it is."`
	Reconcile reconcileCmd `cmd:"" help:"Look for jobs that no webhook told of, and archive them."`
	Backfill  backfillCmd  `cmd:"" help:"Archive jobs of the past, at low priority."`
	Coverage  coverageCmd  `cmd:"" help:"Show by repository and day what became of every job."`
	Verify    verifyCmd    `cmd:"" help:"Hold the ledger against the bucket."`
	Rebuild   rebuildCmd   `cmd:"" help:"Fill the database from the bucket alone."`
	Manifest  manifestCmd  `cmd:"" help:"Write the daily manifests that are due."`
	Export    exportCmd    `cmd:"" help:"Write jobs with their logs as a package that an auditor can check."`
	Reindex   reindexCmd   `cmd:"" help:"Read archived logs again for what their jobs used, and for what grep looks into first."`
	Retention retentionCmd `cmd:"" help:"Say how long logs are kept, and remove those whose time is over."`
	Hold      holdCmd      `cmd:"" help:"Set, list and release legal holds: what they cover is not removed."`
	Redact    redactCmd    `cmd:"" help:"Remove a job's log, or what patterns match in it."`
	Jobs      jobsCmd      `cmd:"" help:"List jobs."`
	Log       logCmd       `cmd:"" help:"Print an archived log."`
	Grep      grepCmd      `cmd:"" help:"Search archived logs."`
	Token     tokenCmd     `cmd:"" help:"Make, list and revoke tokens that may read."`
	Uses      usesCmd      `cmd:"" help:"Tell who used an action, and at which commits."`
	Demo      demoCmd      `cmd:"" help:"Play a day of a small organisation against a simulated GitHub, and show what landed."`
	Config    configCmd    `cmd:"" help:"Print the effective settings, secrets redacted."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// exitError ends with another code than its kind of error does; nil: without a word.
type exitError struct {
	code int
	error
}

func (e exitError) Unwrap() error { return e.error }

// environment is what commands get from outside.
type environment struct {
	settings Settings
	stdout   io.Writer
	stderr   io.Writer
}

// usageError is an error of the caller's: wrong flags or settings.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with its surroundings as parameters.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("jobvault"),
		kong.Description("Keeps what GitHub Actions forgets: jobs in Postgres, logs in a bucket."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "jobvault:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "jobvault: %s\nTry jobvault --help.\n", plainLines(err.Error()))
		return exitUsage
	}
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(&environment{settings: c.Settings, stdout: stdout, stderr: stderr})
	code, ended := exitFailed, exitError{}
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		code, err = ended.code, ended.error
	case errors.As(err, &usageError{}):
		code = exitUsage
	}
	if err != nil {
		fmt.Fprintln(stderr, "jobvault:", plainLines(err.Error()))
	}
	return code
}
