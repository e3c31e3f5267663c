// Command readers tries programs and libraries that read Zstandard on logs (log.zst) that
// jobvault wrote, and prints which of them read all of it, as rows for internal/compat: a log
// is many frames and a seek table, and some readers take the first frame for all there is.
//
//	make test-readers                          # all, some minutes
//	go run ./internal/readers -only zstd,node  # those whose names have one of these in them
//
// It installs npm packages and Go modules of pinned versions into a temporary folder, and
// takes Debian's from this machine. It exits 1 if a reader does something else than is
// known of it; one that this machine does not have is named, and no failure.
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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	only := flag.String("only", "", "names of readers, or parts of them, separated by commas")
	flag.Parse()
	err := run(ctx, os.Stdout, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "readers:", err)
		os.Exit(1)
	}
}

// logs are those that are read: of 23 frames, of 2, of 4 small ones, and of 1.
var logs = []sampleLog{{size: 22<<20 + 1<<19}, {size: 1_500_000}, {size: 4 << 20, same: true}, {size: 200_000}}

// run tries readers one after the other, and prints a row for each.
func run(ctx context.Context, out io.Writer, only string) (err error) {
	dir, err := os.MkdirTemp("", "readers-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tried, err := choose(only)
	if err != nil {
		return err
	}
	samples, err := writeSamples(ctx, dir, logs)
	if err != nil {
		return err
	}
	var surprises []error
	for _, r := range tried {
		t := tryReader(ctx, dir, r, samples)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Fprintln(out, t.row(r.name))
		if got := t.outcome(); got != r.want && got != absent {
			surprises = append(surprises, fmt.Errorf("%s: %q, and known is %q", r.name, got, r.want))
		}
	}
	return errors.Join(surprises...)
}

// choose returns the readers whose names have one of some texts in them; empty: all.
func choose(only string) ([]reader, error) {
	var chosen []reader
	for _, r := range readers() {
		if slices.ContainsFunc(strings.Split(only, ","), func(part string) bool { return strings.Contains(r.name, strings.TrimSpace(part)) }) {
			chosen = append(chosen, r)
		}
	}
	if chosen == nil {
		return nil, fmt.Errorf("-only=%q: there is no such reader", only)
	}
	return chosen, nil
}
