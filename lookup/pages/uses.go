package pages

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

// usesPage is who used an action.
type usesPage struct {
	Action, Repository, Since string
	Asked                     bool
	Uses                      []store.ActionUse
	Moved                     []string // refs that were more than one commit
	Unread                    bool     // not all logs were read for what they used
}

// uses is GET /uses.
func (c *call) uses() error {
	if err := c.enter(); err != nil {
		return err
	}
	q := c.req.URL.Query()
	p := usesPage{Action: strings.TrimSpace(q.Get("action")), Repository: q.Get("repository"), Since: q.Get("since")}
	if p.Action == "" {
		return c.show(http.StatusOK, "uses", "Uses of an action", p)
	}
	f, err := lookup.ParseAction(p.Action)
	if err == nil {
		f.Since, err = lookup.ParseTime(p.Since, c.Now())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errWrongUse, err)
	}
	f.Repository = p.Repository
	if f.Repositories, err = c.reader.Listed(c.ctx(), p.Repository); err != nil {
		return err
	}
	p.Asked = true
	if p.Uses, err = c.DB.ActionUses(c.ctx(), f); err != nil {
		return err
	}
	p.Moved = lookup.MovedRefs(p.Uses)
	unread, err := c.DB.UnreadLogs(c.ctx(), 0, false, 1)
	if err != nil {
		return err
	}
	p.Unread = len(unread) > 0
	return c.show(http.StatusOK, "uses", "Uses of "+p.Action, p)
}
