package ingest_test

import (
	"testing"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// rig is a jobvault with everything around it, for one test.
type rig struct{ *ingesttest.Rig }

func newRig(t testing.TB, o ingesttest.Options) *rig { return &rig{ingesttest.New(t, o)} }
