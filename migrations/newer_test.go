package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/migrations"
)

func TestADatabaseOfANewerJobvaultIsLeftAlone(t *testing.T) {
	pool := testenv.Pool(t)
	m := newMigrator(t, pool)
	exec(t, pool, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (41, true)`)
	before := catalog(t, pool)
	for name, f := range map[string]func(context.Context) error{
		"up":    func(ctx context.Context) error { _, err := m.Up(ctx); return err },
		"down":  func(ctx context.Context) error { _, err := m.Down(ctx); return err },
		"check": m.Check,
	} {
		err := f(t.Context())
		if !errors.Is(err, migrations.ErrNewer) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text := err.Error(); !strings.Contains(text, "database 41") || !strings.Contains(text, fmt.Sprintf("binary %d", latest)) {
			t.Errorf("%s does not name both versions: %s", name, text)
		}
	}
	if s, err := m.State(t.Context()); err != nil || s != (migrations.State{Current: 41, Latest: latest}) {
		t.Errorf("state %+v, %v", s, err)
	}
	if diff := cmp.Diff(before, catalog(t, pool)); diff != "" {
		t.Errorf("the schema changed:\n%s", diff)
	}
	if got := column[int64](t, pool, `SELECT max(version_id) FROM goose_db_version`); got[0] != 41 {
		t.Errorf("goose's version is %d now", got[0])
	}
}

func TestAnOlderDatabaseFailsTheCheckAndSaysWhatToDo(t *testing.T) {
	m := newMigrator(t, testenv.Pool(t))
	down(t, m)
	err := m.Check(t.Context())
	if err == nil || errors.Is(err, migrations.ErrNewer) {
		t.Fatalf("check: %v", err)
	}
	for _, part := range []string{fmt.Sprintf("at %d ", secondLatest), fmt.Sprintf("at %d:", latest), "jobvault migrate up"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
}

func TestWithoutPostgresEverythingFailsAndNothingHangs(t *testing.T) {
	// Nothing listens on port 1.
	m := newMigrator(t, testenv.PoolAt(t, "postgres://nobody:secret@127.0.0.1:1/nothing"))
	_, upErr := m.Up(t.Context())
	_, downErr := m.Down(t.Context())
	_, statusErr := m.Status(t.Context())
	for name, err := range map[string]error{"up": upErr, "down": downErr, "status": statusErr, "check": m.Check(t.Context())} {
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
