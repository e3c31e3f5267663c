package localpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// ownerDir makes the test binary another jobvault: it owns the Postgres in the
// directory that the variable names, says so, and stays until it is killed.
const ownerDir = "LOCALPG_TEST_OWNER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerDir); dir != "" {
		os.Exit(beOwner(dir))
	}
	os.Exit(runInOwnTempDir(m))
}

// runInOwnTempDir runs the tests with a folder for temporary files that goes
// away with all in it: the library that fetches Postgres leaves a file there.
func runInOwnTempDir(m *testing.M) int {
	dir, err := os.MkdirTemp("", "localpg-")
	if err == nil {
		err = os.Chmod(dir, 0o711) // the user that runs Postgres must get through
	}
	if err == nil {
		err = os.Setenv("TMPDIR", dir)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	return m.Run()
}

func beOwner(dir string) int {
	s, err := Start(context.Background(), config(dir))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("pid", s.PID())
	io.Copy(io.Discard, os.Stdin) // until we are killed, or our parent ends
	s.Close()
	return 0
}

// startOwner runs another jobvault on dir and returns it with the process id
// of its Postgres.
func startOwner(t *testing.T, dir string) (owner *exec.Cmd, pid int) {
	t.Helper()
	owner = exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), ownerDir+"="+dir)
	stdin, err := owner.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		owner.Wait() // fails if the test has killed it
		if pid != 0 {
			expectGone(t, pid)
		}
	})
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	if pid, err = strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(line), "pid ")); err != nil {
		t.Fatalf("the other jobvault said %q", line)
	}
	return owner, pid
}

// systemOnly is this machine's catalogue without fetching from the network.
func systemOnly() *catalogue {
	c := machine()
	c.cache = ""
	return c
}

// config is a fast, unsafe Postgres in dir.
func config(dir string) Config {
	return Config{
		Dir:      dir,
		Settings: map[string]string{"fsync": "off", "synchronous_commit": "off", "shared_buffers": "16MB"},
		programs: systemOnly(),
	}
}

// testConfig is config for a new directory. Without Postgres on this machine
// it skips the test, or fails it where CI=true.
func testConfig(t *testing.T) Config {
	t.Helper()
	systemBinaries(t)
	return config(t.TempDir())
}

func systemBinaries(t *testing.T) binaries {
	t.Helper()
	acct, err := accountFor("")
	if err != nil {
		t.Fatal(err)
	}
	b, rejected := systemOnly().find(t.Context(), acct, 0)
	if b.dir == "" {
		missing(t, noBinaries(0, rejected, nil).Error())
	}
	return b
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// mustStart starts a Server that ends with the test, leaving no process behind.
func mustStart(t *testing.T, c Config) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, s) })
	return s
}

func mustClose(t *testing.T, s *Server) {
	t.Helper()
	pid := s.PID()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if pid != 0 {
		expectGone(t, pid)
	}
}

// expectGone waits for the end of a process that is not our child; one whose
// new parent does not wait for it counts as gone.
func expectGone(t *testing.T, pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for pause := newPause(); syscall.Kill(pid, 0) == nil; {
		if state, _ := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output(); strings.HasPrefix(string(state), "Z") {
			return
		}
		if pause.wait(ctx) != nil {
			t.Errorf("process %d is still there", pid)
			return
		}
	}
}

// query runs sql in the database at url and returns the one value it yields,
// as text.
func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	value, err := pgx.CollectOneRow(rows, pgx.RowTo[string])
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// testLogger collects what is logged.
func testLogger(out io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
