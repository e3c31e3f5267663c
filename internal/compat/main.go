// Command compat tries what jobvault works with, and prints a row of a Markdown table for
// each: S3 servers, versions of Postgres, readers of its logs. The table is the last thing
// that it prints.
//
//	go run ./internal/compat                               # all of it, half an hour
//	go run ./internal/compat -servers minio stores         # S3 servers
//	go run ./internal/compat -versions "14 18" postgres    # versions of Postgres, and PgBouncer
//	go run ./internal/compat -readers zstd,node readers    # readers of log.zst
//
// It needs the programs that make compat builds first: bin/jobvault for the demo, and the S3
// servers in .cache/bin.
//
// It ends with 1 if something failed, or is otherwise than docs/compatibility.md says: the
// rows of its tables are what this prints. What this machine does not have is named, and no
// failure; in CI it is one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// options say what is tried.
type options struct {
	servers  string // as in JOBVAULT_TEST_STORES
	versions string // of Postgres: numbers, oldest, newest; empty: all
	packages string // whose tests run on each version of Postgres
	demo     string // the versions on which the demo runs, as in versions
	atOnce   int    // how many versions at once
	readers  string // parts of the names of readers; empty: all
}

// kind is a part of the table.
type kind struct {
	name string
	try  func(ctx context.Context, o options) ([]row, error)
}

var kinds = []kind{{"stores", tryStores}, {"postgres", tryPostgres}, {"readers", tryReaders}}

func main() {
	var o options
	flag.StringVar(&o.servers, "servers", "all", "names of S3 servers, separated by commas")
	flag.StringVar(&o.versions, "versions", "", "of Postgres: numbers, oldest or newest, separated by spaces; empty: all")
	flag.StringVar(&o.packages, "packages", "./store ./migrations", "whose tests run on each version of Postgres")
	flag.StringVar(&o.demo, "demo", "", "the versions on which the demo runs too; empty: all")
	flag.IntVar(&o.atOnce, "at-once", 1, "how many versions of Postgres are tried at once")
	flag.StringVar(&o.readers, "readers", "", "names of readers, or parts of them, separated by commas; empty: all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, o, flag.Args())
	stop()
	if err != nil {
		os.Exit(1) // what is wrong has been said before the table
	}
}

// run tries some kinds, or all if none is named, and prints the table. What is wrong goes
// to standard error before it.
func run(ctx context.Context, out io.Writer, o options, names []string) error {
	page, err := readPage()
	var rows []row
	for _, name := range names {
		if !slices.ContainsFunc(kinds, func(k kind) bool { return k.name == name }) {
			err = errors.Join(err, fmt.Errorf("%q: there are stores, postgres and readers", name))
		}
	}
	for _, k := range kinds {
		if err == nil && (len(names) == 0 || slices.Contains(names, k.name)) {
			fmt.Fprintf(os.Stderr, "compat: %s\n", k.name)
			tried, terr := k.try(ctx, o)
			rows = append(rows, tried...)
			err = errors.Join(err, terr)
		}
	}
	return finish(out, os.Stderr, rows, page, err)
}
