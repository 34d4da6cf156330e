-- name: recognised_protocols
-- question: Which flows are tunnels, proxies or encrypted DNS, and what does that rest on?
-- reads: recognitions, tls_handshakes, certificates, flows, captures
-- returns: first_ts TIMESTAMP_NS, client_ip VARCHAR, server_ip VARCHAR, server_port INTEGER, protocol VARCHAR,
--     reason VARCHAR, value VARCHAR, capture VARCHAR, frame BIGINT, flow_id BIGINT
-- cannot show: tunnels that look like ordinary TLS or QUIC, and DNS over HTTPS at a name that is not in the list
-- cannot show: that a resolver's name was asked for DNS: the same names have web pages
WITH reasons AS (
    SELECT flow_id, service AS protocol, reason, value, frame FROM recognitions
    UNION ALL
    -- RFC 7858 section 3.1, RFC 9250 section 4.1: the port, or the protocol offered
    SELECT t.flow_id, CASE WHEN t.carrier = 'quic' THEN 'dns over quic' ELSE 'dns over tls' END,
           CASE WHEN len(list_filter(t.alpn_offered, lambda one: one = 'dot' OR starts_with(one, 'doq'))) > 0
                THEN 'the protocol offered in ALPN' ELSE 'port 853' END, t.sni, t.client_frame
    FROM tls_handshakes t JOIN flows f USING (flow_id)
    WHERE t.carrier IN ('tcp', 'quic')
      AND (f.server_port = 853 OR len(list_filter(t.alpn_offered, lambda one: one = 'dot' OR starts_with(one, 'doq'))) > 0)
    UNION ALL
    -- names that their operators publish for DNS over HTTPS
    SELECT t.flow_id, 'dns over https', 'name of a public resolver', t.sni, t.client_frame
    FROM tls_handshakes t JOIN flows f USING (flow_id)
    WHERE f.server_port = 443
      AND lower(t.sni) IN ('dns.google', 'dns.google.com', 'cloudflare-dns.com', 'chrome.cloudflare-dns.com',
          'mozilla.cloudflare-dns.com', 'one.one.one.one', 'dns.quad9.net', 'dns9.quad9.net', 'dns10.quad9.net',
          'dns11.quad9.net', 'dns.adguard-dns.com', 'dns.adguard.com', 'doh.opendns.com', 'dns.nextdns.io',
          'doh.cleanbrowsing.org', 'doh.mullvad.net', 'dns.mullvad.net', 'doh.libredns.gr')
    UNION ALL
    -- tor-spec, "Channel negotiation": both names of the certificate are random, of one form, and nothing else is in it
    SELECT t.flow_id, 'tor', 'certificate of the form that Tor relays made', x.subject, t.client_frame
    FROM tls_handshakes t JOIN certificates x ON x.sha256 = t.certificate_sha256s[1]
    WHERE t.carrier = 'tcp' AND regexp_full_match(x.subject, 'CN=www\.[a-z2-7]{8,20}\.net')
      AND regexp_full_match(x.issuer, 'CN=www\.[a-z2-7]{8,20}\.com') AND coalesce(len(x.san), 0) = 0
      AND NOT x.self_signed
)
SELECT f.first_ts, f.client_ip, f.server_ip, f.server_port, r.protocol, r.reason, r.value, c.name AS capture, r.frame,
       r.flow_id
FROM reasons r JOIN flows f USING (flow_id) JOIN captures c ON c.capture_id = f.capture_id
ORDER BY f.first_ts, r.flow_id, r.frame, r.protocol, r.reason, r.value
