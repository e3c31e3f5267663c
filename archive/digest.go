package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Digest is a SHA-256. In JSON and in texts it is written in hex, in lower case. The zero
// value stands for no digest.
type Digest [sha256.Size]byte

// MarshalText writes the digest in hex.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText accepts exactly what MarshalText writes.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return fmt.Errorf("a digest of %d characters", len(text))
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// parseDigest reads a SHA-256 in hex digits.
func parseDigest(s string) (d Digest, ok bool) {
	err := d.UnmarshalText([]byte(s))
	return d, err == nil
}
