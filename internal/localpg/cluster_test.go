package localpg

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Root's Postgres runs as another user, who cannot walk to the data directory.
func TestUntraversableParent(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 || !dirsByDescriptor {
		t.Skip("for root, on Linux")
	}
	c := testConfig(t)
	parent := filepath.Join(c.Dir, "closed")
	if err := os.Mkdir(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	c.Dir = filepath.Join(parent, "data")
	s := mustStart(t, c)
	query(t, s.URL(), `create table kept as select 'yes' as answer`)
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	// New backends, workers and a reload find their files too.
	query(t, s.URL(), `select pg_reload_conf()::text`)
	query(t, s.URL(), `vacuum (parallel 2)`)
	if got := query(t, s.URL(), `select answer from kept`); got != "yes" {
		t.Errorf("kept answer = %q", got)
	}
	info, err := os.Stat(s.paths.cluster())
	if err != nil {
		t.Fatal(err)
	}
	if info.Sys().(*syscall.Stat_t).Uid == 0 {
		t.Error("the cluster belongs to root")
	}
}

// An archive restored by root belongs to root.
func TestClusterOfRootIsTakenOver(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("for root")
	}
	c := testConfig(t)
	s := mustStart(t, c)
	mustClose(t, s)
	if err := (&account{0, 0}).own(s.paths.cluster()); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.paths.cluster(), 0o755); err != nil {
		t.Fatal(err)
	}
	mustStart(t, c)
}

func TestInterruptedInitdb(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	leftover := filepath.Join(c.Dir, unfinished+"1", "base")
	if err := os.MkdirAll(leftover, 0o700); err != nil {
		t.Fatal(err)
	}
	mustStart(t, c)
	if left, _ := filepath.Glob(filepath.Join(c.Dir, unfinished+"*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestLostPasswordIsReplaced(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	c := testConfig(t)
	c.Logger = testLogger(&logged)
	s := mustStart(t, c)
	query(t, s.URL(), `create table kept as select 'yes' as answer`)
	mustClose(t, s)
	if err := os.Remove(s.paths.facts()); err != nil {
		t.Fatal(err)
	}
	again := mustStart(t, c)
	if got := query(t, again.URL(), `select answer from kept`); got != "yes" {
		t.Errorf("kept answer = %q", got)
	}
	if again.facts.Password == s.facts.Password {
		t.Error("the password is still the same")
	}
	expectSecret(t, again, logged.String())
}

func TestLostPasswordOfRunningPostgres(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	owner, pid := startOwner(t, c.Dir)
	kill(t, owner)
	facts := layout{c.Dir}.facts()
	text, err := os.ReadFile(facts)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(facts); err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), c)
	if want := fmt.Sprintf("kill -INT %d", pid); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error = %v, want %q in it", err, want)
	}
	if err := os.WriteFile(facts, text, 0o600); err != nil {
		t.Fatal(err)
	}
	mustStart(t, c) // and stops what the owner left
}

func TestPasswordStaysSecret(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	c := testConfig(t)
	c.Logger = testLogger(&logged)
	s := mustStart(t, c)
	c.Logger.Info("formatted", "server", s, "facts", s.facts, "more", fmt.Sprintf("%v %+v %#v %s", s, s.facts, s.facts, s.facts.Password))
	if _, err := s.connect(t.Context(), "no such database"); err == nil {
		t.Error("connected to no such database")
	} else {
		logged.WriteString(err.Error())
	}
	mustClose(t, s)

	c.Settings["max_connections"] = "nonsense"
	_, err := Start(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), `invalid value for parameter "max_connections"`) {
		t.Errorf("error = %v, want what Postgres said", err)
	}
	fmt.Fprintln(&logged, err)
	expectSecret(t, s, logged.String())

	wrong := facts{Port: s.facts.Port, Password: "wrong"}
	if err := wrong.save(s.paths.facts()); err != nil {
		t.Fatal(err)
	}
	delete(c.Settings, "max_connections")
	_, err = Start(t.Context(), c)
	if !refused(err) || !strings.Contains(err.Error(), s.paths.facts()) {
		t.Errorf("with a wrong password: %v", err)
	}
}

// expectSecret looks for the password of s in text and in what Postgres logs.
func expectSecret(t *testing.T, s *Server, text string) {
	t.Helper()
	log, err := os.ReadFile(s.paths.log())
	if err != nil {
		t.Fatal(err)
	}
	for what, where := range map[string]string{"our words": text, "postgres.log": string(log)} {
		if strings.Contains(where, string(s.facts.Password)) {
			t.Errorf("the password is in %s:\n%s", what, where)
		}
	}
}

func TestDamagedFacts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{}", `{"password": 1}`, `{"port": "secret"}`} {
		c := Config{Dir: t.TempDir()}
		path := layout{c.Dir}.facts()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Start(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error = %v", text, err)
		}
	}
}

func TestClusterOfAnotherVersion(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	s := mustStart(t, c)
	mustClose(t, s)
	version := filepath.Join(s.paths.cluster(), "PG_VERSION")
	for text, want := range map[string]string{"9.6\n": "PG_VERSION", "12\n": "made by version 12"} {
		if err := os.WriteFile(version, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Start(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("PG_VERSION %q: error = %v", text, err)
		}
		if text == "12\n" && !errors.Is(err, ErrNoBinaries) {
			t.Errorf("PG_VERSION %q: error = %v, want ErrNoBinaries", text, err)
		}
	}
}
