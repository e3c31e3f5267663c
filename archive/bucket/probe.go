package bucket

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ProbePrefix is what the keys of probes begin with. List and ListVersions leave out what
// is there: it is nobody's, and gone soon.
const ProbePrefix = "v1/.probe/"

// ErrUnfit says that a store answers, and that what it answers cannot be worked with. The
// message says what it lacks, and the cure.
var ErrUnfit = errors.New("the store is unfit for an archive")

// ErrRefused says that a store does not let these credentials do what a probe does. The
// message says what is to be allowed.
var ErrRefused = errors.New("the store refuses it")

// Lack is something that a store cannot do, or does not do for us, and that jobvault can
// do without.
type Lack struct {
	What        string // in a few words
	Consequence string
	Cure        string
	Harmless    bool // jobvault keeps all its promises without it
	Once        bool // a probe with write that found it should not be repeated: each leaves something, or writes nothing
}

// String is the whole of it, in a sentence.
func (l Lack) String() string {
	return fmt.Sprintf("the store lacks %s: %s; %s", l.What, l.Consequence, l.Cure)
}

// What stores are found to lack.
var (
	// LackConditions: a write under If-None-Match replaces what is there.
	LackConditions = Lack{
		What:        "conditional writes (If-None-Match)",
		Consequence: "of two processes that put the same object at the same instant, both may be told that it is theirs",
		Cure:        "run one process with the role work, or use a server that honours If-None-Match",
	}
	// LackPartConditions: the same, for uploads in parts.
	LackPartConditions = Lack{
		What:        "conditional uploads in parts (If-None-Match)",
		Consequence: "of two processes that put the same object of 8 MiB or more at the same instant, both may be told that it is theirs",
		Cure:        "run one process with the role work, or use a server that honours If-None-Match for them",
	}
	// LackChecksums: HEAD does not tell a CRC-32C.
	LackChecksums = Lack{
		What:        "checksums at HEAD",
		Consequence: "each object is read back once it is put, to compare it",
		Cure:        "a server that tells the CRC-32C of an object saves that",
		Harmless:    true,
	}
	// LackPartChecksums: HEAD does not tell the CRC-32C of an object that came in parts, or
	// only a composite one, of the checksums of its parts.
	LackPartChecksums = Lack{
		What:        "checksums of the whole object at HEAD of uploads in parts",
		Consequence: "each object of 8 MiB or more is read back once it is put, to compare it",
		Cure:        "nothing needs to be done; a server that knows x-amz-checksum-type FULL_OBJECT for CRC-32C saves that traffic",
		Harmless:    true,
	}
	// LackVersions: the bucket keeps no versions.
	LackVersions = Lack{
		What:        "versions",
		Consequence: "what is replaced or removed by whoever may write to the bucket is gone",
		Cure:        "jobvault does not need them; to be safe from others, enable versioning",
		Harmless:    true,
	}
	// LackLocks: the bucket has no Object Lock.
	LackLocks = Lack{
		What:        "Object Lock",
		Consequence: "nothing in the bucket is safe from whoever may delete there",
		Cure:        "for lock=… in the bucket's URL, make a bucket with Object Lock on a server that has it",
		Harmless:    true,
	}
	// LackVersionLists: there may be versions, and they cannot be listed.
	LackVersionLists = Lack{
		What:        "lists of versions",
		Consequence: "whether what is removed is gone cannot be known, and retention and redact do not finish",
		Cure:        "allow s3:GetBucketVersioning and s3:ListBucketVersions",
		Once:        true,
	}
	// LackRemoval: what the probe wrote cannot be removed.
	LackRemoval = Lack{
		What:        "removal",
		Consequence: "retention and redact cannot remove logs, and each start leaves a small object under " + ProbePrefix,
		Cure:        "allow s3:DeleteObject, and s3:DeleteObjectVersion in a bucket with versions",
		Once:        true,
	}
	// LackShortLocks: the bucket locks whatever is put for a time of its own.
	LackShortLocks = Lack{
		What:        "short locks",
		Consequence: "the bucket locks whatever is put for a time of its own, so that a probe writes nothing, or leaves a small object under " + ProbePrefix + " for that time",
		Cure:        "allow s3:GetBucketObjectLockConfiguration and s3:PutObjectRetention; then the probe locks its object for some minutes only",
		Once:        true,
	}
)

// probeLeftover is the age from which what is under ProbePrefix is of a probe that was
// killed, or that could not remove it yet.
const probeLeftover = time.Hour

// probeBody is what a probe writes.
var probeBody = []byte("jobvault looks whether it can keep logs here; this object is of no use to anybody\n")

// newProbeKey is a key of this probe's own: several processes may probe at once.
func newProbeKey() string { return ProbePrefix + strings.ToLower(rand.Text()) }

// isProbe reports whether a key is of a probe's object.
func isProbe(key string) bool { return strings.HasPrefix(key, ProbePrefix) }
