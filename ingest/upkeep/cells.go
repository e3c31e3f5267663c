package upkeep

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jobvault/jobvault/archive"
)

// cell is a value of a row, as text; nil: null.
type cell struct {
	column string
	value  *string
}

// tableRow is a row of a table, or what the bucket tells of one.
type tableRow struct {
	key   string // such as "job_id 7, number 3"
	cells []cell
}

// cellsOf are the fields of a struct, by their names in JSON, which are those of
// columns, but for some.
func cellsOf(v any, but ...string) []cell {
	s := reflect.ValueOf(v)
	var cells []cell
	for i := range s.NumField() {
		name, _, _ := strings.Cut(s.Type().Field(i).Tag.Get("json"), ",")
		if name != "" && !slices.Contains(but, name) {
			cells = append(cells, cell{name, textOf(s.Field(i))})
		}
	}
	return cells
}

// cells are values by their columns, which alternate with them.
func cells(pairs ...any) []cell {
	var cs []cell
	for i := 0; i+1 < len(pairs); i += 2 {
		cs = append(cs, cell{pairs[i].(string), textOf(reflect.ValueOf(pairs[i+1]))})
	}
	return cs
}

// textOf writes a value so that what a database keeps of it has the same text.
func textOf(v reflect.Value) *string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	var text string
	switch x := v.Interface().(type) {
	case string:
		text = x
	case time.Time:
		text = x.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
	case []byte:
		if x == nil {
			return nil
		}
		text = hex.EncodeToString(x)
	case archive.Digest:
		text = hex.EncodeToString(x[:])
	default:
		text = fmt.Sprint(x)
	}
	return &text
}

// difference is where a row says something else than the bucket tells.
type difference struct {
	table, key, column string // no column: the row as a whole
	says, tells        string
}

const (
	noRow  = "there is no such row"
	noWord = "nothing"
)

// compareCells compares a row with what the bucket tells of it. Where the bucket has no
// word for a column, anything may stand there if silent allows it.
func compareCells(table, key string, says, tells []cell, silent bool) []difference {
	byName := make(map[string]*string, len(says))
	for _, c := range says {
		byName[c.column] = c.value
	}
	var diffs []difference
	for _, c := range tells {
		is := byName[c.column]
		if c.value == nil && silent || is == nil && c.value == nil || is != nil && c.value != nil && *is == *c.value {
			continue
		}
		diffs = append(diffs, difference{table, key, c.column, quoted(is), quoted(c.value)})
	}
	return diffs
}

// compareRows compares all of a job's rows of a table.
func compareRows(table string, says, tells []tableRow, silent bool) []difference {
	byKey := make(map[string]tableRow, len(says))
	for _, r := range says {
		byKey[r.key] = r
	}
	var diffs []difference
	for _, t := range tells {
		s, ok := byKey[t.key]
		if !ok {
			diffs = append(diffs, difference{table, t.key, "", noRow, shown(t.cells)})
			continue
		}
		delete(byKey, t.key)
		diffs = append(diffs, compareCells(table, t.key, s.cells, t.cells, silent)...)
	}
	for _, s := range says {
		if _, left := byKey[s.key]; left {
			diffs = append(diffs, difference{table, s.key, "", shown(s.cells), noWord})
		}
	}
	return diffs
}

// maxShown bounds the bytes of a text that a difference shows.
const maxShown = 200

func quoted(v *string) string {
	if v == nil {
		return "null"
	}
	if len(*v) > maxShown {
		return strconv.Quote(strings.ToValidUTF8((*v)[:maxShown], "")) + "…"
	}
	return strconv.Quote(*v)
}

func shown(cs []cell) string {
	var parts []string
	for _, c := range cs {
		if c.value != nil {
			parts = append(parts, c.column+" "+quoted(c.value))
		}
	}
	return strings.Join(parts, ", ")
}
