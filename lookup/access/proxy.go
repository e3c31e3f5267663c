package access

import (
	"net/http"
	"strings"
)

// proxyHeaders are the headers that proxies, tunnels and content delivery networks add to
// requests of others. None of them is sent by curl, gh, go-github, octokit, browsers or
// Grafana's server on their own; so headers that follow a request around, such as
// X-Request-Id or traceparent, are not in the list.
//
// A tunnel that adds none, such as one of plain TCP (bore, ssh -R, nginx' stream), is
// recognised by the Host alone, and only if it does not rewrite that.
var proxyHeaders = []struct {
	by    string   // who sends it
	names []string // in lower case; with a * at the end, all that begin so
}{
	{"RFC 7239, 9110 and 8586: HAProxy, Squid, Varnish, Caddy, Apache, Heroku, Google, Akamai, all CDNs", []string{"forwarded", "via", "cdn-loop"}},
	{"nearly all: nginx' examples, Apache, HAProxy, Traefik, Caddy, Envoy, AWS, ngrok, Tailscale, oauth2-proxy", []string{"x-forwarded*", "x-real-ip"}},
	{"their misspellings, which PHP and Java look for", []string{"forwarded-*", "x-forward-for", "z-forwarded-for", "x-coming-from", "coming-from"}},
	{"proxies that name the client themselves: Apache's mod_remoteip, Riverbed, Rackspace, Azure App Service, Netlify", []string{
		"client-ip", "x-client-ip", "x-client-port", "x-cluster-client-ip", "x-remote-addr", "x-remote-ip", "remote-addr", "x-originating-ip",
	}},
	{"ingress-nginx, HAProxy (originalto), IIS, Azure Application Gateway, Envoy, dev tunnels", []string{"x-original-*", "x-rewrite-url", "x-scheme", "x-url-scheme", "x-host", "x-nginx-proxy"}},
	{"WebLogic's plug-ins", []string{"wl-proxy-*", "proxy-client-ip"}},
	{"Akamai, Cloudflare Enterprise", []string{"true-client-ip", "x-akamai-*", "akamai-*"}},
	{"Cloudflare, cloudflared and Cloudflare Access", []string{"cf-*"}},
	{"Bunny", []string{"cdn-*"}},
	{"Fastly", []string{"fastly-*", "x-fastly-*"}},
	{"Varnish, and what speaks ESI", []string{"x-varnish", "surrogate-capability"}},
	{"Fly.io", []string{"fly-*"}},
	{"Envoy, Istio, Contour", []string{"x-envoy-*"}},
	{"Linkerd", []string{"l5d-*"}},
	{"Azure Front Door", []string{"x-azure-*", "x-fd-*"}},
	{"IIS with ARR, Azure App Service", []string{"x-arr-*", "x-appservice-*", "disguised-host", "was-default-hostname", "x-site-deployment-id", "x-waws-unencoded-url", "max-forwards"}},
	{"Microsoft Entra application proxy, Easy Auth, ISA and TMG", []string{"x-ms-proxy", "x-ms-client-*", "x-ms-token-*", "front-end-https"}},
	{"AWS load balancers, API Gateway and CloudFront", []string{"x-amzn-*", "x-amz-cf-*", "cloudfront-*"}},
	{"Google's load balancers, App Engine, Cloud Run, Identity-Aware Proxy", []string{"x-cloud-trace-context", "x-appengine-*", "x-proxyuser-ip", "x-goog-iap-*", "x-goog-authenticated-user-*"}},
	{"Vercel", []string{"x-vercel-*"}},
	{"Netlify", []string{"x-nf-*"}},
	{"Heroku's routers and what imitates them", []string{"x-request-start", "x-queue-start", "connect-time", "total-route-time", "x-heroku-*"}},
	{"Render", []string{"rndr-id", "x-render-*"}},
	{"Cloud Foundry's routers", []string{"x-cf-*", "x-vcap-request-id"}},
	{"Tailscale serve and funnel", []string{"tailscale-*"}},
	{"ngrok, localtunnel", []string{"ngrok-*", "x-ngrok-*", "bypass-tunnel-reminder"}},
	{"Imperva, Sucuri, DDoS-Guard, Alibaba", []string{"incap-*", "x-incap-*", "x-sucuri-*", "ddg-connecting-*", "ali-cdn-*", "x-bluecoat-via"}},
	{"proxies that sign people in: oauth2-proxy, Authelia, authentik, Pomerium, Teleport, Kong", []string{
		"x-auth-request-*", "remote-user", "remote-groups", "x-authentik-*", "x-pomerium-*", "teleport-*", "x-kong-*", "x-consumer-*",
	}},
}

// proxyNames and proxyPrefixes are the names in proxyHeaders, prepared for look-ups.
var proxyNames, proxyPrefixes = splitProxyHeaders()

func splitProxyHeaders() (names map[string]bool, prefixes []string) {
	names = make(map[string]bool)
	for _, h := range proxyHeaders {
		for _, name := range h.names {
			if prefix, is := strings.CutSuffix(name, "*"); is {
				prefixes = append(prefixes, prefix)
			} else {
				names[name] = true
			}
		}
	}
	return names, prefixes
}

// cameThroughProxy says whether a request has one of the proxyHeaders, or announces one
// as a trailer, whatever its value, even an empty one.
func cameThroughProxy(req *http.Request) bool {
	for _, header := range []http.Header{req.Header, req.Trailer} {
		for name := range header {
			if isProxyHeader(name) {
				return true
			}
		}
	}
	return false
}

// isProxyHeader looks a header's name up. net/http brings names into one spelling, but
// not names with underscores, which some proxies send and some servers take for hyphens.
func isProxyHeader(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	if proxyNames[name] {
		return true
	}
	for _, prefix := range proxyPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
