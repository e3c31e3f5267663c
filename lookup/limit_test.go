package lookup_test

import (
	"errors"
	"testing"

	"github.com/jobvault/jobvault/lookup"
)

func TestPlacesAreLimitedInAllAndForASubject(t *testing.T) {
	t.Parallel()
	limit := lookup.NewSubjectLimit(3, 2)
	acquire := func(subject string, want error) func() {
		t.Helper()
		release, err := limit.Acquire(subject)
		if !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", subject, err, want)
		}
		return release
	}
	first := acquire("ann", nil)
	acquire("ann", nil)
	acquire("ann", lookup.ErrBusy)
	other := acquire("bob", nil)
	acquire("eve", lookup.ErrBusy)
	other()
	acquire("ann", lookup.ErrBusy)
	first()
	acquire("ann", nil)
	acquire("eve", nil)
	acquire("eve", lookup.ErrBusy)
}
