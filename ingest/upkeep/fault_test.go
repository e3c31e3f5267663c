package upkeep_test

import (
	"encoding/json"
	"testing"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/upkeep"
)

// Scripts read the faults that verify --json prints: their fields, and the order of them.
func TestFaultJSON(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]upkeep.Fault{
		`{"kind":"orphan","key":"k","detail":"d","repaired":false}`: {Fault: archive.Fault{Kind: archive.FaultOrphan, Key: "k", Detail: "d"}},
		`{"kind":"details","job_id":1,"key":"k","detail":"d","repaired":true,"repair":"r"}`: {
			Fault: archive.Fault{Kind: archive.FaultDetails, JobID: 1, Key: "k", Detail: "d"}, Repaired: true, Repair: "r",
		},
		`{"kind":"row","job_id":1,"key":"k","detail":"d","repaired":false,"table":"t","row":"w","column":"c","database":"x","bucket":"y"}`: {
			Fault: archive.Fault{Kind: archive.FaultRow, JobID: 1, Key: "k", Detail: "d"},
			Table: "t", Row: "w", Column: "c", Database: "x", Bucket: "y",
		},
	} {
		got, err := json.Marshal(f)
		if err != nil || string(got) != want {
			t.Errorf("%s, %v\nwant %s", got, err, want)
		}
	}
}
