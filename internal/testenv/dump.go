package testenv

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Dump has pg_dump write a database into a file, in the custom format, and returns its
// path. Where the only pg_dump is older than the server, which it does not dump then, a
// part is missing.
func Dump(t testing.TB, url string) string {
	t.Helper()
	program := client(t, "pg_dump", url)
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
	out, err := exec.CommandContext(t.Context(), client(t, "pg_restore", url), "--no-owner", "--dbname="+url, file).CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	return string(out)
}

// clientFolders are where packages put the programs of one version of Postgres, which may
// not be the one in PATH.
var clientFolders = []string{"/usr/lib/postgresql/%d/bin", "/usr/pgsql-%d/bin", "/opt/homebrew/opt/postgresql@%d/bin", "/usr/local/opt/postgresql@%d/bin"}

// client finds the program of Postgres that belongs to the server of a database, or one that
// is newer.
func client(t testing.TB, name, url string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var server int
	if err := conn.QueryRow(t.Context(), `SELECT current_setting('server_version_num')::int / 10000`).Scan(&server); err != nil {
		t.Fatal(err)
	}
	for _, folder := range clientFolders {
		program := filepath.Join(fmt.Sprintf(folder, server), name)
		if major(t, program) == server {
			return program
		}
	}
	program := Program(t, name)
	if has := major(t, program); has < server {
		Missing(t, "%s of version %d is missing on this machine, which has %d: apt-get install postgresql-client-%d (from postgresql.org's own packages if Debian has none); Homebrew: brew install postgresql@%d",
			name, server, has, server, server)
	}
	return program
}

// major is the version of a program of Postgres; 0: there is none.
func major(t testing.TB, program string) int {
	out, err := exec.CommandContext(t.Context(), program, "--version").Output()
	if err != nil {
		return 0
	}
	number, err := strconv.Atoi(string(regexp.MustCompile(`\d+`).Find(out)))
	if err != nil {
		t.Fatalf("%s --version says %q", program, out)
	}
	return number
}
