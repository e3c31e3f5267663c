package testenv

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Dump has pg_dump write a database into a file, in the custom format, and returns its
// path. Where the only pg_dump is older than the server, which it does not dump then, the
// test is skipped.
func Dump(t testing.TB, url string) string {
	t.Helper()
	program := Program(t, "pg_dump")
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var server int
	if err := conn.QueryRow(t.Context(), `SELECT current_setting('server_version_num')::int / 10000`).Scan(&server); err != nil {
		t.Fatal(err)
	}
	version, err := exec.CommandContext(t.Context(), program, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	if major, err := strconv.Atoi(string(regexp.MustCompile(`\d+`).Find(version))); err != nil || major < server {
		t.Skipf("%s does not dump a server of version %d: %s", program, server, version)
	}
	file := filepath.Join(t.TempDir(), "dump")
	if out, err := exec.CommandContext(t.Context(), program, "--format=custom", "--file="+file, "--dbname="+url).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// Restore has pg_restore read a file of Dump into an empty database, and returns what it
// said: it goes on after errors.
func Restore(t testing.TB, file, url string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), Program(t, "pg_restore"), "--no-owner", "--dbname="+url, file).CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	return string(out)
}
