package rest

import (
	"net/http"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

// UseList is who used an action.
type UseList struct {
	Uses  []store.ActionUse `json:"uses"`  // those used last come first
	Moved []string          `json:"moved"` // ACTION@REF that was more than one commit
	Whole bool              `json:"whole"` // whether all archived logs were read for what they used
}

// listUses is GET /api/v3/uses?action=OWNER/REPO[/PATH][@REF]&repository=&since=.
func (c *call) listUses() {
	reader, err := c.Gate.Reader(c.req)
	if err != nil {
		c.refuse(err)
		return
	}
	q := c.req.URL.Query()
	f, err := lookup.ParseAction(q.Get("action"))
	if err == nil {
		f.Since, err = lookup.ParseTime(q.Get("since"), c.Now())
	}
	if err != nil {
		c.fail(http.StatusUnprocessableEntity, err.Error())
		return
	}
	f.Repository = q.Get("repository")
	if f.Repositories, err = reader.Listed(c.req.Context(), f.Repository); err != nil {
		c.refuse(err)
		return
	}
	list := UseList{}
	if list.Uses, err = c.DB.ActionUses(c.req.Context(), f); err != nil {
		c.refuse(err)
		return
	}
	list.Moved = append([]string{}, lookup.MovedRefs(list.Uses)...)
	unread, err := c.DB.UnreadLogs(c.req.Context(), 0, false, 1)
	if err != nil {
		c.refuse(err)
		return
	}
	list.Whole = len(unread) == 0
	c.answer(list)
}
