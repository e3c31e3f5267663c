package githubsim

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// object is a JSON object whose keys keep their order, as GitHub's do.
type object []member

type member struct {
	key   string
	value any
}

// without drops the named keys.
func (o object) without(keys []string) object {
	if len(keys) == 0 {
		return o
	}
	drop := make(map[string]bool, len(keys))
	for _, k := range keys {
		drop[k] = true
	}
	kept := make(object, 0, len(o))
	for _, m := range o {
		if !drop[m.key] {
			kept = append(kept, m)
		}
	}
	return kept
}

// encode writes JSON as GitHub does: compact, UTF-8, and without escaping
// <, > and &. It is written out because a webhook has 150 keys and a benchmark
// many thousand webhooks.
func encode(v any) []byte { return appendJSON(make([]byte, 0, 512), v) }

func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case *int64:
		return appendPointer(b, v)
	case *string:
		return appendPointer(b, v)
	case time.Time:
		return strconv.AppendQuote(b, v.UTC().Format(time.RFC3339))
	case *time.Time:
		return appendPointer(b, v)
	case []string:
		return appendArray(b, v)
	case []object:
		return appendArray(b, v)
	case json.RawMessage:
		return append(b, v...)
	case object:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, m.key), ':')
			b = appendJSON(b, m.value)
		}
		return append(b, '}')
	default:
		return append(b, marshal(v)...)
	}
}

func appendPointer[T any](b []byte, p *T) []byte {
	if p == nil {
		return append(b, "null"...)
	}
	return appendJSON(b, *p)
}

// appendArray writes nil as [], which is what GitHub sends for no labels.
func appendArray[T any](b []byte, vs []T) []byte {
	b = append(b, '[')
	for i, v := range vs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, v)
	}
	return append(b, ']')
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return append(b, marshal(s)...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// marshal is for values of callers, who are told to give only what JSON knows.
func marshal(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("githubsim: a value that JSON cannot hold: " + err.Error())
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
