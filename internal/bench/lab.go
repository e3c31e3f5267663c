package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/internal/localpg"
)

// lab is what all measurements share: a folder, the jobvault binary, and a Postgres as a
// user would run it, with fsync on.
type lab struct {
	scale    scale
	before   string // the commit that some are compared with
	each     bool   // print each of the many figures that are summed up in one
	dir      string
	binary   string
	postgres *localpg.Server
	earlier  *earlier
}

func newLab(ctx context.Context) (*lab, error) {
	dir, err := os.MkdirTemp("", "jobvault-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{dir: dir, binary: filepath.Join(dir, "jobvault"), earlier: new(earlier)}
	build := exec.CommandContext(ctx, "go", "build", "-o", l.binary, "./cmd/jobvault")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, errors.Join(fmt.Errorf("build jobvault (run from the top of the repository): %w", err), l.close())
	}
	l.postgres, err = localpg.Start(ctx, localpg.Config{Dir: filepath.Join(dir, "data"), Settings: map[string]string{"max_connections": "300"}})
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *lab) close() error {
	var err error
	if l.postgres != nil {
		err = l.postgres.Close()
	}
	return errors.Join(err, os.RemoveAll(l.dir))
}

// database makes an empty database and returns its URL.
func (l *lab) database(ctx context.Context, name string) (string, error) {
	conn, err := pgx.Connect(ctx, l.postgres.URL())
	if err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return l.postgres.URLFor(name), errors.Join(err, conn.Close(ctx))
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
