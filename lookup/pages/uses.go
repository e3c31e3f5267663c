package pages

import (
	"fmt"
	"net/http"

	"github.com/jobvault/jobvault/lookup"
)

// usesPage is who used an action.
type usesPage struct {
	Action, Repository, Since string
	Event, Actor, Fork        string
	Found                     *lookup.Uses // nil: nothing was asked for
}

// uses is GET /uses.
func (c *call) uses() error {
	if err := c.enter(); err != nil {
		return err
	}
	q := c.req.URL.Query()
	p := usesPage{
		Action: q.Get("action"), Repository: q.Get("repository"), Since: q.Get("since"),
		Event: q.Get("event"), Actor: q.Get("actor"), Fork: q.Get("fork"),
	}
	if p.Action == "" {
		return c.show(http.StatusOK, "uses", "Uses of an action", p)
	}
	f, err := lookup.ParseUses(q, c.Now())
	if err != nil {
		return fmt.Errorf("%w: %w", errWrongUse, err)
	}
	if f.Repositories, err = c.reader.Listed(c.ctx(), f.Repository); err != nil {
		return err
	}
	found, err := lookup.FindUses(c.ctx(), c.DB, f)
	if err != nil {
		return err
	}
	p.Found = &found
	return c.show(http.StatusOK, "uses", "Uses of "+p.Action, p)
}
