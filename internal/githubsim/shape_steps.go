package githubsim

import "strings"

// setUp is the runner's first step.
func (s *shaper) setUp() {
	s.begin(setUpStep, noMark)
	style := LogStyle{JobName: "build", Repository: "acme/rocket", CRLF: s.crlf}
	if s.oneIn(3) {
		style.RunnerName = "shelf-7"
	}
	if s.markers {
		style.RunnerVersion = "2.337.0"
	}
	if s.oldHead {
		s.print("Requested labels: ubuntu-latest", "Job defined at: acme/rocket/.github/workflows/ci.yml@refs/heads/main", "Waiting for a runner to pick up this job...")
	}
	lines := headLines(style)
	last := len(lines) - 1
	s.print(lines[:last]...)
	if s.called {
		s.inputs()
	}
	s.print(lines[last])
	s.pass(2000)
	s.end("success")
}

const setUpStep = "Set up job"

// beforeSteps are the runner's own steps before the workflow's.
func (s *shaper) beforeSteps() {
	if s.hooks {
		s.hook("Set up runner", "A job started hook has been configured by the self-hosted runner administrator", "/opt/hooks/start.sh")
	}
	if s.pulls {
		s.pull()
	}
	if !s.containers {
		return
	}
	if s.containerHooks {
		s.containerHook("Initialize containers")
		return
	}
	s.begin("Initialize containers", noMark)
	s.mark("##[group]Checking docker version")
	s.print("##[command]/usr/bin/docker version --format '{{.Server.APIVersion}}'", "'1.47'", "##[endgroup]", "##[group]Clean up resources from previous jobs", "##[endgroup]")
	s.print("##[group]Starting postgres service container", "##[command]/usr/bin/docker pull postgres:17", "##[endgroup]", "##[group]Waiting for all services to be ready", "postgres service is healthy.", "##[endgroup]")
	s.pass(3000)
	s.end("success")
}

// pull gets the images of container actions.
func (s *shaper) pull() {
	image := "ghcr.io/acme-tools/lint:slim-v4"
	s.begin("Pull "+image, noMark)
	s.mark("##[group]Pull down action image '" + image + "'")
	s.pass(2000)
	s.print("##[command]/usr/bin/docker pull "+image, "Digest: sha256:"+strings.Repeat("b", 64), "##[endgroup]")
	s.end("success")
	if s.oneIn(2) {
		s.begin("Build acme-tools/deploy@v2", noMark)
		s.mark("##[group]Build container for action use: '/home/runner/work/_actions/acme-tools/deploy/v2/Dockerfile'.")
		s.print("##[command]/usr/bin/docker build -t a1b2 .", "#1 [internal] load build definition")
		s.pass(2000)
		s.print("##[endgroup]")
		s.end("success")
	}
}

func (s *shaper) hook(name, line, path string) {
	s.begin(name, noMark)
	s.mark(line)
	s.print("##[group]Run '"+path+"'", "shell: /usr/bin/bash -e {0}", "##[endgroup]")
	s.output(2)
	s.end("success")
}

// containerHook is a step that a hook runs in place of docker, as in a cluster.
func (s *shaper) containerHook(name string) {
	s.begin(name, hookClass)
	if s.oneIn(2) {
		s.pass(2000)
	}
	s.mark(containerHookGroup)
	s.print("shell: /home/runner/externals/node20/bin/node {0}", "##[endgroup]")
	s.pass(2000)
	s.end("success")
}

const containerHookGroup = "##[group]Run '/home/runner/k8s/index.js'"

// hookRuns prints what a hook prints that runs a step's command in a container.
func (s *shaper) hookRuns() {
	if s.containers && s.containerHooks {
		s.forge(containerHookGroup, hookClass, false)
		s.print("shell: /home/runner/externals/node20/bin/node {0}", "##[endgroup]")
	}
}

// afterSteps are the runner's own steps after the workflow's, which run whatever failed.
func (s *shaper) afterSteps() {
	for i := len(s.posts) - 1; i >= 0; i-- {
		s.begin("Post "+s.posts[i], postClass)
		s.mark("Post job cleanup.")
		if s.oneIn(3) {
			s.print("[command]/usr/bin/git version", "git version 2.45.2")
		}
		if s.markers && s.oneIn(4) {
			s.print("##[start-action display=Set up Bun;id=x.y]", "##[end-action id=x.y;outcome=skipped;conclusion=skipped;duration_ms=0]")
		}
		s.end("success")
	}
	if s.containers && s.containerHooks {
		s.containerHook("Stop containers")
	} else if s.containers {
		s.begin("Stop containers", stopClass)
		s.mark("Print service container logs: c0ffee_postgres17_a1b2c3")
		s.print("##[command]/usr/bin/docker logs --details c0ffee", "LOG:  database system is ready\n to accept connections", "Stop and remove container: c0ffee_postgres17_a1b2c3", "Remove container network: github_network_1")
		s.end("success")
	}
	if s.hooks {
		s.hook("Complete runner", "A job completed hook has been configured by the self-hosted runner administrator", "/opt/hooks/end.sh")
	}
	s.begin("Complete job", cleanClass)
	if s.oneIn(6) {
		s.mark("Evaluate and set job outputs")
		s.print("Set output 'image'")
		s.print("Cleaning up orphan processes")
	} else {
		s.mark("Cleaning up orphan processes")
	}
	if s.nodeLines {
		s.print("##[warning]Node.js 20 actions are deprecated. Please check if updated versions are available.")
	}
	s.end("success")
}

