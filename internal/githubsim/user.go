package githubsim

import (
	"net/http"
	"sync"
)

// user is somebody with a token.
type user struct {
	login        string
	repositories []int64
}

// users are those by their tokens.
type users struct {
	mu sync.Mutex
	by map[string]*user
}

// AddUser makes a token valid for a user, who belongs to the repositories, and who also
// sees public ones. Calling it again for the token replaces the repositories.
func (s *Server) AddUser(login, token string, repositories ...int64) {
	s.users.mu.Lock()
	defer s.users.mu.Unlock()
	if s.users.by == nil {
		s.users.by = map[string]*user{}
	}
	s.users.by[token] = &user{login, repositories}
}

func (u *users) byToken(token string) *user {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.by[token]
}

// getUser is GET /user, for a user's token.
func (s *Server) getUser(c *call) {
	login := "sim"
	switch {
	case c.who.installation != 0:
		s.apiError(c.w, http.StatusForbidden, "Resource not accessible by integration", docsUsers)
		return
	case c.who.user != nil:
		login = c.who.user.login
	}
	s.writeJSON(c, http.StatusOK, s.accountObject(login))
}

// listUserRepositories is GET /user/repos: those that the user belongs to.
func (s *Server) listUserRepositories(c *call) {
	if c.who.installation != 0 {
		s.apiError(c.w, http.StatusForbidden, "Resource not accessible by integration", docsRepos)
		return
	}
	var rs []Repository
	for _, r := range s.world.allRepositories() {
		if c.who.rights.hides(r) {
			c.w.Header().Set("X-Github-Sso", "partial-results; organizations=21955855")
			continue
		}
		if c.who.belongs(r) && (!r.Private || c.who.rights.seesPrivate(s.o.Gitea)) {
			rs = append(rs, r)
		}
	}
	s.writeJSON(c, http.StatusOK, s.pageOfRepositories(c, rs))
}
