package access

import (
	"net/http"
	"strings"
)

// The lengths that a token may have; any other is refused unseen.
const (
	minTokenLength = 20
	maxTokenLength = 1000
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
	if !looksLikeToken(token) {
		return "", ErrBadCredentials
	}
	return token, nil
}

// looksLikeToken reports whether a text can be a token, so that GitHub is not asked about
// anything else.
func looksLikeToken(token string) bool {
	if len(token) < minTokenLength || len(token) > maxTokenLength {
		return false
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}
