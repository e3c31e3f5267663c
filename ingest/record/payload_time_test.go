package record

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/jobvault/jobvault/store"
)

// A payload speaks of the latest time that it names, and of none that is yet to come.
func TestWhenAPayloadIsOf(t *testing.T) {
	received := time.Date(2024, 7, 8, 12, 0, 0, 5000, time.UTC)
	at := func(minute, second int) string { return fmt.Sprintf(`"2024-07-08T11:%02d:%02dZ"`, minute, second) }
	want := func(minute, second int) time.Time { return time.Date(2024, 7, 8, 11, minute, second, 0, time.UTC) }
	for name, c := range map[string]struct {
		job, repository string
		want            time.Time
	}{
		"created":                         {`"created_at":` + at(1, 0), ``, want(1, 0)},
		"started":                         {`"created_at":` + at(1, 0) + `,"started_at":` + at(2, 0) + `,"completed_at":null`, ``, want(2, 0)},
		"completed":                       {`"created_at":` + at(1, 0) + `,"started_at":` + at(2, 0) + `,"completed_at":` + at(3, 0), ``, want(3, 0)},
		"carried over by a re-run":        {`"created_at":` + at(9, 0) + `,"started_at":` + at(2, 0) + `,"completed_at":` + at(3, 0), ``, want(9, 0)},
		"the repository changed later":    {`"created_at":` + at(1, 0), `,"updated_at":` + at(5, 0), want(5, 0)},
		"and was pushed to, in seconds":   {`"created_at":` + at(1, 0), `,"updated_at":` + at(5, 0) + `,"pushed_at":` + fmt.Sprint(want(6, 0).Unix()), want(6, 0)},
		"another zone":                    {`"created_at":"2024-07-08T13:04:00+02:00"`, ``, want(4, 0)},
		"1970, which is no time":          {`"created_at":"1970-01-01T00:00:00Z"`, `,"updated_at":0`, time.Time{}},
		"none":                            {`"name":"x"`, ``, time.Time{}},
		"what is no time":                 {`"created_at":` + at(1, 0), `,"updated_at":"yesterday","pushed_at":{}`, want(1, 0)},
		"ahead by the clocks' difference": {`"created_at":` + at(1, 0) + `,"started_at":"2024-07-08T12:01:00Z"`, ``, received},
		"ahead by more":                   {`"created_at":` + at(1, 0) + `,"started_at":"2024-07-08T12:01:01Z","completed_at":"2031-07-08T12:00:00Z"`, ``, want(1, 0)},
	} {
		body := fmt.Appendf(nil, `{"workflow_job":{"id":1,"run_id":2,"status":"queued",%s},"repository":{"id":3,"full_name":"acme/rocket"%s}}`, c.job, c.repository)
		if !json.Valid(body) {
			t.Fatalf("%s: %s", name, body)
		}
		d := store.Delivery{JobID: new(int64(1)), RepositoryID: new(int64(3)), ReceivedAt: received.Add(time.Hour)}
		f, err := FactsOfDelivery(body, d, received)
		if err != nil || !f.Repository.NamedAt.Equal(c.want) || !f.Repository.SeenAt.Equal(d.ReceivedAt) {
			t.Errorf("%s: named at %s, want %s; seen at %s (%v)", name, f.Repository.NamedAt, c.want, f.Repository.SeenAt, err)
		}
	}
}
