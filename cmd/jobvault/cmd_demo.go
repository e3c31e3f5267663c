package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/localpg"
)

type demoCmd struct {
	Jobs int    `help:"Number of jobs in the simulated day." default:"400" placeholder:"NUM"`
	Seed uint64 `help:"Seed of the simulated day." default:"1" placeholder:"NUM"`
	// Bucket is not JOBVAULT_BUCKET_URL: nobody's archive is to become the demo's.
	Bucket string `help:"URL of an empty bucket for the logs, to try a server with. Without it: the data directory." placeholder:"URL"`
}

// demoSecret signs the demo's deliveries, on loopback, for a minute.
const demoSecret = "demo"

// demoTimeout bounds how long the demo waits for the last job.
const demoTimeout = 3 * time.Minute

// Help is kong's: examples and exit status.
func (demoCmd) Help() string {
	return helpText(`jobvault demo
jobvault demo --jobs=1000 --seed=7
jobvault demo --bucket='s3://trial?endpoint=127.0.0.1:7070&tls=false'`, usualExit)
}

// Run plays a day against a simulated GitHub: everything but GitHub is real. It
// succeeds only if every job is settled as GitHub's answers mean, and every
// archived log is, byte for byte, what was served.
func (d demoCmd) Run(ctx context.Context, e *environment) error {
	if d.Jobs < 1 {
		return usageError{errors.New(e.given.number("jobs", d.Jobs) + ": want a number of jobs, at least 1")}
	}
	started := time.Now()
	github, err := githubsim.Start(githubsim.Options{Seed: d.Seed})
	if err != nil {
		return err
	}
	c, err := d.config(ctx, e.settings, github)
	if err != nil {
		return errors.Join(err, github.Close())
	}
	fmt.Fprintf(e.stdout, "jobvault demo: a day of a small organisation, against a GitHub simulated on loopback\n\n")
	logFile, logger, err := demoLog(c)
	if err != nil {
		return errors.Join(err, github.Close())
	}
	show := newProgress(e.stderr)
	show.step("starting Postgres, bucket and server")
	s, err := startService(ctx, c, logger)
	if err != nil {
		return errors.Join(err, github.Close(), logFile.Close())
	}
	err = d.play(ctx, e.stdout, show, s, github)
	err = errors.Join(err, s.stop(), github.Close(), logFile.Close())
	if err == nil {
		d.printHints(e.stdout, c, time.Since(started))
	}
	return err
}

// config is the settings with the simulated GitHub for the real one, in a data
// dir of the demo's own, so that no real archive is touched.
func (d demoCmd) config(ctx context.Context, s Settings, github *githubsim.Server) (config, error) {
	s.DataDir = filepath.Join(s.DataDir, "demo")
	s.Listen = "127.0.0.1:0"
	s.DatabaseURL, s.BucketURL = "", d.Bucket
	if form, ok := s.Given["bucket"]; ok { // what is wrong with it is said of the flag that was given
		s.Given = maps.Clone(s.Given)
		s.Given["bucket-url"] = form
	}
	s.WebhookSecret, s.GitHubAPIURL, s.GitHubToken = demoSecret, github.URL(), Secret(github.Token())
	s.GitHubAppID, s.GitHubAppPrivateKeyFile = "", ""
	s.Repositories, s.Roles = "*", "receive,work,lookup"
	c, err := s.loadServe()
	if err != nil {
		return c, err
	}
	if err := d.checkEmpty(ctx, c); err != nil {
		return c, err
	}
	// A day of its own each time: what an earlier demo left would be settled
	// already.
	if err := removeDemo(ctx, c.dataDir); err != nil {
		return c, fmt.Errorf("remove the last demo: %w", err)
	}
	return c, os.MkdirAll(c.dataDir, 0o750)
}

// checkEmpty fails if the demo's bucket has an object: it may be somebody's, or of an
// earlier demo, whose jobs would be settled already.
func (d demoCmd) checkEmpty(ctx context.Context, c config) error {
	if d.Bucket == "" {
		return nil
	}
	a, err := openArchive(c)
	if err != nil {
		return err
	}
	for o, err := range a.Bucket().List(ctx, "") {
		if err == nil {
			err = fmt.Errorf("the demo's bucket is not empty: it has %q", o.Key)
		}
		return err
	}
	return nil
}

