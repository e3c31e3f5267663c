package joblog

import (
	"testing"

	"pgregory.net/rapid"
)

// A mark's time is that of its line, whatever came before it.
func TestMarkClockTellsTheTimesOfLines(t *testing.T) {
	t.Parallel()
	seconds := []string{"2026-03-01T12:00:00", "2026-03-01T12:00:01", "1969-12-31T23:59:59", "2024-02-29T00:00:00", "2026-02-30T00:00:00", "0000-00-00T00:00:00", "0001-01-01T00:00:00", "2026-03-01t12:00:00"}
	fractions := []string{".0000000Z", ".9999999Z", ".1234567Z", ".12345678", ".123456Z ", ",1234567Z", ".12a4567Z"}
	rapid.Check(t, func(t *rapid.T) {
		var c markClock
		for range 10 {
			head := rapid.SampledFrom(seconds).Draw(t, "second") + rapid.SampledFrom(fractions).Draw(t, "fraction") + " ##[group]Run x"
			if got, want := c.at([]byte(head)), ParseLine([]byte(head[:StampLen-1])).Time.UnixMicro(); got != want {
				t.Fatalf("%s: %d, want %d", head, got, want)
			}
		}
	})
}
