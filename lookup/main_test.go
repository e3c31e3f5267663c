package lookup_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// fixture is a vault, and what reads it.
type fixture struct {
	*testenv.Vault
	t    testing.TB
	db   *store.DB
	logs lookup.Logs
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	v := testenv.NewVault(t)
	return &fixture{Vault: v, t: t, db: v.DB, logs: lookup.Logs{DB: v.DB, Archive: v.Archive}}
}

func (f *fixture) check(err error) {
	f.t.Helper()
	f.Check(err)
}

// job writes a completed job with steps 1, 2, ... of these names.
func (f *fixture) job(id int64, steps ...string) { f.Record(f.Facts(id, steps...)) }

func (f *fixture) settle(s store.Settlement) { f.Settle(s) }

// archive puts a log into the bucket and then into the ledger.
func (f *fixture) archive(id int64, raw []byte, lines ...store.StepLines) archive.Log {
	return f.Log(id, raw, lines...)
}

// manyLines is a log that takes several frames.
func manyLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "2024-07-08T16:48:09.3750041Z line %d of many, with some text to fill the frames\n", i+1)
	}
	return b.Bytes()
}

// cut is lines first to last, from 1 and inclusive.
func cut(raw []byte, first, last int) string {
	lines := strings.SplitAfter(string(raw), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	first, last = max(first, 1), min(last, len(lines))
	if first > last {
		return ""
	}
	return strings.Join(lines[first-1:last], "")
}
