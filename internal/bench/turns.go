package main

import (
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// cost is what a run took: by the clock, and of all cores together. Other work on the
// machine changes the first far more than the second.
type cost struct{ wall, cpu time.Duration }

// costOf is what a command took that began at a time and has just ended.
func costOf(cmd *exec.Cmd, began time.Time) cost {
	return cost{time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

// turns are runs of the program of before and of the one of now, in pairs.
type turns struct{ before, now []cost }

// inTurns runs both n times. Which one comes first changes from pair to pair.
func inTurns(n int, before, now func() (cost, error)) (turns, error) {
	var t turns
	for i := range n {
		sides := []func() error{
			func() error { return appendCost(&t.before, before) },
			func() error { return appendCost(&t.now, now) },
		}
		if i%2 == 1 {
			slices.Reverse(sides)
		}
		for _, run := range sides {
			if err := run(); err != nil {
				return turns{}, err
			}
		}
	}
	return t, nil
}

func appendCost(costs *[]cost, run func() (cost, error)) error {
	c, err := run()
	*costs = append(*costs, c)
	return err
}

func wall(c cost) float64 { return c.wall.Seconds() }
func cpu(c cost) float64  { return c.cpu.Seconds() }

// ratio is how fast now is, in multiples of before: the median of the pairs.
func (t turns) ratio(of func(cost) float64) float64 {
	var ratios []float64
	for i := range t.now {
		ratios = append(ratios, of(t.before[i])/of(t.now[i]))
	}
	return median(ratios)
}

func medianOf(costs []cost, of func(cost) float64) float64 {
	var values []float64
	for _, c := range costs {
		values = append(values, of(c))
	}
	return median(values)
}

// row compares both in the table. show makes a figure of a time in seconds.
func (t turns) row(what, before string, want float64, show func(seconds float64) string) row {
	ratio := t.ratio(wall)
	side := func(costs []cost) string {
		return fmt.Sprintf("%s, %.2f s of CPU", show(medianOf(costs, wall)), medianOf(costs, cpu))
	}
	return row{
		what: what, ours: side(t.now), against: side(t.before) + " at " + before, ratio: fmt.Sprintf("%.2f, by CPU %.2f", ratio, t.ratio(cpu)),
		wanted: fmt.Sprintf("≥ %.2f", want), missed: ratio < want,
	}
}
