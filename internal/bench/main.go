// Command bench measures jobvault against peers and limits, each pair in one
// run on one machine, and prints a table with both sides. Absolute figures are
// this machine's; what counts is the ratio.
//
//	go run ./internal/bench            # everything, some minutes
//	go run ./internal/bench -smoke     # everything, small, to see that it runs
//	go run ./internal/bench -only accept,memory
//	go run ./internal/bench -only extraction -before HEAD~1
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
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// row is a line of the table.
type row struct {
	what    string
	ours    string
	against string
	ratio   string
	wanted  string
	missed  bool
}

// scale is how much each measurement does.
type scale struct {
	acceptFor    time.Duration // each side, each round
	acceptTurns  int
	logSize      int64 // throughput
	logTurns     int
	memoryLog    int64
	memoryGroups int
	jobs         int   // archive rate
	history      int   // jobs of reconcile and backfill
	verifyLog    int64 // bytes
	readLog      int64
	lists        [2]int // jobs
	grepLogs     int
}

var (
	full = scale{acceptFor: 10 * time.Second, acceptTurns: 3, logSize: 1 << 30, logTurns: 3, memoryLog: 2 << 30, memoryGroups: 1_000_000, jobs: 2000, history: 10_000, verifyLog: verifyLogSize,
		readLog: 1 << 30, lists: [2]int{100_000, 1_000_000}, grepLogs: 2000}
	smoke = scale{acceptFor: time.Second, acceptTurns: 1, logSize: 32 << 20, logTurns: 1, memoryLog: 64 << 20, memoryGroups: 20_000, jobs: 100, history: 400, verifyLog: 256 << 10,
		readLog: 32 << 20, lists: [2]int{1_000, 5_000}, grepLogs: 40}
)

// measurements in the order of the table.
var measurements = []struct {
	name    string
	measure func(context.Context, *lab) ([]row, error)
}{
	{"accept", measureAccept},
	{"throughput", measureThroughput},
	{"extraction", measureExtraction},
	{"memory", measureMemory},
	{"archive", measureArchive},
	{"requests", measureRequests},
	{"reconcile", measureReconcile},
	{"backfill", measureBackfill},
	{"verify", measureVerify},
	{"reading", measureReading},
	{"rights", measureRights},
	{"paint", measurePaint},
	{"lists", measureLists},
	{"grep", measureGrep},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == archiveOne {
		if err := runArchiveOne(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var errMissed = errors.New("a wanted figure was missed")

func run(ctx context.Context, out io.Writer) error {
	small := flag.Bool("smoke", false, "measure little, to see that it runs; no figure counts")
	only := flag.String("only", "", "measurements to take, separated by commas: accept, throughput, extraction, memory, archive, requests, reconcile, backfill, verify, reading, rights, paint, lists, grep")
	each := flag.Bool("each", false, "tell of each of many figures that go into one")
	before := flag.String("before", "", "the commit that extraction, requests and grep are compared with; empty: each with the last one before it changed")
	flag.Parse()
	l, err := newLab(ctx)
	if err != nil {
		return err
	}
	l.scale, l.before, l.each = full, *before, *each
	if *small {
		l.scale = smoke
	}
	var rows []row
	for _, m := range measurements {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), m.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s…\n", m.name)
		more, err := m.measure(ctx, l)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", m.name, err), l.close())
		}
		rows = append(rows, more...)
	}
	if err := l.close(); err != nil {
		return err
	}
	return printTable(out, rows, *small)
}

func printTable(out io.Writer, rows []row, small bool) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tJOBVAULT\tAGAINST\tRATIO\tWANTED\t")
	missed := false
	for _, r := range rows {
		verdict := ""
		if r.missed && !small {
			verdict, missed = "MISSED", true
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.what, r.ours, r.against, r.ratio, r.wanted, verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if missed {
		return errMissed
	}
	return nil
}
