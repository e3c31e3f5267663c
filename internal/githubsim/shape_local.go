package githubsim

import (
	"fmt"
	"strings"
)

// composite runs inner steps, whose groups newer runners put between marks.
func (s *shaper) composite(conclusion string) {
	name := s.name("./.github/actions/setup")
	s.begin(name, runClass)
	s.prepare()
	s.mark("##[group]Run ./.github/actions/setup")
	s.print("with:", "  level: 3", "##[endgroup]")
	for n := range 1 + s.rng.below(4) {
		s.inner(fmt.Sprintf("__self.__run_%d", n), 0)
	}
	s.finish(name, conclusion)
}

// tolerated are steps that may fail, and do: some before their group, directly one after the
// other. To the API they are a success.
func (s *shaper) tolerated() {
	for range 1 + s.rng.below(2) {
		if s.oneIn(2) {
			s.bareError("success")
			continue
		}
		name := s.name("make")
		s.begin(name, runClass)
		s.mark("##[group]Run make")
		s.print("\x1b[36;1mmake\x1b[0m", "##[endgroup]")
		s.output(2)
		s.print("##[error]Process completed with exit code 2.")
		s.end("success")
	}
}

// prepare gets what a local action needs, before its mark.
func (s *shaper) prepare() {
	if s.oneIn(3) {
		return // of a runner that got it all in the set-up
	}
	s.print("Prepare all required actions")
	if s.oneIn(4) {
		s.print("##[warning]`pre` execution is not supported for local action from './.github/actions/setup'")
	}
	s.print("Getting action download info")
	if s.oneIn(4) {
		s.print("##[warning]Failed to download action 'https://api.github.com/x'. Error: timed out", "##[warning]Back off 12.5 seconds before retry.")
	}
	switch s.rng.below(3) {
	case 0:
		s.print("Download action repository 'acme-tools/fetch@v4' (SHA:" + strings.Repeat("a", 40) + ")")
	case 1:
		s.print("##[group]Download immutable action package 'acme-tools/fetch@v4'", "Version: 4.0.1", "Digest: sha256:"+strings.Repeat("b", 64), "Source commit SHA: "+strings.Repeat("a", 40), "##[endgroup]")
	}
}

func (s *shaper) inner(id string, depth int) {
	if s.markers {
		s.print("##[start-action display=Install;id=" + id + "]")
	}
	s.forge("##[group]Run npm ci", runClass, true)
	s.print("##[endgroup]")
	s.output(3)
	if depth < 2 && s.oneIn(3) {
		s.inner(id+".deep", depth+1)
	}
	if s.markers {
		s.print("##[end-action id=" + id + ";outcome=success;conclusion=success;duration_ms=9]")
	}
}

// bareError is a step that fails before it prints its group.
func (s *shaper) bareError(conclusion string) {
	s.begin(s.name("./missing"), runClass)
	if s.oneIn(3) {
		s.prepare()
		s.print("##[error]Unable to resolve action `acme-tools/fetch@v9`, unable to find version `v9`")
		s.end(conclusion)
		return
	}
	s.print("##[error]Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under '/home/runner/work/missing'.\nDid you forget to run actions/checkout?")
	s.end(conclusion)
}
