package ingest

import (
	"encoding/json"
	"net/http"
)

// answer and refuse write one JSON object, and return the status for the
// metrics. They say nothing of the inside.
func answer(w http.ResponseWriter, status int, text string) int {
	return writeJSON(w, status, map[string]string{"status": text})
}

func refuse(w http.ResponseWriter, status int, text string) int {
	return writeJSON(w, status, map[string]string{"error": text})
}

func writeJSON(w http.ResponseWriter, status int, v any) int {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The client may be gone; what counts is committed.
	_ = json.NewEncoder(w).Encode(v)
	return status
}
