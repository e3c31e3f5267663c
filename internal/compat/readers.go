package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// tryReaders runs internal/readers, which prints rows.
func tryReaders(ctx context.Context, o options) ([]row, error) {
	cmd := exec.CommandContext(ctx, "go", "run", "./internal/readers", "-only", o.readers)
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(os.Stderr, &printed), os.Stderr
	if err := cmd.Run(); err != nil {
		return rowsOf(printed.String()), fmt.Errorf("readers: %w", err)
	}
	return rowsOf(printed.String()), nil
}
