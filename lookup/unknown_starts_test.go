package lookup_test

import (
	"strings"
	"testing"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

func TestSayUnknownStarts(t *testing.T) {
	for begin, u := range map[string]*store.UnknownStarts{
		"1 job is left out: ":                        {NotListed: 1},
		"2 jobs are left out: ":                      {NotListed: 2},
		"10000 or more jobs are left out: ":          {NotListed: store.MaxUnknown, AtLeast: true},
		"1 or more jobs are left out: ":              {NotListed: 1, AtLeast: true},
		"there may be jobs that are left out: it is": {AtLeast: true},
	} {
		if said := lookup.SayUnknownStarts(u); !strings.HasPrefix(said, begin) || !strings.Contains(said, "not known what started") {
			t.Errorf("%+v: %q", u, said)
		}
	}
	for _, u := range []*store.UnknownStarts{nil, {}} {
		if said := lookup.SayUnknownStarts(u); said != "" {
			t.Errorf("%+v: %q", u, said)
		}
	}
}
