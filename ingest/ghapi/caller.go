package ghapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// callersAtOnce bounds the requests for callers, apart from our own: whoever reads
// must not slow archiving down; and strangersAtOnce those for tokens that nobody has
// seen to be good, of which anybody may bring any number.
const (
	callersAtOnce   = 20
	strangersAtOnce = 4
)

// Caller asks GitHub with a token that somebody else has brought. The limits are
// that token's own.
type Caller struct{ c *Client }

// Caller is whoever has the token, which was good lately.
func (cs *Clients) Caller(token string) Caller {
	c := cs.newClient(bearer{token: token, next: keeping{cs.api}}, 0)
	c.limit = cs.callers
	c.spend.limits = &localLimits{}
	return Caller{c}
}

// Stranger is whoever has the token, which may be anything.
func (cs *Clients) Stranger(token string) Caller {
	s := cs.Caller(token)
	s.c.limit = cs.strangers
	return s
}

// Login is the user's login. It is empty for a token that is good but no user's,
// such as an installation's; a token that is not good is an Error of class Denied
// with status 401.
func (c Caller) Login(ctx context.Context) (string, error) {
	var user struct {
		Login string `json:"login"`
	}
	_, err := c.c.get(ctx, "get user", "user", &user)
	if !isStatus(err, http.StatusForbidden) {
		return user.Login, err
	}
	// No user's, or we are refused altogether.
	var list struct{}
	if _, serr := c.c.get(ctx, "list repositories", "installation/repositories?per_page=1", &list); serr != nil {
		return "", err
	}
	return "", nil
}

// MayRead says whether the caller has read access to a repository: to the one with
// an id, under whatever name; or, if that is 0, to the one with the name.
func (c Caller) MayRead(ctx context.Context, id int64, owner, name string) (bool, error) {
	path := fmt.Sprintf("repositories/%d", id)
	if id == 0 {
		path = repoPath(owner, name)
	}
	var r Repository
	_, err := c.c.get(ctx, "get repository", path, &r)
	var e *Error
	switch {
	case err == nil:
		return r.ID == id || id == 0, nil
	case errors.As(err, &e) && (e.Class == NotFound || e.Class == Expired || e.Class == Denied && e.Status == http.StatusForbidden):
		return false, nil
	}
	return false, err
}

// Repositories lists the ids of the repositories that the caller belongs to in some
// way; there may be public ones beside them.
func (c Caller) Repositories(ctx context.Context) ([]int64, error) {
	var ids []int64
	add := func(r Repository, err error) bool {
		ids = append(ids, r.ID)
		return err == nil
	}
	for p, err := range pages[[]Repository](ctx, c.c, "list repositories", request{path: "user/repos?per_page=100"}) {
		if isStatus(err, http.StatusForbidden) || isStatus(err, http.StatusNotFound) {
			return c.installed(ctx)
		}
		if err != nil {
			return nil, err
		}
		c.c.yieldAll(p.body, add)
	}
	return ids, nil
}

// installed is Repositories for an installation's token, which is no user's.
func (c Caller) installed(ctx context.Context) ([]int64, error) {
	var ids []int64
	var failed error
	c.c.visible(ctx, func(r Repository, err error) bool {
		if err != nil {
			failed = err
			return false
		}
		ids = append(ids, r.ID)
		return true
	})
	return ids, failed
}
