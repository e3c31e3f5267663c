package access

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jobvault/jobvault/store"
)

// sessionLife is how long somebody stays signed in. The token is checked on every
// request: when it is no longer valid, neither is the session.
const sessionLife = 12 * time.Hour

// overTLS says whether a session's cookie is for TLS only: it is, except for a browser on
// this machine. A proxy may have put this machine's name in place of its own.
func overTLS(req *http.Request) bool { return !LoopbackHost(req.Host) || cameThroughProxy(req) }

// cookieName returns the name of a session's cookie. A browser accepts the longer name,
// which is used off loopback, only over TLS, for exactly this host, and from this host.
func cookieName(req *http.Request) string {
	if !overTLS(req) {
		return "jobvault_session"
	}
	return "__Host-jobvault_session"
}

// SignIn checks a token and begins a session, whose cookie the answer carries. It fails
// as Reader does.
func (g *Gate) SignIn(w http.ResponseWriter, req *http.Request, token string) error {
	if g.rule == nil {
		return ErrNotLocal
	}
	if !looksLikeToken(token) {
		return ErrBadCredentials
	}
	if _, err := g.readerOf(req.Context(), token); err != nil {
		return err
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	if err := g.db.AddSession(req.Context(), sha256.Sum256(secret), seal(secret, token), g.now(), sessionLife); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	http.SetCookie(w, sessionCookie(req, base64.RawURLEncoding.EncodeToString(secret), int(sessionLife.Seconds())))
	return nil
}

// SignOut ends the session of a request, if it has one. Its only error is ErrAway: then
// the browser forgets the session, although it has not ended.
func (g *Gate) SignOut(w http.ResponseWriter, req *http.Request) error {
	http.SetCookie(w, sessionCookie(req, "", -1))
	secret, err := sessionSecret(req)
	if err != nil {
		return nil //nolint:nilerr // there is no session to end
	}
	if err := g.db.EndSession(req.Context(), sha256.Sum256(secret)); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

func sessionCookie(req *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure but on loopback, where there is no TLS
		Name: cookieName(req), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: overTLS(req),
	}
}

// session finds the token that a session was begun with.
func (g *Gate) session(req *http.Request) (string, error) {
	secret, err := sessionSecret(req)
	if err != nil {
		return "", err
	}
	sealed, err := g.sealed(req.Context(), secret)
	if err != nil {
		return "", err
	}
	return unseal(secret, sealed)
}

func (g *Gate) sealed(ctx context.Context, secret []byte) ([]byte, error) {
	sealed, err := g.db.Session(ctx, sha256.Sum256(secret), g.now())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, ErrBadCredentials
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return sealed, nil
}

func sessionSecret(req *http.Request) ([]byte, error) {
	cookie, err := req.Cookie(cookieName(req))
	if err != nil {
		return nil, ErrNoCredentials
	}
	secret, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(secret) != 32 {
		return nil, ErrBadCredentials
	}
	return secret, nil
}

// seal encrypts a token with a key derived from the cookie's secret, of which the
// database holds only the digest.
func seal(secret []byte, token string) []byte {
	aead, nonce := sealer(secret)
	return aead.Seal(nil, nonce, []byte(token), nil)
}

func unseal(secret, sealed []byte) (string, error) {
	aead, nonce := sealer(secret)
	token, err := aead.Open(nil, nonce, sealed, nil)
	if err != nil {
		return "", ErrBadCredentials
	}
	return string(token), nil
}

// sealer returns the cipher that seals one token: no secret is used twice. It cannot
// fail, because the lengths are right.
func sealer(secret []byte) (cipher.AEAD, []byte) {
	const keySize, nonceSize = 32, 12
	derived, err := hkdf.Key(sha256.New, secret, nil, "jobvault session", keySize+nonceSize)
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(derived[:keySize])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead, derived[keySize:]
}
