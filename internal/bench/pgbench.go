package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// pgbench is Postgres's own benchmark, inserting a payload as jsonb, one row a
// transaction.
type pgbench struct {
	binary string
	url    string
	script string
}

func newPgbench(ctx context.Context, l *lab, payload []byte) (*pgbench, error) {
	p := &pgbench{script: filepath.Join(l.dir, "insert.sql")}
	var err error
	if p.binary, err = findPgbench(); err != nil {
		return nil, err
	}
	if p.url, err = l.database(ctx, "pgbench"); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, p.url)
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, `CREATE TABLE payloads (id bigserial PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now(), payload jsonb NOT NULL)`)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		return nil, err
	}
	literal := "'" + strings.ReplaceAll(string(payload), "'", "''") + "'"
	// pgbench takes :name for a variable, also within a literal.
	literal = regexp.MustCompile(`:([A-Za-z0-9_])`).ReplaceAllString(literal, ": $1")
	return p, os.WriteFile(p.script, []byte("INSERT INTO payloads (payload) VALUES ("+literal+");\n"), 0o600)
}

// findPgbench looks on PATH and where Debian and Homebrew put it.
func findPgbench() (string, error) {
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path, nil
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/pgbench", "/opt/homebrew/opt/postgresql@*/bin/pgbench", "/usr/local/opt/postgresql@*/bin/pgbench"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", errors.New("no pgbench: install PostgreSQL's server package (Debian: postgresql)")
}

var tps = regexp.MustCompile(`tps = ([0-9.]+) \(without initial`)

// run returns the transactions per second.
func (p *pgbench) run(ctx context.Context, d time.Duration) (float64, error) {
	cmd := exec.CommandContext(ctx, p.binary, "-n", "-c", strconv.Itoa(connections), "-j", "2", "-T", fmt.Sprintf("%.0f", d.Seconds()), "-f", p.script, p.url)
	out, err := cmd.CombinedOutput()
	m := tps.FindSubmatch(out)
	if err != nil || m == nil {
		return 0, fmt.Errorf("pgbench: %w: %.300s", err, out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
