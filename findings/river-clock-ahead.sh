#!/usr/bin/env bash
# River, a queue in Postgres: one client whose clock is ahead stops the periodic work of
# all, silently, for as long as it is ahead.
#
# Seen with github.com/riverqueue/river v0.51.1 and riverpgxv5 v0.51.1, PostgreSQL 15, Go 1.26.
#
# One would guess that a client whose clock is wrong harms its own work at most, as jobs are
# claimed by Postgres' now(). But periodic jobs are inserted with scheduled_at by the clock of
# the client that leads, and claimed when that is past by Postgres' clock. Where a periodic job
# is unique by its state, as it must be if two may not run at once, the row in the future counts
# as one that waits: when a client with the right clock leads again, its inserts are skipped as
# duplicates. There is no error and no line in the log.
#
# What is done: a program with a periodic job for every second, unique by its state, runs for
# some seconds with its clock two hours ahead (its time.Now is replaced when it is built, see
# go help build, -overlay); then the same program runs with the right clock, on the same tables.
#
# Output seen:
#   the right clock, alone: ran 10 times in 12 s
#   the right clock, after one that was two hours ahead: ran 0 times in 12 s
#
# Needs: Go 1.26, and PostgreSQL's initdb and postgres (Debian: apt-get install postgresql).
# Takes some minutes. Exits 0 while River does so, 1 when it does not any more.
set -euo pipefail

dir=$(mktemp -d)
bin=$(dirname "$(command -v initdb || ls -d /usr/lib/postgresql/*/bin/initdb | tail -n 1)")
as=()
if [ "$(id -u)" = 0 ]; then # Postgres does not run as root
  chown nobody "$dir" && chmod 755 "$dir"
  as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
fi
trap '"${as[@]}" "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
"${as[@]}" "$bin/initdb" -D "$dir/data" -U river --auth=trust >/dev/null
"${as[@]}" "$bin/pg_ctl" -D "$dir/data" -w -l "$dir/data/log" -o "-c listen_addresses='' -c unix_socket_directories='$dir'" start >/dev/null
url="postgres:///postgres?host=$dir&user=river"

mkdir "$dir/program" && cd "$dir/program"
cat >go.mod <<'MOD'
module example.com/periodic

go 1.26
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

type tick struct{}

func (tick) Kind() string { return "tick" }

func (tick) InsertOpts() river.InsertOpts {
	return river.InsertOpts{UniqueOpts: river.UniqueOpts{ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

type worker struct {
	river.WorkerDefaults[tick]
	ran atomic.Int64
}

func (w *worker) Work(context.Context, *river.Job[tick]) error { w.ran.Add(1); return nil }

func main() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Args[1])
	check(err)
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, nil)
	check(err)
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	check(err)
	w, workers := &worker{}, river.NewWorkers()
	river.AddWorker(workers, w)
	client, err := river.NewClient(driver, &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 1}},
		Workers: workers,
		PeriodicJobs: []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(time.Second),
			func() (river.JobArgs, *river.InsertOpts) { return tick{}, nil }, &river.PeriodicJobOpts{RunOnStart: true})},
	})
	check(err)
	check(client.Start(ctx))
	time.Sleep(12 * time.Second) // one is elected to lead within some seconds
	check(client.Stop(ctx))
	fmt.Println(w.ran.Load())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
GO
go get github.com/riverqueue/river@v0.51.1 github.com/riverqueue/river/riverdriver/riverpgxv5@v0.51.1 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go build -o right .
# The wall clock alone: in Now, the seconds that the runtime gives.
awk '/^func Now\(\) Time/ { inside = 1 } { print } inside && /runtimeNow\(\)/ { print "\tsec += 2 * 60 * 60"; inside = 0; n++ } END { exit n != 1 }' \
  "$(go env GOROOT)/src/time/time.go" >"$dir/time.go"
printf '{"Replace":{"%s":"%s"}}' "$(go env GOROOT)/src/time/time.go" "$dir/time.go" >"$dir/overlay.json"
go build -overlay "$dir/overlay.json" -o ahead .
chmod -R a+rX "$dir/program"

# Fails if it is not so any more.
alone=$("${as[@]}" ./right "$url")
echo "the right clock, alone: ran $alone times in 12 s"
"${as[@]}" ./ahead "$url" >/dev/null
after=$("${as[@]}" ./right "$url")
echo "the right clock, after one that was two hours ahead: ran $after times in 12 s"
[ "$alone" -ge 2 ] && [ "$after" = 0 ]
