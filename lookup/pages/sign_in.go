package pages

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/jobvault/jobvault/lookup/access"
)

// signInPageData is the form.
type signInPageData struct {
	Next   string
	Failed string // why the last try failed; empty: there was none
	GitHub bool   // whether it is a GitHub token that is asked for
	Open   bool   // over plain HTTP, to another machine: a browser keeps no session
}

// signInPage is GET /sign-in.
func (c *call) signInPage() error {
	if !c.Gate.SignsIn() {
		http.Redirect(c.w, c.req, "/", http.StatusSeeOther)
		return nil
	}
	return c.signInForm(http.StatusOK, c.req.URL.Query().Get("next"), "")
}

func (c *call) signInForm(status int, next, failed string) error {
	return c.show(status, "sign_in", "Sign in", signInPageData{
		Next: localPath(next), Failed: failed, GitHub: c.Gate.TakesGitHubTokens(),
		Open: c.req.TLS == nil && c.req.Header.Get("X-Forwarded-Proto") != "https" && !access.LoopbackHost(c.req.Host),
	})
}

// maxForm bounds what is read of a form.
const maxForm = 8 << 10

// signIn is POST /sign-in.
func (c *call) signIn() error {
	c.req.Body = http.MaxBytesReader(c.w, c.req.Body, maxForm)
	next := localPath(c.req.PostFormValue("next"))
	err := c.Gate.SignIn(c.w, c.req, strings.TrimSpace(c.req.PostFormValue("token")))
	var forbidden *access.ForbiddenError
	switch {
	case errors.Is(err, access.ErrBadCredentials):
		return c.signInForm(http.StatusUnauthorized, next, "This token is not good, or not any more.")
	case errors.As(err, &forbidden):
		return c.signInForm(http.StatusForbidden, next, capital(forbidden.Error())+".")
	case err != nil:
		return err
	}
	http.Redirect(c.w, c.req, next, http.StatusSeeOther)
	return nil
}

// signOut is POST /sign-out.
func (c *call) signOut() error {
	if err := c.Gate.SignOut(c.w, c.req); err != nil {
		return err
	}
	http.Redirect(c.w, c.req, "/sign-in", http.StatusSeeOther)
	return nil
}

// localPath keeps a redirect within this site.
func localPath(s string) string {
	u, err := url.Parse(s)
	if err != nil || strings.Contains(s, "//") || strings.Contains(s, "/.") || u.IsAbs() || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(u.EscapedPath(), "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(s, `\`) {
		return "/"
	}
	return u.RequestURI()
}
