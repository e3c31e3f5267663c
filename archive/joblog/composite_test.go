package joblog

import (
	"strings"
	"testing"
)

func TestInnerMarks(t *testing.T) {
	for _, c := range []struct {
		text string
		want innerMark
		ok   bool
	}{
		{"##[start-action display=Install deps;id=__self.__run]", innerMark{begins: true, id: "__self.__run"}, true},
		{"##[start-action display=Fails%3B quietly;id=a.b]", innerMark{begins: true, id: "a.b"}, true},
		{"##[end-action id=a.b;outcome=failure;conclusion=success;duration_ms=9]", innerMark{id: "a.b", outcome: "failure", conclusion: "success"}, true},
		{"##[end-action id=a;outcome=success;conclusion=success;duration_ms=9]", innerMark{id: "a", outcome: "success", conclusion: "success"}, true},
		{text: `##[\start-action display=x;id=a]`},
		{text: "##[start-action display=x;id=a"},
		{text: "##[start-action display=x]"},
		{text: "##[start-action "},
		{text: "##[end-action id=a;outcome=success] and more"},
		{text: "##[start-action id=a;display=" + strings.Repeat("x", maxInnerMark) + "]"},
	} {
		got, ok := readInnerMark([]byte(c.text))
		if got != c.want || ok != c.ok {
			t.Errorf("%.80s: %+v, %v; want %+v, %v", c.text, got, ok, c.want, c.ok)
		}
		if tolerated := c.want.outcome == "failure"; got.tolerated() != tolerated {
			t.Errorf("%.80s: tolerated: %v", c.text, got.tolerated())
		}
	}
}

func TestInnerStepsNest(t *testing.T) {
	s := innerSteps{defused: true}
	see := func(line int64, id string, begins bool, wantFirst int64, wantEnded bool) {
		t.Helper()
		if first, ended := s.see(line, innerMark{begins: begins, id: id}); first != wantFirst || ended != wantEnded {
			t.Errorf("line %d: %d, %v; want %d, %v", line, first, ended, wantFirst, wantEnded)
		}
	}
	see(1, "a", true, 0, false)
	see(2, "a.b", true, 0, false)
	see(3, "a.c", true, 0, false) // its end is missing
	see(4, "a.b", false, 2, true)
	see(5, "a.c", false, 0, false)
	see(6, "a", false, 1, true)
	see(7, "a", false, 0, false)
	for range 2 * maxInnerSteps {
		s.see(8, innerMark{begins: true, id: "deep"})
	}
	if len(s.open) != maxInnerSteps {
		t.Errorf("%d inner steps are open", len(s.open))
	}
}

// Runners before 2.332 print no such marks, and leave those of scripts as they are.
func TestInnerMarksOfOlderRunners(t *testing.T) {
	for version, want := range map[string]bool{
		"2.332.0'": true, "2.337.0-x'": true, "3.0.0'": true, "2.331.0'": false, "2.99.0'": false, "1.400'": false, "'": false, "2'": false, "x.y'": false,
	} {
		var s innerSteps
		s.see(1, innerMark{begins: true, id: "a"})
		s.runner([]byte("Current runner version: '" + version))
		s.runner([]byte("Current runner version: '9.9.9'")) // by a script
		s.see(2, innerMark{begins: true, id: "b"})
		if _, ended := s.see(3, innerMark{id: "b"}); ended != want {
			t.Errorf("%s: %v", version, ended)
		}
		if _, ended := s.see(4, innerMark{id: "a"}); ended {
			t.Errorf("%s: a mark before the version was believed", version)
		}
	}
}
