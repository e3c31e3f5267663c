package localpg

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

func TestDataSurvivesStopAndStart(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	first := mustStart(t, c)
	query(t, first.URL(), `create table kept as select 'yes' as answer`)
	mustClose(t, first)

	second := mustStart(t, c)
	if got := query(t, second.URL(), `select answer from kept`); got != "yes" {
		t.Errorf("kept answer = %q", got)
	}
	if first.URL() != second.URL() {
		t.Error("port or password changed from one start to the next")
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if err := second.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestClusterIsAsDocumented(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.Settings["max_connections"] = "33"
	c.Settings["listen_addresses"] = "*"
	s := mustStart(t, c)

	got := map[string]string{}
	for _, name := range []string{
		"listen_addresses", "unix_socket_directories", "max_connections", "server_encoding",
		"data_checksums", "password_encryption", "TimeZone", "fsync",
	} {
		got[name] = query(t, s.URL(), `select current_setting('`+name+`')`)
	}
	want := map[string]string{
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "33", "server_encoding": "UTF8",
		"data_checksums": "on", "password_encryption": "scram-sha-256", "TimeZone": "UTC", "fsync": "off",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if got := query(t, s.URL(), `select session_user || ' ' || current_database()`); got != "jobvault jobvault" {
		t.Errorf("user and database = %q", got)
	}
	if got := query(t, s.URL(), `select string_agg(x, '' order by x) from (values ('b'), ('B'), ('a')) v(x)`); got != "Bab" {
		t.Errorf("sorted: %q", got)
	}
	if got := query(t, s.URL(), `select lower('ÄÖ')`); got != "äö" && runtime.GOOS == "linux" {
		t.Errorf("in lower case: %q", got)
	}
	for path, want := range map[string]os.FileMode{s.paths.facts(): 0o600, s.paths.cluster(): 0o700 | os.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, want %v (%v)", path, info.Mode(), want, err)
		}
	}
}

func TestFsyncIsOnByDefault(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.Settings = nil
	s := mustStart(t, c)
	if got := query(t, s.URL(), `select current_setting('fsync') || current_setting('max_connections')`); got != "on200" {
		t.Errorf("fsync and max_connections = %q", got)
	}
}

func TestURLForOtherDatabases(t *testing.T) {
	t.Parallel()
	s := mustStart(t, testConfig(t))
	query(t, s.URL(), `create database "a copy/of it" template jobvault`)
	if got := query(t, s.URLFor("a copy/of it"), `select current_database()::text`); got != "a copy/of it" {
		t.Errorf("database = %q", got)
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	s := mustStart(t, testConfig(t))
	port := strconv.Itoa(s.facts.Port)
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		ip := a.(*net.IPNet).IP
		if ip.Equal(net.IPv4(127, 0, 0, 1)) || ip.IsLinkLocalUnicast() {
			continue
		}
		if conn, err := net.Dial("tcp", net.JoinHostPort(ip.String(), port)); err == nil {
			conn.Close()
			t.Errorf("somebody listens on %s port %s", ip, port)
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue // no IPv6
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			address, hexPort, _ := strings.Cut(f[1], ":")
			n, _ := strconv.ParseUint(hexPort, 16, 16)
			if int(n) == s.facts.Port && f[3] == "0A" && address != "0100007F" {
				t.Errorf("%s: a listener on %s", table, f[1])
			}
		}
	}
}

func TestRemotePasswordIsNeeded(t *testing.T) {
	t.Parallel()
	s := mustStart(t, testConfig(t))
	wrong := facts{Port: s.facts.Port, Password: "wrong"}
	_, err := pgx.Connect(t.Context(), wrong.url(database))
	if !refused(err) {
		t.Errorf("with a wrong password: %v", err)
	}
}

func TestPortTakenByAnother(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	first := mustStart(t, c)
	query(t, first.URL(), `create table kept as select 'yes' as answer`)
	mustClose(t, first)

	l, err := net.Listen("tcp4", net.JoinHostPort(loopback, strconv.Itoa(first.facts.Port)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	second := mustStart(t, c)
	if second.facts.Port == first.facts.Port {
		t.Error("the port is still the same")
	}
	if got := query(t, second.URL(), `select answer from kept`); got != "yes" {
		t.Errorf("kept answer = %q", got)
	}
	remembered, err := readFacts(second.paths.facts())
	if err != nil || remembered.Port != second.facts.Port {
		t.Errorf("remembered port = %d, %v; want %d", remembered.Port, err, second.facts.Port)
	}
}

func TestStopAndRestartKeepTheURL(t *testing.T) {
	t.Parallel()
	s := mustStart(t, testConfig(t))
	query(t, s.URL(), `create table kept as select 'yes' as answer`)
	for range 2 { // the second time it does nothing
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pgx.Connect(t.Context(), s.URL()); err == nil {
		t.Fatal("connected to a stopped Postgres")
	}
	if s.PID() != 0 {
		t.Errorf("pid %d while stopped", s.PID())
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := query(t, s.URL(), `select answer from kept`); got != "yes" {
		t.Errorf("kept answer = %q", got)
	}
	before := s.PID()
	if err := s.Restart(t.Context()); err != nil { // while it runs
		t.Fatal(err)
	}
	if s.PID() == before || s.PID() == 0 {
		t.Errorf("pid %d after %d", s.PID(), before)
	}
}

func TestRestartAfterCrash(t *testing.T) {
	t.Parallel()
	s := mustStart(t, testConfig(t))
	query(t, s.URL(), `create table kept as select 'yes' as answer`)
	query(t, s.URL(), `checkpoint`) // the table is there without the log, which is not synced here
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := query(t, s.URL(), `select answer from kept`); got != "yes" {
		t.Errorf("kept answer = %q", got)
	}
}

func TestRestartFailsWhilePortIsTaken(t *testing.T) {
	t.Parallel()
	s := mustStart(t, testConfig(t))
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", net.JoinHostPort(loopback, strconv.Itoa(s.facts.Port)))
	if err != nil {
		t.Fatal(err)
	}
	err = s.Restart(t.Context())
	l.Close()
	if !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "could not bind") {
		t.Errorf("error = %v", err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Errorf("with the port free again: %v", err)
	}
}

func TestStartWithoutTimeDoesNothing(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	mustStart(t, c)
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	mustClose(t, mustStart(t, c))

	// A standby that lets nobody in: it never becomes ready.
	signal := filepath.Join(layout{c.Dir}.cluster(), "standby.signal")
	if err := os.WriteFile(signal, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c.Settings["hot_standby"] = "off"
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := Start(ctx, c); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
	if _, err := os.Stat(layout{c.Dir}.pidFile()); err == nil {
		t.Error("Postgres was left running")
	}
	if err := os.Remove(signal); err != nil {
		t.Fatal(err)
	}
	mustStart(t, c)
}