// removeDemo removes the last demo's data, unless a jobvault uses it. A Postgres
// that a killed demo left running is taken over and stopped first.
func removeDemo(ctx context.Context, dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	last, err := localpg.Start(ctx, localpg.Config{Dir: dir})
	if err != nil {
		return err
	}
	return errors.Join(last.Close(), os.RemoveAll(dir))
}

// demoLog is where the server's own log goes while the demo talks.
func demoLog(c config) (io.Closer, *slog.Logger, error) {
	f, err := os.Create(filepath.Join(c.dataDir, "jobvault.log"))
	if err != nil {
		return nil, nil, err
	}
	return f, newLogger(c, f), nil
}

// play delivers the day, waits until all is settled, and proves what landed.
func (d demoCmd) play(ctx context.Context, out io.Writer, show *progress, s *service, github *githubsim.Server) error {
	show.step("making up the day")
	day := github.PlayableDay(d.Seed, d.Jobs, 0)
	show.step(fmt.Sprintf("delivering %d webhooks, one in ten twice, in any order; three in a hundred GitHub never sends", len(day.Deliveries)))
	results := githubsim.Send(ctx, s.url()+"/webhook", day.Deliveries, githubsim.SendOptions{
		Secret: demoSecret, Duplicates: .1, Lost: .03, Shuffle: true, Seed: d.Seed, Concurrency: 16,
	})
	for _, r := range results {
		if r.Err != nil || r.Status != 202 {
			return fmt.Errorf("delivery %s was answered %d, not 202: %w", r.Delivery.GUID, r.Status, r.Err)
		}
	}
	show.step("reconciling: listing the runs, and the jobs that no webhook told of")
	sweeper := s.sweeper()
	if err := demoReconcile(ctx, sweeper); err != nil {
		return err
	}
	if err := awaitSettled(ctx, show, s.db, len(day.Jobs)); err != nil {
		return err
	}
	show.step("comparing every archived log with what was served")
	checked, err := checkDay(ctx, s, day)
	show.done()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d deliveries answered 202, %d never sent; %d jobs settled, each as GitHub's answers mean;\n%d logs archived, %d digests compared with what was served: all equal.\n",
		len(results), neverSent(day, results), len(day.Jobs), checked, checked)
	return reportDay(ctx, out, s)
}

// neverSent counts the deliveries that were not sent even once.
func neverSent(day githubsim.Day, results []githubsim.SendResult) int {
	sent := make(map[string]bool)
	for _, r := range results {
		sent[r.Delivery.GUID] = true
	}
	return len(day.Deliveries) - len(sent)
}

// demoReconcile sweeps until the repositories are known: the deliveries that name
// them are rows a moment after they were accepted.
func demoReconcile(ctx context.Context, s *ingest.Sweeper) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		backlog, err := s.DB.Backlog(ctx)
		if err != nil {
			return err
		}
		if backlog.Deliveries == 0 {
			_, err := s.Reconcile(ctx, nil)
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (d demoCmd) printHints(out io.Writer, c config, took time.Duration) {
	program, bucket, logs := fmt.Sprintf("%s --data-dir %s", os.Args[0], c.dataDir), c.bucketDir(), ""
	if d.Bucket != "" {
		program, bucket = fmt.Sprintf("%s --bucket-url '%s'", program, d.Bucket), d.Bucket
	} else {
		logs = fmt.Sprintf("  zstd -dc %s/v1/*/*/*/JOB_ID/log.zst\n", bucket)
	}
	fmt.Fprintf(out, `
Look further (the data stays until the next demo):
  %[1]s jobs --conclusion failure
  %[1]s jobs --log-state missing --json
  %[1]s log JOB_ID --lines 1-40
  %[1]s coverage
  %[1]s verify --deep
  %[1]s --roles lookup serve     (and open http://127.0.0.1:8080/)
%[2]s
Where it lies:
  tables  %[3]s/postgres   (Postgres; runs while a jobvault uses it)
  logs    %[4]s     (one folder a job: job.json and log.zst or settled.json)
  server  %[3]s/jobvault.log

It took %[5]s.
`, program, logs, c.dataDir, bucket, took.Round(100*time.Millisecond))
}
