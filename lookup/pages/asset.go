package pages

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/jobvault/jobvault/store"
)

//go:embed asset/style.css
var styleSource string

//go:embed asset/script.js
var scriptSource string

// The two files that pages load. Their names change with what they hold, so that
// they may be kept for ever.
var (
	style      = styleSource + palette()
	stylePath  = assetPath("style", style, "css")
	scriptPath = assetPath("script", scriptSource, "js")
)

func assetPath(name, text, kind string) string {
	digest := sha256.Sum256([]byte(text))
	return fmt.Sprintf("/assets/%s-%s.%s", name, hex.EncodeToString(digest[:8]), kind)
}

// asset is GET /assets/{file}. It holds nothing that not everybody may read.
func (c *call) asset() error {
	var text, kind string
	switch c.req.URL.Path {
	case stylePath:
		text, kind = style, "text/css; charset=utf-8"
	case scriptPath:
		text, kind = scriptSource, "text/javascript; charset=utf-8"
	default:
		return store.ErrNotFound
	}
	c.w.Header().Set("Content-Type", kind)
	c.w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	c.w.Header().Del("Vary")
	_, _ = c.w.Write([]byte(text)) // the reader may be gone
	return nil
}

// palette is the 256 colours of terminals beyond the first 16: a cube of 6 by 6 by
// 6, and 24 greys.
func palette() string {
	var b strings.Builder
	level := func(n int) int {
		if n == 0 {
			return 0
		}
		return 55 + 40*n
	}
	for i := 16; i < 256; i++ {
		r, g, blue := level((i-16)/36), level((i-16)/6%6), level((i-16)%6)
		if i >= 232 {
			grey := 8 + 10*(i-232)
			r, g, blue = grey, grey, grey
		}
		fmt.Fprintf(&b, ".term-fgx%d{color:#%02x%02x%02x}.term-bgx%d{background:#%02x%02x%02x}\n", i, r, g, blue, i, r, g, blue)
	}
	return b.String()
}
