package main

import (
	"fmt"
	"strconv"
	"strings"
)

// parseShare reads "5%" or "0.05"; empty: 0.
func parseShare(flag, s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	text, percent := strings.CutSuffix(s, "%")
	share, err := strconv.ParseFloat(text, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share > 0 && share <= 1) {
		return 0, usageError{fmt.Errorf("%s=%q: want a share such as 5%%", flag, s)}
	}
	return share, nil
}
