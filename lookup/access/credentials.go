package access

import (
	"net/http"
	"strings"
)

// Lengths of tokens that are looked at at all.
const (
	leastToken = 20
	mostToken  = 1000
)

// credentials takes the token out of the Authorization header as GitHub does:
// "Bearer T", "token T", or Basic with the token as the password, or as the user
// name without one.
func credentials(req *http.Request) (string, error) {
	header := req.Header.Get("Authorization")
	if header == "" {
		return "", ErrNoCredentials
	}
	scheme, token, _ := strings.Cut(header, " ")
	switch strings.ToLower(scheme) {
	case "bearer", "token":
	case "basic":
		user, password, _ := req.BasicAuth()
		token = password
		if password == "" || password == "x-oauth-basic" {
			token = user
		}
	default:
		return "", ErrBadCredentials
	}
	token = strings.TrimSpace(token)
	if !plausible(token) {
		return "", ErrBadCredentials
	}
	return token, nil
}

// plausible keeps what cannot be a token from being asked after.
func plausible(token string) bool {
	if len(token) < leastToken || len(token) > mostToken {
		return false
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}
