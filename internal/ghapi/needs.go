package ghapi

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// needs says in words which scope or permission a token lacks, where that is why an
// answer is 403; empty: it is not, or it cannot be known. A 403 may be a limit too, for
// which limited has to be asked: its answers show the token's scopes as well.
func needs(h http.Header, message string, limited bool) string {
	if strings.HasPrefix(h.Get("X-Github-Sso"), "required") {
		// The header has a link too, which is good for signing in as the caller: it is not repeated.
		return "single sign-on for the organization (Configure SSO, in the settings of the token)"
	}
	if strings.HasPrefix(message, "Resource not accessible by ") {
		if accepted := permissionList(h.Get("X-Accepted-Github-Permissions")); accepted != "" {
			return "the permission " + accepted
		}
		return "a permission that it lacks, for logs Actions: read"
	}
	if scope := giteaScope(message); scope != "" {
		return "the scope " + scope
	}
	if !limited {
		return classicScope(h)
	}
	return ""
}

// permissionList is the header's list of sets of permissions, any of which will do;
// empty if it is none.
func permissionList(s string) string {
	if len(s) > 200 || !permissionPattern.MatchString(s) {
		return ""
	}
	return strings.ReplaceAll(s, ";", " or")
}

var permissionPattern = regexp.MustCompile(`^[a-z_]+=[a-z]+([,;] ?[a-z_]+=[a-z]+)*$`)

// giteaPattern is how Gitea and Forgejo refuse a token; newer ones go on with the
// scopes that it has.
var giteaPattern = regexp.MustCompile(`token does not have at least one of required scope\(s\)(?:(?:: |, required=)\[([a-z:, ]{1,200})\])?`)

func giteaScope(message string) string {
	found := giteaPattern.FindStringSubmatch(message)
	switch {
	case found == nil:
		return ""
	case found[1] == "":
		return "read:repository, or read:user"
	}
	return strings.Join(strings.FieldsFunc(found[1], func(r rune) bool { return r == ' ' || r == ',' }), " or ")
}

// scopePattern is a classic token's scope.
var scopePattern = regexp.MustCompile(`^[a-z_]+(:[a-z_]+)?$`)

// classicScope compares the scopes that a classic token has with those of which one
// would do. GitHub tells both with every answer.
func classicScope(h http.Header) string {
	if h.Values("X-Oauth-Scopes") == nil {
		return "" // not a classic one
	}
	accepted := scopes(h.Get("X-Accepted-Oauth-Scopes"))
	for _, scope := range scopes(h.Get("X-Oauth-Scopes")) {
		if slices.ContainsFunc(accepted, func(a string) bool { return related(a, scope) }) {
			return ""
		}
	}
	if len(accepted) == 0 {
		return ""
	}
	return "the scope " + strings.Join(accepted, " or ")
}

// related tells scopes that are about the same, such as repo and repo:status, or
// read:org and admin:org: one may have the other in it.
func related(a, b string) bool {
	for part := range strings.SplitSeq(a, ":") {
		if part != "read" && part != "write" && part != "admin" && slices.Contains(strings.Split(b, ":"), part) {
			return true
		}
	}
	return false
}

func scopes(header string) []string {
	var list []string
	for s := range strings.SplitSeq(header, ",") {
		if s = strings.TrimSpace(s); scopePattern.MatchString(s) && len(list) < 20 {
			list = append(list, s)
		}
	}
	return list
}
