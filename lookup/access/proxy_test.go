package access_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/lookup/access"
)

// strangersHeaders are what requests had that came through proxies, tunnels and
// networks, as their documentation shows them.
var strangersHeaders = map[string]string{
	"RFC 7239":              "Forwarded",
	"nginx' examples":       "X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, X-NginX-Proxy",
	"Apache":                "X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Server, Via",
	"Traefik":               "X-Forwarded-Server, X-Forwarded-Tls-Client-Cert, X-Real-Ip",
	"ingress-nginx":         "X-Original-Forwarded-For, X-Original-URI, X-Scheme, X-Forwarded-Scheme",
	"HAProxy":               "X-Original-To, Forwarded",
	"Envoy":                 "X-Envoy-External-Address, X-Envoy-Internal, X-Envoy-Expected-Rq-Timeout-Ms",
	"Varnish":               "X-Varnish, Surrogate-Capability",
	"Cloudflare":            "CF-Connecting-IP, CF-Connecting-IPv6, CF-Ray, CF-Visitor, CF-IPCountry, CDN-Loop, CF-Worker, Cf-Warp-Tag-Id, Cf-Access-Jwt-Assertion, True-Client-IP",
	"Fastly":                "Fastly-Client-IP, Fastly-FF, Fastly-SSL, Fastly-Client, CDN-Loop",
	"Fly.io":                "Fly-Client-IP, Fly-Forwarded-Port, Fly-Region, Fly-Request-Id",
	"Akamai":                "True-Client-IP, Akamai-Origin-Hop, X-Akamai-Edgescape",
	"Bunny":                 "CDN-RequestId, CDN-RequestCountryCode",
	"Azure Front Door":      "X-Azure-ClientIP, X-Azure-SocketIP, X-Azure-Ref, X-Azure-FDID, X-FD-HealthProbe",
	"Azure Gateway":         "X-Original-Host",
	"Azure App Service":     "Client-IP, X-Client-IP, X-Client-Port, X-ARR-LOG-ID, X-ARR-SSL, Disguised-Host, Was-Default-Hostname, X-Site-Deployment-Id, Max-Forwards, X-WAWS-Unencoded-URL, X-AppService-Proto, X-MS-CLIENT-PRINCIPAL",
	"AWS":                   "X-Amzn-Trace-Id, X-Amzn-Oidc-Data, X-Amz-Cf-Id, CloudFront-Viewer-Country",
	"Google":                "X-Cloud-Trace-Context, X-AppEngine-User-IP, X-ProxyUser-Ip, X-Goog-IAP-JWT-Assertion",
	"Vercel":                "X-Vercel-Forwarded-For, X-Vercel-Id, X-Vercel-IP-Country",
	"Netlify":               "X-NF-Client-Connection-IP, X-NF-Request-ID, Client-IP",
	"Heroku":                "X-Request-Start, Connect-Time, Total-Route-Time, Via",
	"Render":                "Rndr-Id",
	"WebLogic":              "WL-Proxy-Client-IP, Proxy-Client-IP, WL-Proxy-SSL",
	"Tailscale":             "Tailscale-User-Login, Tailscale-User-Name, Tailscale-Funnel-Request, Tailscale-Headers-Info",
	"ngrok":                 "Ngrok-Auth-User-Email, Ngrok-Skip-Browser-Warning",
	"Cloud Foundry":         "X-CF-ApplicationID, X-Vcap-Request-Id",
	"Linkerd":               "L5d-Client-Id",
	"Imperva":               "Incap-Client-IP",
	"oauth2-proxy":          "X-Auth-Request-User",
	"others":                "X-Cluster-Client-IP, X-Coming-From, X-Remote-Addr, X-Remote-IP, X-Host, X-Forward-For, X-Forwarded, Forwarded-For",
	"with underscores":      "X_Forwarded_For, CF_Connecting_IP, X_REAL_IP",
	"in any spelling":       "x-fOrWaRdEd-fOr, FLY-CLIENT-IP, tailscale-user-login",
	"of what comes to be":   "X-Forwarded-Whatever, Tailscale-App-Capabilities, X-Azure-New",
	"a prefix and no more":  "X-Forwarded",
	"what is not forwarded": "X-Forwarded-Ssl",
}

