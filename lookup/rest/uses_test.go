package rest_test

import (
	"strings"
	"testing"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// Images are found as actions are, and what is not known is said of how many jobs.
func TestUsesOfImages(t *testing.T) {
	f := newFixture(t)
	digest := "sha256:" + strings.Repeat("1", 64)
	for id, d := range map[int64]string{31: digest, 32: ""} {
		f.Record(f.Facts(id))
		f.Settle(store.Settlement{JobID: id, State: store.LogNone, Usage: &joblog.Usage{
			Actions: []joblog.Action{{Line: 1, Kind: joblog.PulledImage, Name: "docker://ghcr.io/acme/lint", Ref: "v4", Digest: d, InSetup: true}}, ActionsCut: id - 31,
		}})
	}
	f.Record(f.Facts(33))
	f.Settle(store.Settlement{JobID: 33, State: store.LogMissing, Asked: true})
	const unknown = `"unknown":{"unread":0,"no_log":1,"cut":1,"no_sha":1,"not_listed":0}`
	f.want(f.get("/uses?action=docker://ghcr.io/acme/lint"), 200, `"action":"docker://ghcr.io/acme/lint"`, `"ref":"v4"`, `"digest":"`+digest+`"`, `"digest":null`, `"moved":[]`, unknown)
	f.want(f.get("/uses?action=docker://ghcr.io/acme/lint:v4"), 200, `"last_job":32`, unknown)
	f.want(f.get("/uses?action=docker://ghcr.io/acme/lint@"+digest), 200, `"last_job":31`, unknown)
	for _, path := range []string{"docker://ghcr.io/acme/lint:v5", "docker://ghcr.io/acme/none", "docker://ghcr.io/acme/none@" + digest} {
		f.want(f.get("/uses?action="+path), 200, `"uses":[]`, `"unknown":{"unread":0,"no_log":1,"cut":1,"no_sha":0,"not_listed":0}`)
	}
	f.want(f.get("/uses?action=docker://ghcr.io/acme/lint@sha256:"+strings.Repeat("2", 64)), 200, `"uses":[]`, unknown)
	f.want(f.get("/uses?action=docker://ghcr.io/acme/lint&event=push"), 200, `"uses":[]`, `"no_sha":1,"not_listed":2`)
	f.want(f.get("/uses?action=docker://ghcr.io/acme/lint@x"), 422, "sha256:DIGEST")
}
