package pages_test

import (
	"strings"
	"testing"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

func TestUsesOfAnAction(t *testing.T) {
	f := newFixture(t)
	use := func(id int64, sha string) {
		f.Record(f.Facts(id))
		f.Settle(store.Settlement{JobID: id, State: store.LogNone, Usage: &joblog.Usage{Actions: []joblog.Action{{Line: 1, Name: "acme/" + hostile[:8], Ref: "v1", SHA: sha, InSetup: id == 31}}}})
	}
	use(31, "1111111111111111111111111111111111111111")
	f.want(f.get("/uses"), 200, "Uses of an action")
	f.want(f.get("/uses?action=acme/%3Cscript%3E"), 200, "acme/&lt;script&gt;", "acme/rocket", "1111111", `href="/acme/rocket/jobs/31"`)
	use(32, "2222222222222222222222222222222222222222")
	f.want(f.get("/uses?action=acme/%3Cscript%3E@v1"), 200, "was more than one commit", "not said in a set-up")
	f.want(f.get("/uses?action=acme/none"), 200, "No archived log tells of it")
	f.started(2, store.RunStart{Event: new("pull_request_target"), Actor: new(hostile), TriggeringActor: new("mona"), FromFork: new(true)})
	other := f.Facts(43)
	other.Job.RunID, other.Run.ID = 3, 3
	f.Record(other)
	f.Settle(store.Settlement{JobID: 43, State: store.LogNone, Usage: &joblog.Usage{Actions: []joblog.Action{{Line: 1, Name: "acme/lint", Ref: "v1"}}}})
	f.want(f.get("/uses?action=acme/%3Cscript%3E"), 200, "pull_request_target by &lt;script&gt;")
	for _, started := range []string{"event=pull_request_target&fork=1", "actor=MONA", "fork=1"} {
		f.want(f.get("/uses?action=acme/%3Cscript%3E&"+started), 200, "acme/&lt;script&gt;", "2222222")
		f.want(f.get("/uses?action=acme/lint&"+started), 200, "No archived log tells of it")
	}
	f.want(f.get("/uses?action=acme/%3Cscript%3E&event=push"), 200, "No archived log tells of it")
	f.want(f.get("/uses?action=acme/lint&event=push"), 200, "No archived log tells of it", "1 job used it in runs of which it is not known what started them: no listing has told.")
	pull := func(id int64, digest string) {
		f.Record(f.Facts(id))
		f.Settle(store.Settlement{JobID: id, State: store.LogNone, Usage: &joblog.Usage{
			Actions: []joblog.Action{{Line: 1, Kind: joblog.PulledImage, Name: "docker://ghcr.io/acme/lint", Ref: "v4", Digest: digest, InSetup: true}}, ActionsCut: id - 33,
		}})
	}
	one, two := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	pull(33, one)
	pull(34, two)
	pull(35, "")
	f.want(f.get("/uses?action=docker://ghcr.io/acme/lint:v4"), 200, "docker://ghcr.io/acme/lint", one, two, "docker://ghcr.io/acme/lint:v4 was more than one digest",
		"2 jobs whose log tells of more actions than are kept may have used it", "1 job used it at a commit or digest that the log does not say")
	f.want(f.get("/uses?action=docker://ghcr.io/acme/lint@"+one), 200, `href="/acme/rocket/jobs/33"`)
	f.want(f.get("/uses?action=docker://ghcr.io/acme/none"), 200, "No archived log tells of it", "2 jobs whose log tells")
	for _, bad := range []string{"action=a/b&fork=x", "action=x", "action=a/b&since=x", "action=/", "action=docker://", "action=docker://a/B"} {
		f.want(f.get("/uses?"+bad), 400)
	}
}
