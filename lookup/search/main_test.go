package search_test

import (
	"testing"

	"github.com/jobvault/jobvault/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
