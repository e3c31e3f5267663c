package archive_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive"
)

func TestParseKeyTakesWhatJobKeyMakes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		id := rapid.Int64Range(1, math.MaxInt64)
		k := archive.JobKey{
			RepositoryID: id.Draw(rt, "repository"), RunID: id.Draw(rt, "run"),
			RunAttempt: id.Draw(rt, "attempt"), JobID: id.Draw(rt, "job"),
		}
		number := rapid.IntRange(1, math.MaxInt32).Draw(rt, "number")
		for key, want := range map[string]string{k.Redacted(number): archive.RedactedName, k.Details(): archive.DetailsName, k.Log(): archive.LogName, k.Settled(): archive.SettledName} {
			got, name, ok := archive.ParseKey(key)
			if !ok || got != k || name != want {
				rt.Errorf("ParseKey(%q) = %+v, %q, %v", key, got, name, ok)
			}
			if !strings.HasPrefix(key, archive.RepositoryPrefix(k.RepositoryID)) {
				rt.Errorf("%q does not begin with the repository's prefix", key)
			}
		}
	})
}

func TestParseKeyRefusesAllElse(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"", "v1", "v1/1/2/3/4", "v1/1/2/3/4/", "v1/1/2/3/4/log.zst/", "/v1/1/2/3/4/log.zst", "v1/1/2/3/4/5/log.zst", "v1/1/2/3/log.zst",
		"v2/1/2/3/4/log.zst", "V1/1/2/3/4/log.zst", "v1/1/2/3/4/log.zst2", "v1/1/2/3/4/LOG.ZST", "v1/1/2/3/4/log.zst\n", "v1/1/2/3/4/put-1",
		"v1/0/2/3/4/log.zst", "v1/1/-2/3/4/log.zst", "v1/1/+2/3/4/log.zst", "v1/1/2/03/4/log.zst", "v1/1/2/3/0x4/log.zst", "v1/1/2/3/4_0/log.zst",
		"v1/1/2/3/ 4/log.zst", "v1/1/2/3/٤/log.zst", "v1/1//3/4/log.zst", "v1/1/2/3/4/redacted.zst", "v1/1/2/3/4/redacted-0.zst",
		"v1/1/2/3/4/redacted-01.zst", "v1/1/2/3/4/redacted--1.zst", "v1/1/2/3/4/redacted-.zst", "v1/1/2/3/4/redacted-1", "v1/1/2/3/4/redacted-99999999999.zst", "v1/1/2/3/9223372036854775808/log.zst",
	} {
		if k, name, ok := archive.ParseKey(key); ok || name != "" || k != (archive.JobKey{}) {
			t.Errorf("ParseKey(%q) = %+v, %q, %v", key, k, name, ok)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	k := archive.JobKey{RepositoryID: 1, RunID: 20, RunAttempt: 3, JobID: math.MaxInt64}
	for _, key := range []string{k.Log(), k.Details(), k.Settled(), k.Redacted(7), "v1/01/2/3/4/log.zst", "v1/1/2/3/+4/log.zst", "v1/////log.zst"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		k, name, ok := archive.ParseKey(key)
		if !ok {
			return
		}
		if name == archive.RedactedName {
			var number int
			if n, err := fmt.Sscanf(key[strings.LastIndex(key, "/"):], "/redacted-%d.zst", &number); n != 1 || err != nil || k.Redacted(number) != key {
				t.Errorf("ParseKey(%q) = %+v, %q", key, k, name)
			}
			return
		}
		made := map[string]string{archive.DetailsName: k.Details(), archive.LogName: k.Log(), archive.SettledName: k.Settled()}
		if made[name] != key || min(k.RepositoryID, k.RunID, k.RunAttempt, k.JobID) < 1 {
			t.Errorf("ParseKey(%q) = %+v, %q", key, k, name)
		}
	})
}
