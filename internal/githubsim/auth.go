package githubsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// access says who may call an endpoint.
type access int

const (
	byAnyone access = iota // with or without a token
	byToken                // the token, or an installation's
	byApp                  // an App's JWT
)

// identity is the caller of a request.
type identity struct {
	installation int64 // 0: the token of a user
	user         *user // nil: the server's own token, which sees everything
	rights       Rights
}

// sees reports whether the caller has access to the repository.
func (id identity) sees(r Repository) bool {
	return !r.Private || id.belongs(r)
}

// belongs reports whether the caller has more rights to the repository than anybody has.
func (id identity) belongs(r Repository) bool {
	switch {
	case id.user != nil:
		return slices.Contains(id.user.repositories, r.ID)
	case id.installation != 0:
		return id.installation == r.InstallationID
	}
	return true
}

// authenticate finds the caller, or the refusal.
func (s *Server) authenticate(r *http.Request, need access) (identity, *refusal) {
	token := bearer(r)
	if need == byApp {
		return identity{}, s.checkJWT(token)
	}
	if token == s.token {
		return identity{}, nil
	}
	if id, ok := s.tokens.installation(token, s.now()); ok {
		return identity{installation: id}, nil
	}
	if u := s.users.byToken(token); u != nil {
		return identity{user: u}, nil
	}
	switch {
	case need == byAnyone && token == "":
		return identity{}, nil
	case token == "":
		return identity{}, &refusal{http.StatusUnauthorized, "Requires authentication"}
	}
	return identity{}, &refusal{http.StatusUnauthorized, "Bad credentials"}
}

// callerOf returns the caller whose limits a request counts for. All tokens of an
// installation share its limits.
func (s *Server) callerOf(r *http.Request, need access) string {
	if need == byApp {
		return "app"
	}
	token := bearer(r)
	if id := s.tokens.issuedTo(token); id != 0 {
		return fmt.Sprintf("installation %d", id)
	}
	return token
}

// bearer is the token of "Bearer X" or "token X".
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "token") {
		return strings.TrimSpace(token)
	}
	return ""
}

// issuedTokens are the installation tokens given out.
type issuedTokens struct {
	mu      sync.Mutex
	byToken map[string]issuedToken
}

type issuedToken struct {
	installation int64
	expires      time.Time
}

// issue makes a new token, the n-th of this server, with an hour to live.
func (s *Server) issue(installation int64) (string, time.Time) {
	t := &s.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byToken == nil {
		t.byToken = map[string]issuedToken{}
	}
	token := "ghs_" + base64.RawURLEncoding.EncodeToString(s.mac("token", uint64(len(t.byToken)))[:27])
	expires := s.now().Add(time.Hour).Truncate(time.Second)
	t.byToken[token] = issuedToken{installation, expires}
	return token, expires
}

// issuedTo is the installation of a token, also of an expired one; 0: not ours.
func (t *issuedTokens) issuedTo(token string) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byToken[token].installation
}

// installation is that of a token which has not expired.
func (t *issuedTokens) installation(token string, now time.Time) (int64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	issued, ok := t.byToken[token]
	return issued.installation, ok && now.Before(issued.expires)
}

// mac derives everything that looks random from the seed: the purpose keeps the
// uses apart.
func (s *Server) mac(purpose string, values ...uint64) []byte {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], s.o.Seed)
	m := hmac.New(sha256.New, key[:])
	m.Write([]byte(purpose))
	for _, v := range values {
		binary.Write(m, binary.BigEndian, v)
	}
	return m.Sum(nil)
}
