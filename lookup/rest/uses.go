package rest

import (
	"net/http"

	"github.com/jobvault/jobvault/lookup"
)

// listUses is GET /api/v3/uses?action=OWNER/REPO[/PATH][@REF]&repository=&since=&event=&actor=&fork=.
// The action may be an image, as lookup.ParseAction reads it.
func (c *call) listUses() {
	reader, err := c.Gate.Reader(c.req)
	if err != nil {
		c.answerError(err)
		return
	}
	f, err := lookup.ParseUses(c.req.URL.Query(), c.Now())
	if err != nil {
		c.fail(http.StatusUnprocessableEntity, err.Error())
		return
	}
	if f.Repositories, err = reader.Listed(c.req.Context(), f.Repository); err != nil {
		c.answerError(err)
		return
	}
	uses, err := lookup.FindUses(c.req.Context(), c.DB, f)
	if err != nil {
		c.answerError(err)
		return
	}
	c.answer(uses)
}
