package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/githubsim"
)

const (
	smallLog   = 20 << 20
	wantMemory = 32.0 // MiB
	// wantShapeMemory is what an unusual shape may cost.
	wantShapeMemory = 8.0
)

// archiveOne is the name under which this program runs itself, to archive one
// log in a process of its own, align it with steps, and print its peak memory in MiB.
const archiveOne = "archive-one"

func runArchiveOne(args []string) error {
	if len(args) != 3 {
		return errors.New("archive-one API TOKEN BUCKET")
	}
	log, err := archiveLog(context.Background(), args[0], args[1], args[2], 1)
	if err != nil {
		return err
	}
	joblog.AlignSteps(log.Index, stepsWithin(log.Index))
	peak, err := ownPeak()
	fmt.Println(peak)
	return err
}

// stepsWithin are as many steps as large jobs have, in the time of a log.
func stepsWithin(x *joblog.Index) []joblog.Step {
	const most = 200
	first, last := x.Seconds[0].Unix, x.Seconds[len(x.Seconds)-1].Unix
	var steps []joblog.Step
	for i := range int64(most) {
		at := func(i int64) time.Time { return time.Unix(first+(last-first)*i/most, 0) }
		steps = append(steps, joblog.Step{Number: i + 1, Name: fmt.Sprintf("Run make part-%d", i), Conclusion: "success", StartedAt: at(i), CompletedAt: at(i + 1)})
	}
	return steps
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// ownPeak returns this process's peak memory in MiB. It does not use getrusage on Linux,
// which would count what the parent held when it forked.
func ownPeak() (float64, error) {
	if peak, err := peakOf(os.Getpid()); err == nil {
		return peak, nil
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return float64(usage.Maxrss) / (1 << 20), nil // bytes on macOS
}

// peakOf is a process's peak memory in MiB, where there is a /proc.
func peakOf(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	m := highWater.FindSubmatch(status)
	if m == nil {
		return 0, fmt.Errorf("process %d does not tell its peak memory", pid)
	}
	kib, err := strconv.ParseFloat(string(m[1]), 64)
	return kib / 1024, err
}

// measureMemory compares the peak memory of archiving a huge log with that of archiving a
// small one, and that of logs of unusual shapes with that of an ordinary one as large. Marks
// of a million groups are as many as are kept of any log.
func measureMemory(ctx context.Context, l *lab) ([]row, error) {
	ordinary := func(size int64) shapedLog {
		return shapedLog{"an ordinary log", githubsim.GeneratedLog(1, size, githubsim.LogStyle{ANSI: true})}
	}
	large, err := l.memoryRow(ctx, ordinary(l.scale.memoryLog), ordinary(smallLog), wantMemory)
	if err != nil {
		return nil, err
	}
	rows := []row{large}
	groups := logOfGroups(l.scale.memoryGroups)
	for _, pair := range [][2]shapedLog{
		{{"a log with all of its lines in one step", logOfOneStep(l.scale.memoryLog / 2)}, ordinary(l.scale.memoryLog / 2)},
		{{fmt.Sprintf("a log of %d groups", l.scale.memoryGroups), groups}, ordinary(groups.Size())},
	} {
		r, err := l.memoryRow(ctx, pair[0], pair[1], wantShapeMemory)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// shapedLog is a log, and what it is called in the table.
type shapedLog struct {
	what string
	log  githubsim.Log
}

// memoryRow compares the peaks of two logs: each the median of some, as when memory is given
// back is a matter of chance.
func (l *lab) memoryRow(ctx context.Context, one, other shapedLog, want float64) (row, error) {
	var peaks [2][]float64
	for range l.scale.logTurns {
		for i, shaped := range []shapedLog{one, other} {
			peak, err := l.peakMemory(ctx, shaped.log)
			if err != nil {
				return row{}, err
			}
			peaks[i] = append(peaks[i], peak)
		}
	}
	more := median(peaks[0]) - median(peaks[1])
	return row{
		what: fmt.Sprintf("peak memory with %s of %d MiB", one.what, one.log.Size()>>20), ours: fmt.Sprintf("%.1f MiB", median(peaks[0])),
		against: fmt.Sprintf("%.1f MiB with %s of %d MiB", median(peaks[1]), other.what, other.log.Size()>>20), ratio: fmt.Sprintf("%+.1f MiB", more),
		wanted: fmt.Sprintf("≤ +%.0f MiB", want), missed: more > want,
	}, nil
}

// logOfOneStep has its set-up, a group, and then output alone.
func logOfOneStep(size int64) githubsim.Log {
	return githubsim.GeneratedLog(1, size, githubsim.LogStyle{ANSI: true, Steps: benchJob(1, githubsim.Log{}).Steps})
}

// logOfGroups has so many groups as scripts and runners print them, some each second.
func logOfGroups(groups int) githubsim.Log {
	at := time.Date(2026, 1, 2, 3, 4, 15, 0, time.UTC)
	var b bytes.Buffer
	for i := range groups {
		stamp := at.Add(time.Duration(i) * 10 * time.Millisecond).Format("2006-01-02T15:04:05.0000000Z ")
		fmt.Fprintf(&b, "%[1]s##[group]Run make part-%[2]d\n%[1]s##[endgroup]\n%[1]smade part %[2]d\n", stamp, i)
	}
	return githubsim.TextLog(b.Bytes())
}

// peakMemory archives one log in another process and returns its peak in MiB.
func (l *lab) peakMemory(ctx context.Context, log githubsim.Log) (float64, error) {
	sim, err := githubsim.Start(githubsim.Options{Seed: 1})
	if err != nil {
		return 0, err
	}
	defer sim.Close()
	sim.AddRepository(benchRepository)
	sim.AddJob(benchJob(1, log))
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	bucket := filepath.Join(l.dir, "memory")
	defer os.RemoveAll(bucket)
	cmd := exec.CommandContext(ctx, self, archiveOne, sim.URL(), sim.Token(), "file://"+bucket)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("archive %d MiB: %w", log.Size()>>20, err)
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}
