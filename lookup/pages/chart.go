package pages

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"time"

	"github.com/wcharczuk/go-chart/v2"
	"github.com/wcharczuk/go-chart/v2/drawing"

	"github.com/jobvault/jobvault/store"
)

// The colours are seen on a light ground and on a dark one.
var (
	first  = drawing.ColorFromHex("3b82d0")
	second = drawing.ColorFromHex("c26a1a")
	grey   = drawing.ColorFromHex("808891")
)

// charts draws what the days' figures say; with less than two days there is nothing
// to draw.
func charts(days []store.DayFigures) ([]chartImage, error) {
	if len(days) < 2 {
		return nil, nil
	}
	var images []chartImage
	for _, c := range []struct {
		title  string
		unit   chart.ValueFormatter
		top    float64
		series []series
	}{
		{"Time in the queue", seconds, 0, []series{
			{"median", first, func(d store.DayFigures) *float64 { return d.QueueP50 }}, {"95 %", second, func(d store.DayFigures) *float64 { return d.QueueP95 }},
		}},
		{"Duration", seconds, 0, []series{
			{"median", first, func(d store.DayFigures) *float64 { return d.RunP50 }}, {"95 %", second, func(d store.DayFigures) *float64 { return d.RunP95 }},
		}},
		{"Success rate", percent, 1, []series{{"of jobs that succeeded or failed", first, successRate}}},
	} {
		image, err := draw(days, c.unit, c.top, c.series)
		if err != nil {
			return nil, fmt.Errorf("chart %s: %w", c.title, err)
		}
		if image != "" {
			names := make([]string, len(c.series))
			for i, s := range c.series {
				names[i] = s.name
			}
			images = append(images, chartImage{c.title, names, image})
		}
	}
	return images, nil
}

// series is one line of a chart.
type series struct {
	name   string
	colour drawing.Color
	value  func(store.DayFigures) *float64
}

func successRate(d store.DayFigures) *float64 {
	if d.Succeeded+d.Failed == 0 {
		return nil
	}
	return new(float64(d.Succeeded) / float64(d.Succeeded+d.Failed))
}

func seconds(v any) string {
	f, _ := v.(float64)
	return duration(time.Duration(f * float64(time.Second)))
}

func percent(v any) string {
	f, _ := v.(float64)
	return fmt.Sprintf("%.0f %%", 100*f)
}

// ticks are at most eight of the days.
func ticks(days []store.DayFigures) []chart.Tick {
	const maxTicks = 8
	every := (len(days) + maxTicks - 1) / maxTicks
	var ts []chart.Tick
	for i := 0; i < len(days); i += every {
		ts = append(ts, chart.Tick{Value: chart.TimeToFloat64(days[i].Day), Label: days[i].Day.Format("01-02")})
	}
	return ts
}

// draw makes an SVG as a data URL; empty, if no series has two values. top is the
// value that the axis ends with; 0: what there is, and a bit.
func draw(days []store.DayFigures, unit chart.ValueFormatter, top float64, all []series) (template.URL, error) {
	c := chart.Chart{
		Width: 560, Height: 220,
		Background: chart.Style{FillColor: drawing.ColorTransparent, Padding: chart.Box{Top: 10, Left: 10, Right: 10, Bottom: 5}},
		Canvas:     chart.Style{FillColor: drawing.ColorTransparent, StrokeColor: grey},
		XAxis: chart.XAxis{
			Style: chart.Style{FontColor: grey, StrokeColor: grey},
			Ticks: ticks(days),
		},
		YAxis:          chart.YAxis{Style: chart.Style{FontColor: grey, StrokeColor: grey}, ValueFormatter: unit},
		YAxisSecondary: chart.HideYAxis(),
	}
	highest := 0.0
	for _, s := range all {
		line := chart.TimeSeries{Name: s.name, Style: chart.Style{StrokeColor: s.colour, StrokeWidth: 2, DotColor: s.colour, DotWidth: 2}}
		for _, d := range days {
			if v := s.value(d); v != nil {
				line.XValues, line.YValues = append(line.XValues, d.Day), append(line.YValues, *v)
				highest = max(highest, *v)
			}
		}
		if len(line.XValues) > 1 {
			c.Series = append(c.Series, line)
		}
	}
	if len(c.Series) == 0 {
		return "", nil
	}
	if top == 0 {
		top = max(highest*1.1, 1)
	}
	c.YAxis.Range = &chart.ContinuousRange{Min: 0, Max: top}
	var b bytes.Buffer
	if err := c.Render(chart.SVG, &b); err != nil {
		return "", err
	}
	return template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil //nolint:gosec // made here
}
