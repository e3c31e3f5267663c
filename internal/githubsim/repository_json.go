package githubsim

import (
	"hash/fnv"
	"time"
)

// founded is when everything began that has no date of its own.
var founded = time.Date(2021, 3, 1, 9, 0, 0, 0, time.UTC)

// repositoryObject is a repository as the server's webhooks and lists have it.
func (s *Server) repositoryObject(r Repository) object {
	if s.o.Gitea {
		return giteaRepositoryObject(r)
	}
	return repositoryObject(r)
}

// accountObject is a user, as the server tells of one.
func (s *Server) accountObject(login string) object {
	if s.o.Gitea {
		return giteaUserObject(login)
	}
	return accountObject(login, "User")
}

// repositoryObject is a repository as GitHub's webhooks and lists have it.
func repositoryObject(r Repository) object {
	var (
		full = r.Owner + "/" + r.Name
		web  = webHost + "/" + full
	)
	o := object{
		{"id", r.ID},
		{"node_id", nodeID("R", r.ID)},
		{"name", r.Name},
		{"full_name", full},
		{"private", r.Private},
		{"owner", ownerObject(r.Owner)},
		{"html_url", web},
		{"description", "Part of " + r.Owner},
		{"fork", false},
	}
	o = append(o, repositoryLinks(apiHost+"/repos/"+full)...)
	o = append(o, object{
		{"created_at", founded},
		{"updated_at", founded.AddDate(1, 0, 0)},
		{"pushed_at", founded.AddDate(1, 0, 0)},
		{"git_url", "git://github.example/" + full + ".git"},
		{"ssh_url", "git@github.example:" + full + ".git"},
		{"clone_url", web + ".git"},
		{"svn_url", web},
		{"homepage", nil},
	}...)
	return append(o, repositoryFeatures(r)...)
}

// repositoryFeatures are a repository's counts and settings.
func repositoryFeatures(r Repository) object {
	visibility := "public"
	if r.Private {
		visibility = "private"
	}
	return object{
		{"size", 4711},
		{"stargazers_count", 12},
		{"watchers_count", 12},
		{"language", "Go"},
		{"has_issues", true},
		{"has_projects", true},
		{"has_downloads", true},
		{"has_wiki", false},
		{"has_pages", false},
		{"has_discussions", false},
		{"forks_count", 3},
		{"mirror_url", nil},
		{"archived", false},
		{"disabled", false},
		{"open_issues_count", 5},
		{"license", nil},
		{"allow_forking", true},
		{"is_template", false},
		{"web_commit_signoff_required", false},
		{"topics", []string(nil)},
		{"visibility", visibility},
		{"forks", 3},
		{"open_issues", 5},
		{"watchers", 12},
		{"default_branch", "main"},
		{"custom_properties", object{}},
	}
}

// linkSuffixes are the links of a repository, in order: key, then path.
var linkSuffixes = [][2]string{
	{"url", ""},
	{"forks_url", "/forks"},
	{"keys_url", "/keys{/key_id}"},
	{"collaborators_url", "/collaborators{/collaborator}"},
	{"teams_url", "/teams"},
	{"hooks_url", "/hooks"},
	{"issue_events_url", "/issues/events{/number}"},
	{"events_url", "/events"},
	{"assignees_url", "/assignees{/user}"},
	{"branches_url", "/branches{/branch}"},
	{"tags_url", "/tags"},
	{"blobs_url", "/git/blobs{/sha}"},
	{"git_tags_url", "/git/tags{/sha}"},
	{"git_refs_url", "/git/refs{/sha}"},
	{"trees_url", "/git/trees{/sha}"},
	{"statuses_url", "/statuses/{sha}"},
	{"languages_url", "/languages"},
	{"stargazers_url", "/stargazers"},
	{"contributors_url", "/contributors"},
	{"subscribers_url", "/subscribers"},
	{"subscription_url", "/subscription"},
	{"commits_url", "/commits{/sha}"},
	{"git_commits_url", "/git/commits{/sha}"},
	{"comments_url", "/comments{/number}"},
	{"issue_comment_url", "/issues/comments{/number}"},
	{"contents_url", "/contents/{+path}"},
	{"compare_url", "/compare/{base}...{head}"},
	{"merges_url", "/merges"},
	{"archive_url", "/{archive_format}{/ref}"},
	{"downloads_url", "/downloads"},
	{"issues_url", "/issues{/number}"},
	{"pulls_url", "/pulls{/number}"},
	{"milestones_url", "/milestones{/number}"},
	{"notifications_url", "/notifications{?since,all,participating}"},
	{"labels_url", "/labels{/name}"},
	{"releases_url", "/releases{/id}"},
	{"deployments_url", "/deployments"},
}

func repositoryLinks(base string) object {
	o := make(object, len(linkSuffixes))
	for i, l := range linkSuffixes {
		o[i] = member{l[0], base + l[1]}
	}
	return o
}

func ownerObject(login string) object { return accountObject(login, "Organization") }

func accountObject(login, kind string) object {
	var (
		id  = accountID(login)
		api = apiHost + "/users/" + login
	)
	return object{
		{"login", login},
		{"id", id},
		{"node_id", nodeID("O", id)},
		{"avatar_url", "https://avatars.github.example/u/" + login + "?v=4"},
		{"gravatar_id", ""},
		{"url", api},
		{"html_url", webHost + "/" + login},
		{"followers_url", api + "/followers"},
		{"following_url", api + "/following{/other_user}"},
		{"gists_url", api + "/gists{/gist_id}"},
		{"starred_url", api + "/starred{/owner}{/repo}"},
		{"subscriptions_url", api + "/subscriptions"},
		{"organizations_url", api + "/orgs"},
		{"repos_url", api + "/repos"},
		{"events_url", api + "/events{/privacy}"},
		{"received_events_url", api + "/received_events"},
		{"type", kind},
		{"user_view_type", "public"},
		{"site_admin", false},
	}
}

func organizationObject(login string) object {
	var (
		id  = accountID(login)
		api = apiHost + "/orgs/" + login
	)
	return object{
		{"login", login},
		{"id", id},
		{"node_id", nodeID("O", id)},
		{"url", api},
		{"repos_url", api + "/repos"},
		{"events_url", api + "/events"},
		{"hooks_url", api + "/hooks"},
		{"issues_url", api + "/issues"},
		{"members_url", api + "/members{/member}"},
		{"public_members_url", api + "/public_members{/member}"},
		{"avatar_url", "https://avatars.github.example/u/" + login + "?v=4"},
		{"description", "Things that fly"},
	}
}

// accountID gives every login an id of its own.
func accountID(login string) int64 {
	h := fnv.New32a()
	h.Write([]byte(login))
	return int64(h.Sum32())
}
