package githubsim

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// refusal is a reason not to serve a caller.
type refusal struct {
	status  int
	message string
}

var undecodable = &refusal{http.StatusUnauthorized, "A JSON web token could not be decoded"}

// checkJWT verifies an App's token as GitHub does: RS256 only, issued by the
// App, not expired, and not for more than ten minutes.
func (s *Server) checkJWT(token string) *refusal {
	head, payload, signature, ok := splitJWT(token)
	if !ok || s.o.AppKey == nil {
		return undecodable
	}
	var header struct {
		Alg string `json:"alg"`
	}
	if json.Unmarshal(head, &header) != nil || header.Alg != "RS256" {
		return undecodable
	}
	signed := sha256.Sum256([]byte(token[:strings.LastIndexByte(token, '.')]))
	if rsa.VerifyPKCS1v15(s.o.AppKey, crypto.SHA256, signed[:], signature) != nil {
		return undecodable
	}
	var claims struct {
		Iat, Exp int64
		Iss      any
	}
	if json.Unmarshal(payload, &claims) != nil {
		return undecodable
	}
	now := s.now()
	switch {
	case !now.Before(time.Unix(claims.Exp, 0)):
		return &refusal{http.StatusUnauthorized, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"}
	case time.Unix(claims.Exp, 0).After(now.Add(10 * time.Minute)):
		return &refusal{http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future"}
	case time.Unix(claims.Iat, 0).After(now.Add(time.Minute)):
		return &refusal{http.StatusUnauthorized, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"}
	case !s.isApp(claims.Iss):
		return &refusal{http.StatusNotFound, "Integration not found"}
	}
	return nil
}

// isApp accepts the App's id as a number or as a string, as GitHub does.
func (s *Server) isApp(iss any) bool {
	switch iss := iss.(type) {
	case float64:
		return int64(iss) == s.o.AppID
	case string:
		return iss == strconv.FormatInt(s.o.AppID, 10)
	}
	return false
}

func splitJWT(token string) (header, payload, signature []byte, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil, nil, false
	}
	var out [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return nil, nil, nil, false
		}
		out[i] = b
	}
	return out[0], out[1], out[2], true
}
