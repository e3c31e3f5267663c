package testenv

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// PgBouncer runs a PgBouncer before the server of a database until the test ends, and
// returns the database's URL through it. settings are PgBouncer's own, such as pool_mode;
// it asks no client for a password.
func PgBouncer(t testing.TB, database string, settings map[string]string) string {
	t.Helper()
	program := Program(t, "pgbouncer")
	version, err := exec.CommandContext(t.Context(), program, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(version), "\n")
	t.Log("PgBouncer version: " + strings.TrimPrefix(first, "PgBouncer ")) // which make compat shows
	behind, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(address, ":")
	password, _ := behind.User.Password()
	all := map[string]string{
		"listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "auth_type": "any",
	}
	maps.Copy(all, settings)
	config := fmt.Sprintf("[databases]\n* = host=%s port=%s user=%s password=%s\n[pgbouncer]\n", behind.Hostname(), behind.Port(), behind.User.Username(), password)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		config += name + " = " + all[name] + "\n"
	}
	startPgBouncer(t, program, config)
	through := *behind
	through.Host, through.User = address, url.User(behind.User.Username())
	awaitPgBouncer(t, through.String())
	return through.String()
}

// startPgBouncer starts it as another user than root, as which it refuses to run.
func startPgBouncer(t testing.TB, program, config string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	// It reads the file as whom it was started, and again as whom it runs, but only when told.
	var log strings.Builder
	cmd := exec.Command(program, "--quiet", file)
	if os.Geteuid() == 0 {
		cmd.Args = append(cmd.Args, "--user=nobody")
	}
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("PgBouncer said:\n%s", log.String())
		}
	})
}

// awaitPgBouncer waits until it lets clients in.
func awaitPgBouncer(t testing.TB, through string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgconn.Connect(ctx, through)
		if err == nil {
			err = conn.Close(ctx)
		}
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(errors.Join(errors.New("PgBouncer does not answer"), err))
		}
	}
}
