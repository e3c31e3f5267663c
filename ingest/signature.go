package ingest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// signedBy tells whether the header is "sha256=" and the HMAC-SHA256 of the body
// under one of the secrets, as GitHub defines X-Hub-Signature-256. SHA-1 is not
// accepted.
func signedBy(secrets []string, header string, body []byte) bool {
	if !signatureShaped(header) {
		return false
	}
	got, err := hex.DecodeString(strings.TrimPrefix(header, signaturePrefix))
	if err != nil {
		return false
	}
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		if hmac.Equal(got, mac.Sum(nil)) {
			return true
		}
	}
	return false
}

const signaturePrefix = "sha256="

// signatureShaped tells whether the header could be a signature at all.
func signatureShaped(header string) bool {
	return strings.HasPrefix(header, signaturePrefix) && len(header) == len(signaturePrefix)+hex.EncodedLen(sha256.Size)
}
