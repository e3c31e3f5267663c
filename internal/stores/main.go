// Command stores runs the conformance suite of archive/bucket, and a day of jobs, on every
// S3 server that internal/testenv knows, and prints a line for each: which version, how it
// went, and what it lacks. It ends with 1 if a test failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
)

func main() {
	servers := "all"
	if len(os.Args) == 2 {
		servers = os.Args[1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, servers)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "stores:", err)
		os.Exit(1)
	}
}

// run runs the tests and prints the table. Servers are as in JOBVAULT_TEST_STORES.
func run(ctx context.Context, servers string) error {
	var all results
	err := errors.Join(
		all.test(ctx, servers, "./archive/bucket"),
		all.test(ctx, servers, "./ingest", "-run=^TestDay$"),
	)
	for _, r := range all.known() {
		fmt.Println(r)
	}
	if len(all.known()) == 0 {
		return errors.Join(err, errors.New("no test ran"))
	}
	return err
}

// test runs some tests and adds their results.
func (r *results) test(ctx context.Context, servers string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json", "-count=1", "-timeout=30m"}, args...)...)
	cmd.Env = append(os.Environ(), "JOBVAULT_TEST_STORES="+servers)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := r.read(out); err != nil {
		return errors.Join(err, cmd.Wait())
	}
	if err := cmd.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, r.output.String())
		return fmt.Errorf("go test %v: %w", args, err)
	}
	return nil
}
