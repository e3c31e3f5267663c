package ghapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
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
type Caller struct {
	c     *Client
	gitea bool
}

// Caller is whoever has the token, which was good lately.
func (cs *Clients) Caller(token string) Caller {
	c := cs.newClient(tokenTransport{token: token, next: secretRecorder{cs.api}}, 0)
	c.requested = func(Kind, int) {}
	c.limit = cs.callers
	c.spend.limits = &localLimits{}
	return Caller{c, cs.gitea}
}

// Stranger is whoever has the token, which may be anything.
func (cs *Clients) Stranger(token string) Caller {
	s := cs.Caller(token)
	s.c.limit = cs.strangers
	return s
}

// Login is the user's login. It is empty for a token that is good but no user's,
// such as an installation's. A token that is not good is an Error of class Denied
// with status 401; one that may not say whose it is, with status 403.
func (c Caller) Login(ctx context.Context) (string, error) {
	var user struct {
		Login string `json:"login"`
	}
	_, err := c.c.get(ctx, "get user", "user", &user)
	if !isStatus(err, http.StatusForbidden) || !denied(err) || c.gitea {
		return user.Login, err
	}
	// No user's, or we are refused altogether.
	var list struct{}
	_, serr := c.c.get(ctx, "list repositories", "installation/repositories?per_page=1", &list)
	if isStatus(serr, http.StatusNotFound) || isStatus(serr, http.StatusForbidden) && denied(serr) {
		return "", err
	}
	return "", serr
}

// denied tells a refusal from a limit, which may have the same status.
func denied(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Class == Denied
}

// MayReadActions says whether the caller may read what a job's log is part of: it asks
// for the repository's runs, by the id of the repository, whatever it is called; or by
// the name, if the id is 0. That the repository can be seen does not suffice. A no is
// no error; but it is an Error of class Denied with Needs if the token lacks a scope or
// a permission: GitHub says so only of a repository that the token can see, Gitea of any.
//
// It is one request, and two to a Gitea, which does not know runs by a repository's id.
func (c Caller) MayReadActions(ctx context.Context, id int64, owner, name string) (bool, error) {
	path, size := repoPath(owner, name), "per_page"
	if id != 0 {
		path = fmt.Sprintf("repositories/%d", id)
	}
	if c.gitea {
		var r Repository
		if _, err := c.c.get(ctx, "get repository", path, &r); err != nil {
			return refusal(err)
		}
		if owner, name = r.Names(); r.ID != id && id != 0 || owner == "" || name == "" {
			return false, nil
		}
		id, path, size = r.ID, repoPath(owner, name), "limit"
	}
	var list struct {
		Runs json.RawMessage `json:"workflow_runs"` // which may be null, but must be there
	}
	if _, err := c.c.get(ctx, "list runs", path+"/actions/runs?"+size+"=1", &list); err != nil {
		return refusal(err)
	}
	var runs []struct {
		Repository struct {
			ID int64 `json:"id"`
		} `json:"repository"`
	}
	if json.Unmarshal(list.Runs, &runs) != nil {
		return false, &Error{Class: Transient, Op: "list runs", Status: http.StatusOK, Message: "the answer is not the JSON expected"}
	}
	for _, r := range runs {
		if id != 0 && r.Repository.ID != 0 && r.Repository.ID != id {
			return false, nil // the name leads to another repository by now
		}
	}
	return true, nil
}

// refusal turns an error that is a plain no into one.
func refusal(err error) (bool, error) {
	var e *Error
	if errors.As(err, &e) && (e.Class == NotFound || e.Class == Expired || e.Class == Denied && e.Status == http.StatusForbidden && e.Needs == "") {
		return false, nil
	}
	return false, err
}

// Seen are the repositories that a caller belongs to in some way, by its own listing.
// There may be public ones beside them.
type Seen struct {
	Repositories []Repository
	Extent       Extent
}

// Extent says how much a token may read of what it sees.
type Extent int

const (
	// ExtentUnknown is when each repository has to be asked after.
	ExtentUnknown Extent = iota
	// ExtentAll is all that is listed, as with a classic token that has the scope repo.
	ExtentAll
	// ExtentPublic is all that is public; each other one has to be asked after. So it is
	// with a classic token without that scope, which should see no others.
	ExtentPublic
	// ExtentAlike is when one private repository stands for all private ones, and a public
	// one for the public: an installation's token has the same permissions everywhere.
	ExtentAlike
)

// Repositories lists what the caller sees; not all of it may be readable.
func (c Caller) Repositories(ctx context.Context) (Seen, error) {
	var seen Seen
	add := func(r Repository, err error) bool {
		seen.Repositories = append(seen.Repositories, r)
		return err == nil
	}
	path := "user/repos?per_page=100"
	if c.gitea {
		path = "user/repos?limit=50" // the most it gives
	}
	for p, err := range pages[[]Repository](ctx, c.c, "list repositories", request{path: path}) {
		if !c.gitea && (isStatus(err, http.StatusForbidden) && denied(err) || isStatus(err, http.StatusNotFound)) {
			return c.installed(ctx, err)
		}
		if err != nil {
			return Seen{}, err
		}
		c.c.yieldAll(p.body, add)
		if !c.gitea {
			seen.Extent = classicExtent(p.header)
		}
	}
	return seen, nil
}

// classicExtent goes by the scopes, which GitHub tells with every answer to a classic
// token. Those of Apps' users may have the header too, but nothing in it.
func classicExtent(h http.Header) Extent {
	switch has := h.Values("X-Oauth-Scopes"); {
	case slices.Contains(scopes(strings.Join(has, ",")), "repo"):
		return ExtentAll
	case has != nil:
		return ExtentPublic
	}
	return ExtentUnknown
}

// installed is Repositories for an installation's token, which is no user's. If it is
// neither, the answer is what was said before.
func (c Caller) installed(ctx context.Context, before error) (Seen, error) {
	seen := Seen{Extent: ExtentAlike}
	var failed error
	c.c.visible(ctx, func(r Repository, err error) bool {
		if err != nil {
			failed = err
			return false
		}
		seen.Repositories = append(seen.Repositories, r)
		return true
	})
	if isStatus(failed, http.StatusNotFound) || isStatus(failed, http.StatusForbidden) && denied(failed) {
		failed = before
	}
	return seen, failed
}
