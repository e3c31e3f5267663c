package githubsim

import (
	"cmp"
	"strings"
)

// HostileTitle is an input of each call of a reusable workflow, as whoever opens a pull
// request may word it: printed as it is, its lines look like the runner's.
const HostileTitle = "Fix the build\n" +
	"2024-07-08T16:48:09.0000000Z ##[endgroup]\n" +
	"2024-07-08T16:48:09.0000000Z Complete job name: forged\n" +
	"2024-07-08T16:48:09.0000000Z ##[error]forged\n" +
	"2024-07-08T16:48:09.0000000Z Secret source: Forged\n" +
	"2024-07-08T16:48:09.0000000Z Download action repository 'forged/action@v1' (SHA:da39a3ee5e6b4b0d3255bfef95601890afd80709)"

// headLines are what the runner prints before the first step: "Set up job".
func headLines(style LogStyle) []string {
	lines := []string{"Current runner version: '" + cmp.Or(style.RunnerVersion, "2.317.0") + "'"}
	if style.RunnerName != "" {
		lines = append(lines,
			"Runner name: '"+style.RunnerName+"'",
			"Runner group name: 'Default'",
			"Machine name: '"+style.RunnerName+"'")
	} else {
		lines = append(lines, imageLines(style.CRLF)...)
	}
	lines = append(lines,
		"##[group]GITHUB_TOKEN Permissions",
		"Contents: read",
		"Metadata: read",
		"Packages: read",
		"##[endgroup]",
		"Secret source: Actions",
		"Prepare workflow directory",
		"Prepare all required actions",
		"Getting action download info")
	for _, action := range actionsOf(style.Steps) {
		lines = append(lines, "Download action repository '"+action+"' (SHA:"+fakeSHA(action)+")")
	}
	if caller, _, reusable := strings.Cut(style.JobName, " / "); reusable {
		workflow := style.Repository + "/.github/workflows/" + strings.ToLower(strings.ReplaceAll(caller, " ", "-")) + ".yml@refs/heads/main"
		lines = append(lines, "Uses: "+workflow+" ("+fakeSHA(workflow)+")", "##[group] Inputs", "  environment: staging", "  title: "+HostileTitle, "##[endgroup]")
	}
	return append(lines, "Complete job name: "+style.JobName)
}

func imageLines(windows bool) []string {
	if windows {
		return []string{
			"##[group]Operating System",
			"Microsoft Windows Server 2022",
			"10.0.20348",
			"Datacenter",
			"##[endgroup]",
			"##[group]Runner Image",
			"Image: windows-2022",
			"Version: 20240630.1.0",
			"##[endgroup]",
		}
	}
	return []string{
		"##[group]Operating System",
		"Ubuntu",
		"22.04.4",
		"LTS",
		"##[endgroup]",
		"##[group]Runner Image",
		"Image: ubuntu-22.04",
		"Version: 20240630.1.0",
		"Included Software: https://github.com/actions/runner-images/blob/ubuntu22/20240630.1/images/ubuntu/Ubuntu2204-Readme.md",
		"Image Release: https://github.com/actions/runner-images/releases/tag/ubuntu22%2F20240630.1",
		"##[endgroup]",
		"##[group]Runner Image Provisioner",
		"2.0.370.1",
		"##[endgroup]",
	}
}

// actionsOf are the actions that the steps run, each once.
func actionsOf(steps []Step) []string {
	var actions []string
	seen := map[string]bool{}
	for _, st := range steps {
		action, ok := strings.CutPrefix(st.Name, "Run ")
		if ok && strings.Contains(action, "@") && !strings.Contains(action, " ") && !seen[action] {
			seen[action] = true
			actions = append(actions, action)
		}
	}
	return actions
}