// Requests that a proxy on this machine passes on are refused, although they come from
// this machine.
func TestForwardedIsNotLocal(t *testing.T) {
	f := newFixture(t, access.Loopback)
	for by, names := range strangersHeaders {
		for name := range strings.SplitSeq(names, ", ") {
			for _, value := range []string{"127.0.0.1", ""} {
				if _, err := f.raw("GET", name+": "+value); err == nil {
					t.Errorf("%s: %s: %q is taken for local", by, name, value)
				}
			}
		}
	}
	f.refused(access.ErrNotLocal, "X-Forwarded-For", "192.0.2.1")
	// Announced to come after the body.
	if _, err := f.raw("GET", "Transfer-Encoding: chunked", "Trailer: X-Forwarded-For"); err == nil {
		t.Error("a trailer is taken for local")
	}
}

// raw sends a request with header lines as they are.
func (f *fixture) raw(method string, lines ...string) (access.Reader, error) {
	f.T.Helper()
	conn, err := net.Dial("tcp", f.server.Listener.Addr().String())
	f.Check(err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "%s / HTTP/1.1\r\nHost: localhost\r\n%s\r\nConnection: close\r\n\r\n0\r\n\r\n", method, strings.Join(lines, "\r\n"))
	f.Check(err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	f.Check(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		f.T.Fatalf("%q: %s", lines, resp.Status)
	}
	o := <-f.outcomes
	return o.reader, o.err
}

// What runs on this machine and asks for itself is let in, with all that it sends.
func TestOrdinaryClientsAreLocal(t *testing.T) {
	f := newFixture(t, access.Loopback)
	for by, lines := range map[string][]string{
		"curl":      {"User-Agent: curl/8.5.0", "Accept: */*", "Range: bytes=0-9", "If-None-Match: x"},
		"gh":        {"User-Agent: GitHub CLI 2.62.0", "Accept: application/vnd.github+json", "X-Github-Api-Version: 2022-11-28", "Time-Zone: Europe/Paris", "Content-Type: application/json; charset=utf-8", "Accept-Encoding: gzip"},
		"go-github": {"User-Agent: go-github/v60.0.0", "Accept: application/vnd.github.v3+json", "X-Github-Api-Version: 2022-11-28"},
		"octokit":   {"User-Agent: octokit-rest.js/21 octokit-core.js/6 Node.js/22", "Accept: application/vnd.github.v3+json", "Accept-Language: *", "Sec-Fetch-Mode: cors", "X-GitHub-Media-Type: x"},
		"Firefox": {
			"User-Agent: Mozilla/5.0", "Accept: text/html", "Accept-Language: en", "DNT: 1", "Sec-GPC: 1", "Upgrade-Insecure-Requests: 1", "Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: none",
			"Sec-Fetch-User: ?1", "Priority: u=0, i", "Pragma: no-cache", "Cache-Control: no-cache", "TE: trailers", "Cookie: a=b",
		},
		"Chromium": {`Sec-CH-UA: "Chromium";v="140"`, "Sec-CH-UA-Mobile: ?0", `Sec-CH-UA-Platform: "Linux"`, "Save-Data: on", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Referer: http://localhost/x", "Device-Memory: 8"},
		"Grafana":  {"User-Agent: Grafana/11.3.0", "X-Grafana-Org-Id: 1", "X-Dashboard-Uid: x", "X-Datasource-Uid: y", "X-Panel-Id: 3", "X-Query-Group-Id: z", "X-Grafana-User: me", "X-Grafana-Id: t", "Fromalert: false"},
		"traced":   {"Traceparent: 00-a-b-01", "Tracestate: x=y", "Baggage: a=b", "X-Request-Id: 1", "X-Correlation-Id: 1", "B3: x", "X-B3-Traceid: x", "X-Requested-With: XMLHttpRequest"},
		"jobvault": {"User-Agent: jobvault/1", "Accept-Encoding: gzip"},
	} {
		if _, err := f.raw("GET", lines...); err != nil {
			t.Errorf("%s: %v", by, err)
		}
	}
}
