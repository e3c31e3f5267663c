package githubsim

import (
	"fmt"
	"strings"
	"time"
)

// never is how a Gitea tells a time of its own records that is not.
var never time.Time

// giteaRepositoryObject is a repository as a Gitea's webhooks and lists have it.
func giteaRepositoryObject(r Repository) object {
	full := r.Owner + "/" + r.Name
	o := object{
		{"id", r.ID},
		{"owner", giteaUserObject(r.Owner)},
		{"name", r.Name},
		{"full_name", full},
		{"description", ""},
		{"empty", false},
		{"private", r.Private},
		{"fork", false},
		{"template", false},
		{"mirror", false},
		{"size", 26},
		{"language", ""},
		{"languages_url", giteaHost + "/api/v1/repos/" + full + "/languages"},
		{"html_url", giteaHost + "/" + full},
		{"url", giteaHost + "/api/v1/repos/" + full},
		{"link", ""},
		{"ssh_url", "git@gitea.example:" + full + ".git"},
		{"clone_url", giteaHost + "/" + full + ".git"},
		{"original_url", ""},
		{"website", ""},
		{"stars_count", 0},
		{"forks_count", 0},
		{"watchers_count", 1},
		{"branch_count", 1},
		{"open_issues_count", 0},
		{"open_pr_counter", 0},
		{"release_counter", 0},
		{"default_branch", "main"},
		{"archived", false},
		{"created_at", founded},
		{"updated_at", founded.AddDate(1, 0, 0)},
		{"archived_at", unset},
		{"permissions", object{{"admin", true}, {"push", true}, {"pull", true}}},
	}
	return append(o, giteaRepositoryUnits...)
}

// giteaRepositoryUnits are a repository's settings.
var giteaRepositoryUnits = object{
	{"has_code", true},
	{"has_issues", true},
	{"internal_tracker", object{
		{"enable_time_tracker", true}, {"allow_only_contributors_to_track_time", true}, {"enable_issue_dependencies", true},
	}},
	{"has_wiki", true},
	{"has_pull_requests", true},
	{"has_projects", true},
	{"projects_mode", "all"},
	{"has_releases", true},
	{"has_packages", false},
	{"has_actions", true},
	{"ignore_whitespace_conflicts", false},
	{"allow_merge_commits", true},
	{"allow_rebase", true},
	{"allow_rebase_explicit", true},
	{"allow_squash_merge", true},
	{"allow_fast_forward_only_merge", true},
	{"allow_rebase_update", true},
	{"allow_manual_merge", false},
	{"autodetect_manual_merge", false},
	{"default_delete_branch_after_merge", false},
	{"default_merge_style", "merge"},
	{"default_allow_maintainer_edit", true},
	{"avatar_url", ""},
	{"internal", false},
	{"mirror_interval", ""},
	{"object_format_name", "sha1"},
	{"mirror_updated", never},
	{"topics", []string(nil)},
	{"licenses", []string(nil)},
}

// giteaUserObject is an account, of a user or an organisation.
func giteaUserObject(login string) object {
	id := accountID(login)
	return object{
		{"id", id},
		{"login", login},
		{"login_name", ""},
		{"source_id", 0},
		{"full_name", ""},
		{"email", fmt.Sprintf("%d+%s@noreply.gitea.example", id, strings.ToLower(login))},
		{"avatar_url", fmt.Sprintf("%s/avatars/%08x", giteaHost, id)},
		{"html_url", giteaHost + "/" + login},
		{"language", ""},
		{"is_admin", false},
		{"last_login", never},
		{"created", founded},
		{"restricted", false},
		{"active", false},
		{"prohibit_login", false},
		{"location", ""},
		{"website", ""},
		{"description", ""},
		{"visibility", "public"},
		{"followers_count", 0},
		{"following_count", 0},
		{"starred_repos_count", 0},
		{"username", login},
	}
}

func giteaOrganizationObject(login string) object {
	id := accountID(login)
	return object{
		{"id", id},
		{"name", login},
		{"full_name", ""},
		{"email", ""},
		{"avatar_url", fmt.Sprintf("%s/avatars/%08x", giteaHost, id)},
		{"description", ""},
		{"website", ""},
		{"location", ""},
		{"visibility", "public"},
		{"repo_admin_change_team_access", false},
		{"username", login},
	}
}
