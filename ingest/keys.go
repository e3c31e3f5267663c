package ingest

// Keys of log records.
const (
	KeyDelivery   = "delivery"
	KeyRepository = "repository"
	KeyJob        = "job_id"
	KeyState      = "state"
	KeyReason     = "reason"
	KeyStatus     = "http_status"
	KeyBytes      = "bytes"
	KeyCount      = "count"
	KeyWait       = "wait"
	KeyManifest   = "manifest"
	KeyDigest     = "sha256"
	KeySkew       = "skew"
	KeyError      = "error"
)
