package githubsim

import "strings"

// output is what a script or an action prints: up to so many lines, now and then with some
// that look like the runner's, and over some seconds unless the job is quick.
func (s *shaper) output(lines int) {
	ms := 3
	if !s.quick && s.oneIn(2) {
		ms = 2500
	}
	for range s.rng.below(lines + 1) {
		s.pass(ms)
		s.print(s.outputLine())
		if s.forges && s.oneIn(12) {
			s.mimic()
		}
		if s.oneIn(400) {
			s.now -= ticks(s.rng.below(ticksPerSecond))
		}
	}
	s.pass(ms)
}

func (s *shaper) outputLine() string {
	lines := []string{
		"ok", "added 12 packages", "##[warning]an old option", "Compiling rocket v0.1.0", "Node is here", "Error: first\n    at second\n    at third",
		"##[group]Details", "##[endgroup]", "  ##[group]Run indented", "::group::Run as it was written", "Post job cleanup. (by a script)",
		"Cleaning up", "##[\\start-action display=x;id=y]", "##[debug]by a script", "caf\xe9", "",
	}
	return lines[s.rng.below(len(lines))]
}

// mimic prints what only the runner prints otherwise.
func (s *shaper) mimic() {
	switch s.rng.below(8) {
	case 0:
		s.forge("Post job cleanup.", postClass, false)
	case 1:
		s.forge("Cleaning up orphan processes", cleanClass, false)
	case 2:
		s.print("##[error]by a script")
	case 3:
		s.forge("##[group]Run '/opt/hooks/start.sh'", hookClass, false)
	case 4:
		s.print("##[group]Checking docker version", "##[endgroup]")
	case 5:
		s.forge("Stop and remove container: a", stopClass, false)
	default:
		s.forge("##[group]Run the "+word(&s.rng), runClass, false)
		s.print("x", "##[endgroup]")
	}
}

// forge prints a line that looks as if it began a step.
func (s *shaper) forge(text string, class markClass, inner bool) {
	s.print(text)
	if !inner || !s.markers {
		s.sigil = append(s.sigil, shapedMark{line: s.lines, at: s.now, class: class, inner: inner})
	}
}

// inputs are those of a reusable workflow, which its caller words: also lines that begin
// steps, with times at which they might be printed.
func (s *shaper) inputs() {
	s.print("Uses: acme/rocket/.github/workflows/build.yml@refs/heads/main ("+strings.Repeat("a", 40)+")", "##[group] Inputs")
	title := "  title: Fix the build"
	for range s.rng.below(3) {
		at := s.now + ticks(s.rng.below(3*ticksPerSecond))
		mark := []string{"##[group]Run make", "##[group]Run Test", "##[group]Checking docker version", "##[debug]Starting: Test"}[s.rng.below(4)]
		title += "\n" + string(s.stamp.append(nil, at)) + mark
		class := noMark
		if strings.HasPrefix(mark, "##[group]Run ") {
			class = runClass
		}
		s.sigil = append(s.sigil, shapedMark{line: s.lines, at: at, class: class})
	}
	s.print(title, "##[endgroup]")
}