// userSteps are the workflow's.
func (s *shaper) userSteps() {
	for i := range s.users {
		if s.ended != "" && !s.oneIn(5) {
			s.skip(s.name("make test"))
			continue
		}
		if s.oneIn(15) {
			s.skip(s.name("make deploy"))
		}
		conclusion := "success"
		if i == s.failing {
			conclusion = s.fails
		}
		s.userStep(conclusion)
		if conclusion != "success" {
			s.ended = conclusion
		}
	}
}

func (s *shaper) userStep(conclusion string) {
	switch n := s.rng.below(20); {
	case n < 2 && s.pulls:
		s.action("docker://ghcr.io/acme-tools/lint:slim-v4", conclusion, false)
	case n < 6:
		s.action([]string{"actions/checkout@v4", "acme-tools/fetch@v1", "actions/setup-go@v5"}[s.rng.below(3)], conclusion, true)
	case n < 8:
		s.composite(conclusion)
	case n == 8:
		s.bareError(conclusion)
	case n == 10 && s.tolerates:
		s.tolerated()
	case n == 9 && !s.quick && !s.debug && s.oneIn(3):
		s.parallel()
	default:
		s.script(conclusion)
	}
}

// name is what the API calls a step whose group has a title: that, if its author gave it
// no name.
func (s *shaper) name(title string) string {
	if s.oneIn(2) {
		return "Run " + title
	}
	return []string{"Build", "Test", "Lint the rest", "Run tests", "Build the site", "Pull translations", "Post a comment", "Upload"}[s.rng.below(8)]
}

func (s *shaper) action(ref, conclusion string, posts bool) {
	name := s.name(ref)
	s.begin(name, runClass)
	if s.nodeLines {
		s.print("Node 20 is being deprecated. This workflow is running with Node 24 by default.")
	}
	if s.oneIn(12) {
		s.print("##[warning]Unexpected input(s) 'colour', valid inputs are ['color']")
	}
	s.mark("##[group]Run " + ref)
	s.print("with:", "  fetch-depth: 1", "##[endgroup]")
	s.output(4)
	s.finish(name, conclusion)
	if posts && s.oneIn(2) {
		s.posts = append(s.posts, name)
	}
}

func (s *shaper) script(conclusion string) {
	command := []string{"make", "make test", "npm ci", "go vet ./...", "true", "echo 'Run me'", "'./gradlew'", "'./gradlew' 'build'"}[s.rng.below(8)]
	name := s.name(command)
	s.begin(name, runClass)
	s.mark("##[group]Run " + command)
	s.print("\x1b[36;1m"+command+"\x1b[0m", "shell: /usr/bin/bash -e {0}", "##[endgroup]")
	s.hookRuns()
	s.output(6)
	s.finish(name, conclusion)
}

// finish ends a step of the workflow's.
func (s *shaper) finish(name, conclusion string) {
	switch conclusion {
	case "failure":
		s.print("##[error]Process completed with exit code 1.")
	case "cancelled":
		s.print("##[error]The operation was canceled.")
	case "timed_out":
		s.print("##[error]The action '" + name + "' has timed out after 5 minutes.")
		conclusion = "failure"
	}
	s.end(conclusion)
}

// parallel are two steps at the same time, and one that waits for them.
func (s *shaper) parallel() {
	s.begin("Start the server", runClass)
	s.mark("##[group]Run npm start")
	s.print("##[endgroup]", "server: listening")
	first := len(s.ran) - 1
	s.now += ticksPerSecond
	s.begin("Test the server", runClass).with = true
	s.mark("##[group]Run npm test")
	s.print("##[endgroup]", "test: begin", "server: GET /")
	s.now += 3 * ticksPerSecond
	s.print("test: 1 passed")
	s.end("success")
	s.print("server: FATAL out of memory")
	s.now += ticksPerSecond
	s.begin("Wait for the server", runClass)
	s.mark("Waiting for background step(s) to complete: Start the server")
	s.end("success")
	at, conclusion := s.ran[first+1].to.second(), "failure"
	s.steps[s.ran[first].step].CompletedAt, s.steps[s.ran[first].step].Conclusion = &at, &conclusion
	s.ran[first+1].last = s.ran[first+2].first - 1
	s.ran[first].last, s.ran[first].to = s.ran[first+1].last, s.ran[first+1].to
	s.ran[first+1].first = s.ran[first].first
}
