package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// command runs jobvault to its end and returns how long it took. An exit code other than
// 0 is an error that quotes its output.
func (l *lab) command(ctx context.Context, settings []string, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, l.binary, args...)
	cmd.Env = append(os.Environ(), "JOBVAULT_DATA_DIR="+l.dir+"/jobvault-data")
	cmd.Env = append(cmd.Env, settings...)
	started := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("jobvault %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return time.Since(started), nil
}
