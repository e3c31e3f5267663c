package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// small are samples of several frames and of one.
func small(t *testing.T, dir string) []*sample {
	t.Helper()
	samples, err := writeSamples(t.Context(), dir, []sampleLog{{size: 2_500_000}, {size: 20_000}, {size: 2_500_000, same: true}})
	if err != nil {
		t.Fatal(err)
	}
	return samples
}

func TestSamplesAreLogsOfSeveralFramesAndOfOne(t *testing.T) {
	t.Parallel()
	samples := small(t, t.TempDir())
	if several := samples[0]; several.frames != "3" || several.first < 1<<19 || several.first >= len(several.raw) {
		t.Errorf("%s frames, the first of %d bytes of %d", several.frames, several.first, len(several.raw))
	}
	if same := samples[2]; same.frames != "3 small" || same.first < 1<<19 || same.first >= len(same.raw)/2 {
		t.Errorf("%s frames, the first of %d bytes", same.frames, same.first)
	}
	if one := samples[1]; one.frames != "1" || one.first != len(one.raw) || len(one.raw) != 20_000 {
		t.Errorf("%s frames, the first of %d bytes of %d", one.frames, one.first, len(one.raw))
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	s := small(t, t.TempDir())[0]
	failed := errors.New("\n  unexpected EOF\n  at line 12")
	for _, c := range []struct {
		name string
		got  []byte
		err  error
		want string
	}{
		{"all", s.raw, nil, "all of it"},
		{"and more", s.raw, failed, "all of it, and then an error: unexpected EOF"},
		{"without its mark", s.raw[3:], nil, "all of it but the byte order mark at its beginning"},
		{"nothing", nil, failed, "an error: unexpected EOF"},
		{"some", s.raw[:77], failed, "an error: unexpected EOF, after 77 bytes"},
		{"the first frame", s.raw[:s.first], nil, "the first frame alone, and no error"},
		{"a part", s.raw[:s.first+1], nil, fmt.Sprintf("a part from the beginning, and no error: %d bytes", s.first+1)},
		{"none", nil, nil, "a part from the beginning, and no error: 0 bytes"},
		{"other", []byte("other"), nil, "other bytes, and no error: 5 bytes"},
	} {
		if got := s.judge(c.got, c.err); got.text() != c.want || got.frames != "3" {
			t.Errorf("%s: %q of %s frames, want %q", c.name, got.text(), got.frames, c.want)
		}
	}
}

// A row tells one result if all are alike, else which is of which log; what counts is the
// worst of them.
func TestRow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		results []result
		worst   outcome
		want    string
	}{
		{[]result{{"23", all, ""}, {"1", all, ""}}, all, "all of it"},
		{[]result{{"23", refused, "a|b"}, {"2", refused, "c"}}, refused, `an error: a\|b`},
		{[]result{{"23", firstFrame, ""}, {"2", firstFrame, ""}, {"1", all, ""}}, firstFrame, "of 23 or 2 frames: the first frame alone, and no error; of 1 frame: all of it"},
		{[]result{{"23", all, ""}, {"1", allAndMore, "unexpected EOF"}}, allAndMore, "of 23 frames: all of it; of 1 frame: all of it, and then an error: unexpected EOF"},
		{[]result{{"23", all, ""}, {"2", refused, "a"}, {"4 small", refused, "b"}, {"1", refused, "c"}}, refused, "of 23 frames: all of it; of 2, 4 small or 1 frames: an error: a"},
		{[]result{{"", absent, "not on this machine"}}, absent, "not tried: not on this machine"},
	} {
		made := try{"1.2", c.results}
		if got, want := made.row("name"), "| reader | name | 1.2 | "+c.want+" | "+lacking[c.worst]+" |"; got != want || made.outcome() != c.worst {
			t.Errorf("%q (%s), want %q (%s)", got, made.outcome(), want, c.worst)
		}
	}
}

// A reader is tried with every log, and its files are its own: nothing of what it made of
// one log is taken for what it makes of the next.
func TestTryReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	samples := small(t, dir)
	var reads []string
	r := reader{
		name: "fake", want: all,
		install: func(context.Context, string) (string, error) { return "7.1", nil },
		read: func(_ context.Context, _, in, out string) error {
			if reads = append(reads, in); len(reads) > 1 {
				return errors.New("not twice")
			}
			return os.WriteFile(out, samples[0].raw, 0o600)
		},
	}
	made := tryReader(t.Context(), dir, r, samples)
	if got, want := made.row(r.name), "| reader | fake | 7.1 | of 3 frames: all of it; of 1 or 3 small frames: an error: not twice | logs of several frames |"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if want := []string{samples[0].path, samples[1].path, samples[2].path}; !slices.Equal(reads, want) {
		t.Errorf("it read %q, want %q", reads, want)
	}
	r.install = func(context.Context, string) (string, error) { return "", errAbsent }
	if made := tryReader(t.Context(), dir, r, samples); made.outcome() != absent || len(reads) != 3 {
		t.Errorf("one that is not there: %v", made)
	}
}

// What a program says of an error is found among what else it prints.
func TestRunInto(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := runInto(t.Context(), dir, in, out, "cat"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	for script, want := range map[string]string{
		"echo; echo ' no such frame ' >&2; exit 3":                                 "no such frame",
		"printf 'Traceback:\\n  File 1\\nzstd.ZstdError: bad magic\\n' >&2; false": "zstd.ZstdError: bad magic",
		"exit 4": "exit status 4",
	} {
		if err := runInto(t.Context(), dir, "", "", "sh", "-c", script); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", script, err, want)
		}
	}
	if _, err := installed(t.Context(), "nothing", "no-such-program-anywhere"); !errors.Is(err, errAbsent) || !strings.Contains(err.Error(), "apt-get install nothing") {
		t.Errorf("a program that is not there: %v", err)
	}
}

// The command, with the reader that other tests need too.
func TestZstdReadsAllOfIt(t *testing.T) {
	t.Parallel()
	testenv.Program(t, "zstd")
	var out bytes.Buffer
	if err := run(t.Context(), &out, "`zstd -dc`"); err != nil {
		t.Error(err)
	}
	if line := out.String(); strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "| reader | `zstd -dc` | 1.") || !strings.HasSuffix(line, " | all of it | nothing |\n") {
		t.Errorf("printed\n%s", &out)
	}
	if err := run(t.Context(), &out, "no such reader"); err == nil {
		t.Error("a reader that does not exist is no error")
	}
}

// The table of docs/compatibility.md has a row for each reader and call, with what is known
// of it, and no other.
func TestTableIsOfAllReaders(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "## Readers of log.zst")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := make(map[string]string)
	for line := range strings.Lines(section) {
		if cells := strings.Split(strings.TrimSpace(line), " | "); len(cells) == 5 && cells[0] == "| reader" {
			rows[cells[1]] = cells[3]
			if lacks := strings.TrimSuffix(cells[4], " |"); !slices.Contains(slices.Collect(maps.Values(lacking)), lacks) {
				t.Errorf("%s: it lacks %q, which is printed of no reader", cells[1], lacks)
			}
		}
	}
	for _, r := range readers() {
		if row := rows[r.name]; !strings.Contains(row+" ", string(r.want)) || r.want == all && strings.TrimSpace(row) != string(all) {
			t.Errorf("%s: the page says %q, and known is %q", r.name, row, r.want)
		}
		delete(rows, r.name)
	}
	if !found || len(rows) > 0 {
		t.Errorf("the page has rows of no reader: %q", rows)
	}
}
