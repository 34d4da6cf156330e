-- The case as it is asked: one view for each evidence table, and the tables that the case itself keeps.
--
-- Evidence views stand on evidence.<table>, which schema.py makes: the Parquet files of every exhibit that the
-- catalogue knows, with capture_id and flow_base in front; in the sandbox the same names are Arrow datasets, so
-- that this file serves both. Rules of this file:
--   * each statement ends with ';' at the end of a line; none is the case's own table but the ones in section 2;
--   * times are TIMESTAMP_NS, UTC; ids are BIGINT; addresses are text in canonical form;
--   * every table, view and column has a COMMENT; a test holds the views against capture/tables.py;
--   * tables that analyses fill (findings, events, calls, ...) are declared in derived.py and made by schema.py.
--   * flow_pairs and flow_sightings stand on the views before them: they say which flows several exhibits recorded.

-- section 1: views over the evidence --------------------------------------------------------------------------

CREATE OR REPLACE VIEW captures AS
SELECT c.capture_id, c.flow_base, c.name, c.sha256, c.bytes, c.format, c.compression, c.packets,
       make_timestamp_ns(c.first_ts) AS first_ts, make_timestamp_ns(c.last_ts) AS last_ts, c.snaplen,
       c.truncated_packets, c.malformed_packets, c.duplicate_packets, c.out_of_order_packets,
       c.out_of_scope_packets, c.undecoded_packets, c.fragment_packets, c.complete, c.tool_version,
       c.rules_sha256, c.local_rules_sha256, e.ingested_at
FROM evidence.captures c JOIN exhibits e ON e.sha256 = c.sha256;
COMMENT ON VIEW captures IS 'One exhibit: a capture file, its hash, and what of it could be read';
COMMENT ON COLUMN captures.capture_id IS 'First 63 bits of the SHA-256 of the exhibit; joins every other table';
COMMENT ON COLUMN captures.flow_base IS 'flow_id of flow number 0 of this exhibit';
COMMENT ON COLUMN captures.name IS 'File name under which the exhibit was first ingested';
COMMENT ON COLUMN captures.sha256 IS 'SHA-256 of the file as it lay on disk (compressed if it was compressed)';
COMMENT ON COLUMN captures.bytes IS 'Size of the file on disk, in bytes';
COMMENT ON COLUMN captures.format IS 'pcap or pcapng';
COMMENT ON COLUMN captures.compression IS 'gz, zst, lz4 or xz; NULL when the file is not compressed';
COMMENT ON COLUMN captures.packets IS 'Frames in the file that could be read';
COMMENT ON COLUMN captures.first_ts IS 'Earliest time stamp of a frame, UTC';
COMMENT ON COLUMN captures.last_ts IS 'Latest time stamp of a frame, UTC';
COMMENT ON COLUMN captures.snaplen IS 'Largest number of bytes that the recorder kept of a frame';
COMMENT ON COLUMN captures.truncated_packets IS 'Frames of which fewer bytes were captured than were on the wire';
COMMENT ON COLUMN captures.malformed_packets IS 'Frames whose headers contradict themselves or the frame length';
COMMENT ON COLUMN captures.duplicate_packets IS 'Packets recorded twice within 10 ms; of a large capture in a sample, as table quality says';
COMMENT ON COLUMN captures.out_of_order_packets IS 'Frames with an earlier time stamp than the frame before';
COMMENT ON COLUMN captures.out_of_scope_packets IS 'Frames outside the authority: counted here, stored nowhere';
COMMENT ON COLUMN captures.undecoded_packets IS 'Frames of a link type or protocol that is not decoded';
COMMENT ON COLUMN captures.fragment_packets IS 'Frames that carry an IP fragment';
COMMENT ON COLUMN captures.complete IS 'False when damage stopped the reading before the end of the file';
COMMENT ON COLUMN captures.tool_version IS 'wirecover version that decoded the exhibit';
COMMENT ON COLUMN captures.rules_sha256 IS 'SHA-256 of the application rules in force at the ingest';
COMMENT ON COLUMN captures.local_rules_sha256 IS 'SHA-256 of the rules among them that the analyst added; NULL when none';
COMMENT ON COLUMN captures.ingested_at IS 'When the exhibit entered the case, by the clock of the machine, UTC';

CREATE OR REPLACE VIEW interfaces AS
SELECT capture_id, interface_id, name, description, link_type, link_name, snaplen, ts_resolution_ns, ts_offset_s,
       packets, reported_drops
FROM evidence.interfaces;
COMMENT ON VIEW interfaces IS 'One capture interface of an exhibit';
COMMENT ON COLUMN interfaces.capture_id IS 'Exhibit';
COMMENT ON COLUMN interfaces.interface_id IS 'Number of the interface in the file, from 0';
COMMENT ON COLUMN interfaces.name IS 'Interface name that the recorder wrote, if any';
COMMENT ON COLUMN interfaces.description IS 'Interface description that the recorder wrote, if any';
COMMENT ON COLUMN interfaces.link_type IS 'LINKTYPE number (https://www.tcpdump.org/linktypes.html)';
COMMENT ON COLUMN interfaces.link_name IS 'Name of the link type; unknown-<number> when not known';
COMMENT ON COLUMN interfaces.snaplen IS 'Largest number of bytes kept of a frame on this interface';
COMMENT ON COLUMN interfaces.ts_resolution_ns IS 'Length of one tick of the time stamps, in nanoseconds';
COMMENT ON COLUMN interfaces.ts_offset_s IS 'Seconds that the file says to add to its time stamps';
COMMENT ON COLUMN interfaces.packets IS 'Frames read from this interface';
COMMENT ON COLUMN interfaces.reported_drops IS 'Frames that the recorder says it lost; NULL when it does not say';

CREATE OR REPLACE VIEW damage AS
SELECT capture_id, kind, "offset", frame, "count", detail FROM evidence.damage;
COMMENT ON VIEW damage IS 'One thing in an exhibit that could not be read, and where';
COMMENT ON COLUMN damage.capture_id IS 'Exhibit';
COMMENT ON COLUMN damage.kind IS 'Kind of damage';
COMMENT ON COLUMN damage."offset" IS 'Byte in the (decompressed) file where it starts';
COMMENT ON COLUMN damage.frame IS 'Frame at or before the damage; NULL when none was read yet';
COMMENT ON COLUMN damage."count" IS 'How many times, when damage of one kind is counted together';
COMMENT ON COLUMN damage.detail IS 'What was found, in words';

CREATE OR REPLACE VIEW out_of_scope AS
SELECT capture_id, reason, action, packets, bytes, records
FROM evidence.out_of_scope;
COMMENT ON VIEW out_of_scope IS 'What the scope of the authority left out of an exhibit: counts only, one row a reason';
COMMENT ON COLUMN out_of_scope.capture_id IS 'Exhibit';
COMMENT ON COLUMN out_of_scope.reason IS 'time, excluded, excluded-name, no-address, target-time, third-party, withheld or untimed';
COMMENT ON COLUMN out_of_scope.action IS 'dropped: nothing is kept; pseudonymised: flows between pseudonyms, sizes and times only';
COMMENT ON COLUMN out_of_scope.packets IS 'Packets, each counted once';
COMMENT ON COLUMN out_of_scope.bytes IS 'Their bytes on the wire';
COMMENT ON COLUMN out_of_scope.records IS 'Rows and values about others, or withheld, that kept packets or the file held';

CREATE OR REPLACE VIEW comments AS
SELECT capture_id, frame, kind, "text" FROM evidence.comments;
COMMENT ON VIEW comments IS 'One comment that the recorder or an analyst left in a pcapng exhibit';
COMMENT ON COLUMN comments.capture_id IS 'Exhibit';
COMMENT ON COLUMN comments.frame IS 'Frame the comment is on; NULL for a section or an interface';
COMMENT ON COLUMN comments.kind IS 'What the comment is on';
COMMENT ON COLUMN comments."text" IS 'The comment as written: text of unknown origin';

CREATE OR REPLACE VIEW flows AS
SELECT flow_base + flow_no AS flow_id, capture_id, flow_no, transport, client_ip, client_port, server_ip,
       server_port, client_by, first_frame, last_frame, make_timestamp_ns(first_ts) AS first_ts,
       make_timestamp_ns(last_ts) AS last_ts, packets_up, packets_down, bytes_up, bytes_down, payload_up,
       payload_down, syn_seen, fin_seen, rst_seen, rtt_us, retransmits, missing_bytes, vlan, tunnel, community_id,
       service, app, app_confidence
FROM evidence.flows;
COMMENT ON VIEW flows IS 'One bidirectional flow between two endpoints';
COMMENT ON COLUMN flows.flow_id IS 'Flow, unique in the case: first 36 bits of the hash of the exhibit, then flow_no';
COMMENT ON COLUMN flows.capture_id IS 'Exhibit';
COMMENT ON COLUMN flows.flow_no IS 'Number of the flow in its exhibit, from 0, by first frame';
COMMENT ON COLUMN flows.transport IS 'tcp, udp, sctp, icmp, ...';
COMMENT ON COLUMN flows.client_ip IS 'Address of the client';
COMMENT ON COLUMN flows.client_port IS 'Port of the client; NULL where the transport has none';
COMMENT ON COLUMN flows.server_ip IS 'Address of the server';
COMMENT ON COLUMN flows.server_port IS 'Port of the server; NULL where the transport has none';
COMMENT ON COLUMN flows.client_by IS 'Why this side is called the client: SYN, ClientHello, port or first packet';
COMMENT ON COLUMN flows.first_frame IS 'First frame, from 1';
COMMENT ON COLUMN flows.last_frame IS 'Last frame';
COMMENT ON COLUMN flows.first_ts IS 'Earliest packet, UTC';
COMMENT ON COLUMN flows.last_ts IS 'Latest packet, UTC';
COMMENT ON COLUMN flows.packets_up IS 'Packets from client to server';
COMMENT ON COLUMN flows.packets_down IS 'Packets from server to client';
COMMENT ON COLUMN flows.bytes_up IS 'Bytes on the wire from client to server, headers included';
COMMENT ON COLUMN flows.bytes_down IS 'Bytes on the wire from server to client, headers included';
COMMENT ON COLUMN flows.payload_up IS 'Transport payload bytes from client to server';
COMMENT ON COLUMN flows.payload_down IS 'Transport payload bytes from server to client';
COMMENT ON COLUMN flows.syn_seen IS 'True when a TCP SYN was seen, so that the start of the flow is in the capture';
COMMENT ON COLUMN flows.fin_seen IS 'True when a TCP FIN was seen';
COMMENT ON COLUMN flows.rst_seen IS 'True when a TCP RST was seen';
COMMENT ON COLUMN flows.rtt_us IS 'Round-trip time of the TCP handshake in microseconds; NULL when not seen';
COMMENT ON COLUMN flows.retransmits IS 'TCP segments that repeat bytes sent before';
COMMENT ON COLUMN flows.missing_bytes IS 'TCP bytes that were sent but are not in the capture';
COMMENT ON COLUMN flows.vlan IS 'VLAN identifier of the outermost tag; NULL when untagged';
COMMENT ON COLUMN flows.tunnel IS 'Tunnel the flow was found in; NULL when none';
COMMENT ON COLUMN flows.community_id IS 'Community ID v1 of the five-tuple, as other tools print it';
COMMENT ON COLUMN flows.service IS 'Protocol seen in the flow: tls, quic, dtls, dns, stun, ssh, http, ...; NULL when none';
COMMENT ON COLUMN flows.app IS 'Application by the rules, with reasons in app_evidence; NULL when not labelled';
COMMENT ON COLUMN flows.app_confidence IS 'Confidence of the label, integer percent; from the rules, not a validated rate';

CREATE OR REPLACE VIEW packets AS
SELECT flow_base + flow_no AS flow_id, capture_id, frame, make_timestamp_ns(ts) AS ts, up, payload_bytes,
       record_bytes, record_types
FROM evidence.packets;
COMMENT ON VIEW packets IS 'One payload-carrying packet of a flow that may be encrypted';
COMMENT ON COLUMN packets.flow_id IS 'Flow';
COMMENT ON COLUMN packets.capture_id IS 'Exhibit';
COMMENT ON COLUMN packets.frame IS 'Frame number in the exhibit, from 1';
COMMENT ON COLUMN packets.ts IS 'Time stamp, UTC';
COMMENT ON COLUMN packets.up IS 'True: from client to server';
COMMENT ON COLUMN packets.payload_bytes IS 'Bytes of transport payload';
COMMENT ON COLUMN packets.record_bytes IS 'Lengths of the TLS records that end in this packet, header excluded; NULL when none';
COMMENT ON COLUMN packets.record_types IS 'Content types of those records, in the same order; NULL when none';

CREATE OR REPLACE VIEW tls_handshakes AS
SELECT flow_base + flow_no AS flow_id, capture_id, carrier, client_frame, make_timestamp_ns(client_ts) AS client_ts,
       server_frame, make_timestamp_ns(server_ts) AS server_ts, sni, alpn_offered, alpn_selected, version,
       client_version, cipher, ja3, ja3s, ja4, ech, resumed, hello_retry, quic_version, certificate_sha1s,
       certificate_sha256s, sni_kind, client_complete, psk_offered, early_data, ticket_offered, ech_config_id, ech_kdf,
       ech_aead, client_certificate_sha256s
FROM evidence.tls_handshakes;
COMMENT ON VIEW tls_handshakes IS 'One TLS, DTLS or QUIC handshake, or the certificates that IKE or OPC UA showed';
COMMENT ON COLUMN tls_handshakes.flow_id IS 'Flow';
COMMENT ON COLUMN tls_handshakes.capture_id IS 'Exhibit';
COMMENT ON COLUMN tls_handshakes.carrier IS 'tcp, dtls or quic; ike or opcua: certificates only, of either end';
COMMENT ON COLUMN tls_handshakes.client_frame IS 'Frame that ends the ClientHello';
COMMENT ON COLUMN tls_handshakes.client_ts IS 'Time of that frame, UTC';
COMMENT ON COLUMN tls_handshakes.server_frame IS 'Frame that ends the ServerHello; NULL when not seen';
COMMENT ON COLUMN tls_handshakes.server_ts IS 'Time of that frame, UTC';
COMMENT ON COLUMN tls_handshakes.sni IS 'Server name that the client asked for in the clear';
COMMENT ON COLUMN tls_handshakes.alpn_offered IS 'Application protocols that the client offered, in its order';
COMMENT ON COLUMN tls_handshakes.alpn_selected IS 'Application protocol that the server chose; NULL when encrypted or none';
COMMENT ON COLUMN tls_handshakes.version IS 'Version agreed upon';
COMMENT ON COLUMN tls_handshakes.client_version IS 'Highest version that the client offered';
COMMENT ON COLUMN tls_handshakes.cipher IS 'Cipher suite agreed upon, IANA name';
COMMENT ON COLUMN tls_handshakes.ja3 IS 'JA3 fingerprint of the ClientHello';
COMMENT ON COLUMN tls_handshakes.ja3s IS 'JA3S fingerprint of the ServerHello';
COMMENT ON COLUMN tls_handshakes.ja4 IS 'JA4 fingerprint of the ClientHello';
COMMENT ON COLUMN tls_handshakes.ech IS 'What can be known of Encrypted ClientHello; NULL when the extension is absent';
COMMENT ON COLUMN tls_handshakes.resumed IS 'True when an earlier session was resumed; NULL when it cannot be known';
COMMENT ON COLUMN tls_handshakes.hello_retry IS 'True when the server asked for a second ClientHello';
COMMENT ON COLUMN tls_handshakes.quic_version IS 'QUIC version by name; NULL when not QUIC';
COMMENT ON COLUMN tls_handshakes.certificate_sha1s IS 'SHA-1 of the certificates the server sent, leaf first; NULL when encrypted';
COMMENT ON COLUMN tls_handshakes.certificate_sha256s IS 'SHA-256 of the same certificates, in the same order';
COMMENT ON COLUMN tls_handshakes.sni_kind IS 'asked: the name asked for; asked-or-outer: with Encrypted ClientHello (or its GREASE) the name may be a provider''s public one';
COMMENT ON COLUMN tls_handshakes.client_complete IS 'False: the end of the ClientHello was not captured; names of it are kept, fingerprints are not';
COMMENT ON COLUMN tls_handshakes.psk_offered IS 'The client offered a pre-shared key: TLS 1.3 resumption, or a key agreed beforehand';
COMMENT ON COLUMN tls_handshakes.early_data IS 'The client announced data before the handshake ends (0-RTT)';
COMMENT ON COLUMN tls_handshakes.ticket_offered IS 'The client offered a session ticket (up to TLS 1.2)';
COMMENT ON COLUMN tls_handshakes.ech_config_id IS 'Configuration the Encrypted ClientHello names; of GREASE a random number, and nobody on the path can tell';
COMMENT ON COLUMN tls_handshakes.ech_kdf IS 'HPKE key derivation function of the Encrypted ClientHello, IANA number';
COMMENT ON COLUMN tls_handshakes.ech_aead IS 'HPKE encryption of the Encrypted ClientHello, IANA number';
COMMENT ON COLUMN tls_handshakes.client_certificate_sha256s IS 'SHA-256 of the certificates that the client sent in the clear, leaf first';

CREATE OR REPLACE VIEW quic_handshakes AS
SELECT flow_base + flow_no AS flow_id, capture_id, frame, client_version, version, original_dcid, client_scid,
       server_scid, retry_scid, retry_holds, token_bytes, early_data, server_versions, user_agent, available_versions,
       idle_timeout_ms, transport_parameters
FROM evidence.quic_handshakes;
COMMENT ON VIEW quic_handshakes IS 'What the first packets of one QUIC connection show besides its TLS hellos';
COMMENT ON COLUMN quic_handshakes.flow_id IS 'Flow';
COMMENT ON COLUMN quic_handshakes.capture_id IS 'Exhibit';
COMMENT ON COLUMN quic_handshakes.frame IS 'First frame of the flow that was read as QUIC';
COMMENT ON COLUMN quic_handshakes.client_version IS 'Version of the last client packet that could be opened';
COMMENT ON COLUMN quic_handshakes.version IS 'Version in use: the choice of the server where it was seen';
COMMENT ON COLUMN quic_handshakes.original_dcid IS 'Destination connection id of the first client Initial, hexadecimal';
COMMENT ON COLUMN quic_handshakes.client_scid IS 'Connection id that the client chose for itself, hexadecimal';
COMMENT ON COLUMN quic_handshakes.server_scid IS 'Connection id that the server chose for itself, hexadecimal';
COMMENT ON COLUMN quic_handshakes.retry_scid IS 'Connection id that a Retry gave, hexadecimal; NULL without a Retry';
COMMENT ON COLUMN quic_handshakes.retry_holds IS 'Whether the integrity tag of the Retry fits; NULL when that cannot be told';
COMMENT ON COLUMN quic_handshakes.token_bytes IS 'Length of the longest token in a client Initial; more than 0: the client was there before, or answers a Retry';
COMMENT ON COLUMN quic_handshakes.early_data IS 'A 0-RTT packet was seen: the client resumes an earlier connection';
COMMENT ON COLUMN quic_handshakes.server_versions IS 'What a version negotiation packet listed; NULL without one';
COMMENT ON COLUMN quic_handshakes.user_agent IS 'What a Google client says of itself in its transport parameters or hello';
COMMENT ON COLUMN quic_handshakes.available_versions IS 'Versions that the client says it can speak (RFC 9368)';
COMMENT ON COLUMN quic_handshakes.idle_timeout_ms IS 'max_idle_timeout of the client, milliseconds';
COMMENT ON COLUMN quic_handshakes.transport_parameters IS 'Transport parameters of the client in wire order: number, and value of an integer or length of others';

CREATE OR REPLACE VIEW certificates AS
SELECT sha256, sha1, subject, issuer, serial, make_timestamp_ns(not_before) AS not_before,
       make_timestamp_ns(not_after) AS not_after, san, public_key_type, public_key_bits, self_signed,
       flow_base + flow_no AS flow_id, capture_id, frame
FROM evidence.certificates
QUALIFY row_number() OVER (PARTITION BY sha256 ORDER BY flow_base, flow_no, frame) = 1;
COMMENT ON VIEW certificates IS 'One distinct certificate of the case';
COMMENT ON COLUMN certificates.sha256 IS 'SHA-256 of the certificate (DER)';
COMMENT ON COLUMN certificates.sha1 IS 'SHA-1 of the certificate (DER)';
COMMENT ON COLUMN certificates.subject IS 'Subject; NULL when it cannot be parsed';
COMMENT ON COLUMN certificates.issuer IS 'Issuer; NULL when it cannot be parsed';
COMMENT ON COLUMN certificates.serial IS 'Serial number, hexadecimal';
COMMENT ON COLUMN certificates.not_before IS 'Valid from, UTC';
COMMENT ON COLUMN certificates.not_after IS 'Valid to, UTC; NULL when later than a 64-bit nanosecond count reaches';
COMMENT ON COLUMN certificates.san IS 'Subject alternative names';
COMMENT ON COLUMN certificates.public_key_type IS 'Type of the public key';
COMMENT ON COLUMN certificates.public_key_bits IS 'Size of the public key in bits';
COMMENT ON COLUMN certificates.self_signed IS 'True when issuer and subject are the same';
COMMENT ON COLUMN certificates.flow_id IS 'A flow that carried it: the one with the lowest id';
COMMENT ON COLUMN certificates.capture_id IS 'Exhibit of that flow';
COMMENT ON COLUMN certificates.frame IS 'Frame of that flow that ends the certificate message';

CREATE OR REPLACE VIEW dns_messages AS
SELECT flow_base + flow_no AS flow_id, capture_id, frame, make_timestamp_ns(ts) AS ts, message_id, is_response,
       query_name, query_type, rcode, answers
FROM evidence.dns_messages;
COMMENT ON VIEW dns_messages IS 'One DNS message in the clear';
COMMENT ON COLUMN dns_messages.flow_id IS 'Flow';
COMMENT ON COLUMN dns_messages.capture_id IS 'Exhibit';
COMMENT ON COLUMN dns_messages.frame IS 'Frame';
COMMENT ON COLUMN dns_messages.ts IS 'Time stamp, UTC';
COMMENT ON COLUMN dns_messages.message_id IS 'Identifier in the message header';
COMMENT ON COLUMN dns_messages.is_response IS 'True: an answer; false: a question';
COMMENT ON COLUMN dns_messages.query_name IS 'Name asked for';
COMMENT ON COLUMN dns_messages.query_type IS 'Record type asked for';
COMMENT ON COLUMN dns_messages.rcode IS 'Response code; NULL in a question';
COMMENT ON COLUMN dns_messages.answers IS 'Records in the answer section';

CREATE OR REPLACE VIEW dns_answers AS
SELECT flow_base + flow_no AS flow_id, capture_id, frame, make_timestamp_ns(ts) AS ts, query_name, name, type,
       data, ttl
FROM evidence.dns_answers;
COMMENT ON VIEW dns_answers IS 'One record of a DNS answer';
COMMENT ON COLUMN dns_answers.flow_id IS 'Flow';
COMMENT ON COLUMN dns_answers.capture_id IS 'Exhibit';
COMMENT ON COLUMN dns_answers.frame IS 'Frame';
COMMENT ON COLUMN dns_answers.ts IS 'Time stamp, UTC';
COMMENT ON COLUMN dns_answers.query_name IS 'Name that was asked for';
COMMENT ON COLUMN dns_answers.name IS 'Owner name of the record';
COMMENT ON COLUMN dns_answers.type IS 'Record type';
COMMENT ON COLUMN dns_answers.data IS 'Record data as text';
COMMENT ON COLUMN dns_answers.ttl IS 'Time to live in seconds';

CREATE OR REPLACE VIEW names AS
SELECT ip, name, make_timestamp_ns(first_ts) AS first_ts, make_timestamp_ns(last_ts) AS last_ts, source,
       flow_base + flow_no AS flow_id, capture_id, frame
FROM evidence.names;
COMMENT ON VIEW names IS 'One address known by a name for a time';
COMMENT ON COLUMN names.ip IS 'Address';
COMMENT ON COLUMN names.name IS 'Name';
COMMENT ON COLUMN names.first_ts IS 'First time the capture ties the two, UTC';
COMMENT ON COLUMN names.last_ts IS 'Last time the capture ties the two, UTC';
COMMENT ON COLUMN names.source IS 'dns, sni, certificate, dhcp, mdns or what else tied them';
COMMENT ON COLUMN names.flow_id IS 'Flow that first tied them; NULL when no flow did';
COMMENT ON COLUMN names.capture_id IS 'Exhibit';
COMMENT ON COLUMN names.frame IS 'Frame that first tied them';

CREATE OR REPLACE VIEW stun_messages AS
SELECT flow_base + flow_no AS flow_id, capture_id, frame, make_timestamp_ns(ts) AS ts, source, method,
       "class", transaction_id, username, realm, software, mapped, relayed, peer, error_code, attributes
FROM evidence.stun_messages;
COMMENT ON VIEW stun_messages IS 'One STUN or TURN message';
COMMENT ON COLUMN stun_messages.flow_id IS 'Flow';
COMMENT ON COLUMN stun_messages.capture_id IS 'Exhibit';
COMMENT ON COLUMN stun_messages.frame IS 'Frame';
COMMENT ON COLUMN stun_messages.ts IS 'Time stamp, UTC';
COMMENT ON COLUMN stun_messages.source IS 'Address and port of the sender';
COMMENT ON COLUMN stun_messages.method IS 'STUN method';
COMMENT ON COLUMN stun_messages."class" IS 'request, indication, success or error';
COMMENT ON COLUMN stun_messages.transaction_id IS 'Transaction identifier, hexadecimal';
COMMENT ON COLUMN stun_messages.username IS 'USERNAME attribute';
COMMENT ON COLUMN stun_messages.realm IS 'REALM attribute';
COMMENT ON COLUMN stun_messages.software IS 'SOFTWARE attribute';
COMMENT ON COLUMN stun_messages.mapped IS 'Address and port under which the server saw the sender';
COMMENT ON COLUMN stun_messages.relayed IS 'Address and port that a relay lent to the sender';
COMMENT ON COLUMN stun_messages.peer IS 'Address and port of the far side behind the relay';
COMMENT ON COLUMN stun_messages.error_code IS 'Code of an error response';
COMMENT ON COLUMN stun_messages.attributes IS 'All attributes, as the decoder names them, in wire order';

CREATE OR REPLACE VIEW media_streams AS
SELECT flow_base + flow_no AS flow_id, capture_id, ssrc, payload_type, up, make_timestamp_ns(first_ts) AS first_ts,
       make_timestamp_ns(last_ts) AS last_ts, first_frame, packets, bytes, kind, last_frame, lost, gaps, rtcp,
       extension_profile, turn_channel, encapsulation
FROM evidence.media_streams;
COMMENT ON VIEW media_streams IS 'One RTP-like stream in one direction';
COMMENT ON COLUMN media_streams.flow_id IS 'Flow';
COMMENT ON COLUMN media_streams.capture_id IS 'Exhibit';
COMMENT ON COLUMN media_streams.ssrc IS 'Synchronisation source';
COMMENT ON COLUMN media_streams.payload_type IS 'RTP payload type';
COMMENT ON COLUMN media_streams.up IS 'True: from client to server';
COMMENT ON COLUMN media_streams.first_ts IS 'First packet, UTC';
COMMENT ON COLUMN media_streams.last_ts IS 'Last packet, UTC';
COMMENT ON COLUMN media_streams.first_frame IS 'First frame';
COMMENT ON COLUMN media_streams.packets IS 'Packets';
COMMENT ON COLUMN media_streams.bytes IS 'Payload bytes';
COMMENT ON COLUMN media_streams.kind IS 'audio, video, screen (only where a header of Zoom says so) or unknown';
COMMENT ON COLUMN media_streams.last_frame IS 'Last frame';
COMMENT ON COLUMN media_streams.lost IS 'Packets missing by sequence number: an estimate';
COMMENT ON COLUMN media_streams.gaps IS 'Places where sequence numbers are missing';
COMMENT ON COLUMN media_streams.rtcp IS 'True: control packets of the stream were seen too';
COMMENT ON COLUMN media_streams.extension_profile IS 'Profile of the RTP header extension, if any';
COMMENT ON COLUMN media_streams.turn_channel IS 'Number of the TURN channel it ran in, 0 for Send and Data indications, NULL without a relay';
COMMENT ON COLUMN media_streams.encapsulation IS 'zoom-relay or zoom-direct: headers of Zoom came before RTP and name the kind of media; else NULL';

CREATE OR REPLACE VIEW ssh_handshakes AS
SELECT flow_base + flow_no AS flow_id, capture_id, client_frame, server_frame, client_software, server_software, hassh,
       hassh_server
FROM evidence.ssh_handshakes;
COMMENT ON VIEW ssh_handshakes IS 'What both ends of one SSH connection said in the clear';
COMMENT ON COLUMN ssh_handshakes.flow_id IS 'Flow';
COMMENT ON COLUMN ssh_handshakes.capture_id IS 'Exhibit';
COMMENT ON COLUMN ssh_handshakes.client_frame IS 'Frame of the client''s algorithm lists';
COMMENT ON COLUMN ssh_handshakes.server_frame IS 'Frame of the server''s algorithm lists';
COMMENT ON COLUMN ssh_handshakes.client_software IS 'Identification of the client, as it said it';
COMMENT ON COLUMN ssh_handshakes.server_software IS 'Identification of the server, as it said it';
COMMENT ON COLUMN ssh_handshakes.hassh IS 'HASSH of the client''s algorithm lists';
COMMENT ON COLUMN ssh_handshakes.hassh_server IS 'HASSH of the server''s algorithm lists';

CREATE OR REPLACE VIEW sip_messages AS
SELECT flow_base + flow_no AS flow_id, capture_id, frame, make_timestamp_ns(ts) AS ts, source, target, method, status,
       uri, call_id, cseq, from_uri, from_name, to_uri, to_name, asserted, contact, software, media
FROM evidence.sip_messages;
COMMENT ON VIEW sip_messages IS 'One SIP request or response in the clear: who calls whom. Bodies are not stored';
COMMENT ON COLUMN sip_messages.flow_id IS 'Flow';
COMMENT ON COLUMN sip_messages.capture_id IS 'Exhibit';
COMMENT ON COLUMN sip_messages.frame IS 'Frame in which the message ends';
COMMENT ON COLUMN sip_messages.ts IS 'Time of that frame, UTC';
COMMENT ON COLUMN sip_messages.source IS 'Address and port of the sender';
COMMENT ON COLUMN sip_messages.target IS 'Address and port of the receiver';
COMMENT ON COLUMN sip_messages.method IS 'INVITE, REGISTER, ...; of a response that of the request it answers';
COMMENT ON COLUMN sip_messages.status IS 'Status of a response; NULL: a request';
COMMENT ON COLUMN sip_messages.uri IS 'Whom a request goes to';
COMMENT ON COLUMN sip_messages.call_id IS 'Call-ID: the same in every message of one call leg';
COMMENT ON COLUMN sip_messages.cseq IS 'CSeq number';
COMMENT ON COLUMN sip_messages.from_uri IS 'From: the calling party as the sender says';
COMMENT ON COLUMN sip_messages.from_name IS 'Name shown in From, chosen by the sender';
COMMENT ON COLUMN sip_messages.to_uri IS 'To: the called party';
COMMENT ON COLUMN sip_messages.to_name IS 'Name shown in To';
COMMENT ON COLUMN sip_messages.asserted IS 'P-Asserted-Identity, else P-Preferred-Identity: the caller as the network or the device asserts';
COMMENT ON COLUMN sip_messages.contact IS 'Contact: where the sender wants to be reached';
COMMENT ON COLUMN sip_messages.software IS 'User-Agent or Server';
COMMENT ON COLUMN sip_messages.media IS 'Media that its session description lists; rows in sdp_media';

CREATE OR REPLACE VIEW sdp_media AS
SELECT flow_base + flow_no AS flow_id, capture_id, frame, make_timestamp_ns(ts) AS ts, call_id, kind, ip, port, protocol,
       formats, direction, candidates, fingerprint, ice_ufrag
FROM evidence.sdp_media;
COMMENT ON VIEW sdp_media IS 'One medium of a session description: where one side of a call wants to receive';
COMMENT ON COLUMN sdp_media.flow_id IS 'Flow of the SIP message';
COMMENT ON COLUMN sdp_media.capture_id IS 'Exhibit';
COMMENT ON COLUMN sdp_media.frame IS 'Frame of the SIP message';
COMMENT ON COLUMN sdp_media.ts IS 'Time of that frame, UTC';
COMMENT ON COLUMN sdp_media.call_id IS 'Call-ID of the SIP message';
COMMENT ON COLUMN sdp_media.kind IS 'audio, video, ...';
COMMENT ON COLUMN sdp_media.ip IS 'Address where the sender wants the medium; what it writes, which a translator may have changed or not';
COMMENT ON COLUMN sdp_media.port IS 'Port where the sender wants the medium; 0: refused or over';
COMMENT ON COLUMN sdp_media.protocol IS 'RTP/AVP, RTP/SAVPF, ...';
COMMENT ON COLUMN sdp_media.formats IS 'Payload types or formats, in order of preference';
COMMENT ON COLUMN sdp_media.direction IS 'sendrecv, sendonly, recvonly or inactive; NULL: not said';
COMMENT ON COLUMN sdp_media.candidates IS 'ICE candidates: address and port, type, transport';
COMMENT ON COLUMN sdp_media.fingerprint IS 'Hash of the certificate that DTLS of this medium will show';
COMMENT ON COLUMN sdp_media.ice_ufrag IS 'Part of the user names of the STUN messages of this medium';

CREATE OR REPLACE VIEW subscribers AS
SELECT ip, kind, identity, make_timestamp_ns(first_ts) AS first_ts, make_timestamp_ns(last_ts) AS last_ts, ended, source,
       session, gateway, flow_base + flow_no AS flow_id, capture_id, frame, last_frame
FROM evidence.subscribers;
COMMENT ON VIEW subscribers IS 'One identity that a network says an address was given to, for a time';
COMMENT ON COLUMN subscribers.ip IS 'Address given to the subscriber, or prefix/length; NULL: the identity was seen without an address';
COMMENT ON COLUMN subscribers.kind IS 'imsi, msisdn, imei, user-name, calling-station, fqdn or mail';
COMMENT ON COLUMN subscribers.identity IS 'The identity as the network wrote it';
COMMENT ON COLUMN subscribers.first_ts IS 'First message that ties the identity to the address, UTC';
COMMENT ON COLUMN subscribers.last_ts IS 'Last such message, UTC; the session may have lasted longer unless ended is true';
COMMENT ON COLUMN subscribers.ended IS 'True when the message that ends the session was seen';
COMMENT ON COLUMN subscribers.source IS 'radius, gtpv1, gtpv2 or ike';
COMMENT ON COLUMN subscribers.session IS 'Acct-Session-Id, or the TEIDs of the session: c: control plane, u: user plane';
COMMENT ON COLUMN subscribers.gateway IS 'Network element that reported it: access server or address of the peer';
COMMENT ON COLUMN subscribers.flow_id IS 'Flow of the message';
COMMENT ON COLUMN subscribers.capture_id IS 'Exhibit';
COMMENT ON COLUMN subscribers.frame IS 'Frame of the first message';
COMMENT ON COLUMN subscribers.last_frame IS 'Frame of the last message';

CREATE OR REPLACE VIEW recognitions AS
SELECT flow_base + flow_no AS flow_id, capture_id, service, reason, value, frame
FROM evidence.recognitions;
COMMENT ON VIEW recognitions IS 'One reason why a flow was recognised as a protocol whose single messages prove little';
COMMENT ON COLUMN recognitions.flow_id IS 'Flow';
COMMENT ON COLUMN recognitions.capture_id IS 'Exhibit';
COMMENT ON COLUMN recognitions.service IS 'Protocol recognised';
COMMENT ON COLUMN recognitions.reason IS 'What was seen, in words';
COMMENT ON COLUMN recognitions.value IS 'What else it tells: the target asked of a proxy, an SPI; NULL when nothing';
COMMENT ON COLUMN recognitions.frame IS 'Frame that settled it';

CREATE OR REPLACE VIEW hosts AS
SELECT ip, mac, attribute, value, source, capture_id, frame, make_timestamp_ns(first_ts) AS first_ts,
       make_timestamp_ns(last_ts) AS last_ts
FROM evidence.hosts;
COMMENT ON VIEW hosts IS 'One thing known of one address';
COMMENT ON COLUMN hosts.ip IS 'Address';
COMMENT ON COLUMN hosts.mac IS 'Hardware address, if known';
COMMENT ON COLUMN hosts.attribute IS 'What is known';
COMMENT ON COLUMN hosts.value IS 'Its value';
COMMENT ON COLUMN hosts.source IS 'Protocol that told it';
COMMENT ON COLUMN hosts.capture_id IS 'Exhibit';
COMMENT ON COLUMN hosts.frame IS 'Frame that first told it';
COMMENT ON COLUMN hosts.first_ts IS 'First time told, UTC';
COMMENT ON COLUMN hosts.last_ts IS 'Last time told, UTC';

CREATE OR REPLACE VIEW messenger_frames AS
SELECT flow_base + flow_no AS flow_id, capture_id, frame, make_timestamp_ns(ts) AS ts, up, protocol, kind, length
FROM evidence.messenger_frames;
COMMENT ON VIEW messenger_frames IS 'One frame of a messenger that frames its stream in clear: its length, never its content';
COMMENT ON COLUMN messenger_frames.flow_id IS 'Flow';
COMMENT ON COLUMN messenger_frames.capture_id IS 'Exhibit';
COMMENT ON COLUMN messenger_frames.frame IS 'Frame of the exhibit in which the last byte came';
COMMENT ON COLUMN messenger_frames.ts IS 'Its time stamp, UTC';
COMMENT ON COLUMN messenger_frames.up IS 'True: from the side that opened the connection';
COMMENT ON COLUMN messenger_frames.protocol IS 'Protocol that frames so: whatsapp-noise, mtproto, threema-csp, ...';
COMMENT ON COLUMN messenger_frames.kind IS 'handshake, message, record or ack; a message of the protocol need not be one of a person';
COMMENT ON COLUMN messenger_frames.length IS 'Bytes of the body, without its length field';

CREATE OR REPLACE VIEW messenger_facts AS
SELECT flow_base + flow_no AS flow_id, capture_id, frame, make_timestamp_ns(ts) AS ts, up, protocol, attribute, value
FROM evidence.messenger_facts;
COMMENT ON VIEW messenger_facts IS 'One thing that a messenger protocol says in clear of its connection or call';
COMMENT ON COLUMN messenger_facts.flow_id IS 'Flow';
COMMENT ON COLUMN messenger_facts.capture_id IS 'Exhibit';
COMMENT ON COLUMN messenger_facts.frame IS 'Frame that told it';
COMMENT ON COLUMN messenger_facts.ts IS 'Its time stamp, UTC';
COMMENT ON COLUMN messenger_facts.up IS 'True: told by the side that opened the connection; NULL for datagrams';
COMMENT ON COLUMN messenger_facts.protocol IS 'Protocol: whatsapp-noise, mtproto, discord, telegram, ...';
COMMENT ON COLUMN messenger_facts.attribute IS 'version, transport, data_centre, auth_key_id, public_address, peer_tag_prefix, ...';
COMMENT ON COLUMN messenger_facts.value IS 'What was told';

CREATE OR REPLACE VIEW quality AS
SELECT capture_id, metric, interface_id, subject, "count", total, "value", unit, first_frame,
       make_timestamp_ns(first_ts) AS first_ts, last_frame, detail
FROM evidence.quality;
COMMENT ON VIEW quality IS 'One line of the capture-quality ledger of an exhibit: what it lacks or holds twice. A count of 0 was looked for and not found';
COMMENT ON COLUMN quality.capture_id IS 'Exhibit';
COMMENT ON COLUMN quality.metric IS 'What is counted: a key that docs/methods.md explains';
COMMENT ON COLUMN quality.interface_id IS 'Interface it was seen on; NULL over the whole exhibit';
COMMENT ON COLUMN quality.subject IS 'Whom or what the line is about, as a part of the line without a subject; NULL for all';
COMMENT ON COLUMN quality."count" IS 'How many';
COMMENT ON COLUMN quality.total IS 'Of how many that were looked at, which may be a sample; NULL where it is no part of a whole';
COMMENT ON COLUMN quality."value" IS 'A size that goes with it, in the unit of the next column';
COMMENT ON COLUMN quality.unit IS 'ns or bytes';
COMMENT ON COLUMN quality.first_frame IS 'Frame where it was first met';
COMMENT ON COLUMN quality.first_ts IS 'Time stamp of that frame, UTC';
COMMENT ON COLUMN quality.last_frame IS 'Frame where it was last met';
COMMENT ON COLUMN quality.detail IS 'Figures in words';

CREATE OR REPLACE VIEW authenticity AS
SELECT capture_id, indicator, interface_id, subject, "count", total, "value", unit, first_frame,
       make_timestamp_ns(first_ts) AS first_ts, last_frame, detail, explanations
FROM evidence.authenticity;
COMMENT ON VIEW authenticity IS 'One thing about an exhibit that editing would explain, and innocent causes as well: no proof of either';
COMMENT ON COLUMN authenticity.capture_id IS 'Exhibit';
COMMENT ON COLUMN authenticity.indicator IS 'What was met: a key that docs/methods.md explains';
COMMENT ON COLUMN authenticity.interface_id IS 'Interface it was met on; NULL over the whole exhibit';
COMMENT ON COLUMN authenticity.subject IS 'What the file says of itself, or what it is about; NULL otherwise';
COMMENT ON COLUMN authenticity."count" IS 'How many';
COMMENT ON COLUMN authenticity.total IS 'Of how many that were looked at; NULL where it is no part of a whole';
COMMENT ON COLUMN authenticity."value" IS 'A size that goes with it, in the unit of the next column';
COMMENT ON COLUMN authenticity.unit IS 'ns or bytes';
COMMENT ON COLUMN authenticity.first_frame IS 'Frame where it was first met';
COMMENT ON COLUMN authenticity.first_ts IS 'Time stamp of that frame, UTC';
COMMENT ON COLUMN authenticity.last_frame IS 'Frame where it was last met';
COMMENT ON COLUMN authenticity.detail IS 'Figures in words';
COMMENT ON COLUMN authenticity.explanations IS 'Innocent causes to be ruled out first: keys that docs/methods.md explains';

CREATE OR REPLACE VIEW flow_ends AS
SELECT flow_base + flow_no AS flow_id, capture_id, up_first_seq, up_next_seq, up_first_id, up_last_id, down_first_seq,
       down_next_seq, down_first_id, down_last_id
FROM evidence.flow_ends;
COMMENT ON VIEW flow_ends IS 'One TCP connection with data whose beginning or end is not in its exhibit: numbers for the seam to the next file';
COMMENT ON COLUMN flow_ends.flow_id IS 'Flow';
COMMENT ON COLUMN flow_ends.capture_id IS 'Exhibit';
COMMENT ON COLUMN flow_ends.up_first_seq IS 'First sequence number of the client that was seen';
COMMENT ON COLUMN flow_ends.up_next_seq IS 'Sequence number behind the last data of the client that was put in order';
COMMENT ON COLUMN flow_ends.up_first_id IS 'First IP identification of the client; NULL when it does not count them up';
COMMENT ON COLUMN flow_ends.up_last_id IS 'Last IP identification of the client';
COMMENT ON COLUMN flow_ends.down_first_seq IS 'First sequence number of the server that was seen';
COMMENT ON COLUMN flow_ends.down_next_seq IS 'Sequence number behind the last data of the server that was put in order';
COMMENT ON COLUMN flow_ends.down_first_id IS 'First IP identification of the server; NULL when it does not count them up';
COMMENT ON COLUMN flow_ends.down_last_id IS 'Last IP identification of the server';

CREATE OR REPLACE VIEW tunnels AS
SELECT flow_base + flow_no AS flow_id, capture_id, position, up, kind, outer_source, outer_destination,
       outer_source_port, outer_destination_port, identifier, bssid, first_frame
FROM evidence.tunnels;
COMMENT ON VIEW tunnels IS 'One layer (tunnel, tag, radio cell) around the packets of one direction of a flow, at first sight';
COMMENT ON COLUMN tunnels.flow_id IS 'Flow inside';
COMMENT ON COLUMN tunnels.capture_id IS 'Exhibit';
COMMENT ON COLUMN tunnels.position IS 'Place of the layer, 0 is the outermost';
COMMENT ON COLUMN tunnels.up IS 'True: around packets from client to server';
COMMENT ON COLUMN tunnels.kind IS 'gtp-u, gre, vxlan, geneve, ipip, 6in4, 4in6, teredo, erspan, pppoe, mpls, pbb, capwap, vlan, 802.11, ...';
COMMENT ON COLUMN tunnels.outer_source IS 'Sender in the header that carries the layer: IP address, or hardware address where that is a link header';
COMMENT ON COLUMN tunnels.outer_destination IS 'Receiver in the header that carries the layer, likewise';
COMMENT ON COLUMN tunnels.outer_source_port IS 'UDP port of the sender; NULL where UDP does not carry the layer';
COMMENT ON COLUMN tunnels.outer_destination_port IS 'UDP port of the receiver; NULL where UDP does not carry the layer';
COMMENT ON COLUMN tunnels.identifier IS 'TEID, VNI, GRE key, PPPoE session, MPLS label, VLAN, I-SID, ERSPAN session, DLCI, ...; NULL when the layer has none';
COMMENT ON COLUMN tunnels.bssid IS 'Radio cell, of an 802.11 layer';
COMMENT ON COLUMN tunnels.first_frame IS 'First frame of the direction that showed it; what came later may have had others';

CREATE OR REPLACE VIEW app_evidence AS
SELECT flow_base + flow_no AS flow_id, capture_id, app, rule_id, kind, value, frame, confidence
FROM evidence.app_evidence;
COMMENT ON VIEW app_evidence IS 'One reason for one application label, or (app is not that of the flow) for another one';
COMMENT ON COLUMN app_evidence.flow_id IS 'Flow';
COMMENT ON COLUMN app_evidence.capture_id IS 'Exhibit';
COMMENT ON COLUMN app_evidence.app IS 'Application the reason speaks for';
COMMENT ON COLUMN app_evidence.rule_id IS 'Rule that fired';
COMMENT ON COLUMN app_evidence.kind IS 'Kind of evidence: sni, dns, certificate, ...';
COMMENT ON COLUMN app_evidence.value IS 'What was seen';
COMMENT ON COLUMN app_evidence.frame IS 'Frame where it was seen';
COMMENT ON COLUMN app_evidence.confidence IS 'Confidence of the rule, integer percent';

-- One conversation in several exhibits. Two flows of different exhibits are one conversation when their five-tuples
-- are the same (community_id: whoever is called the client) and
--   1. the exhibits were recorded at the same time: they overlap by the tolerance or more, or by half of the shorter
--      one. The files of a rotated series do not: a flow cut between two of them has two parts, and both count;
--   2. the flows overlap likewise, or begin or end at most the tolerance apart (short flows, clocks that differ).
-- The tolerance is 2 s. SET VARIABLE clock_tolerance_ns = ... changes it for one connection; analyses do, by their
-- parameter. Of each pair the flow with more packets is preferred (then the smaller capture_id). A flow counts when
-- each flow that is preferred to it gives way to yet another one, as the middle part of three files may; no two flows
-- that count are a pair. Rounds are bounded: a longer chain, which only a made-up case has, ends with flows that do
-- not count, and never with one that counts twice.
-- Sums are HUGEINT: a crafted time stamp must not make every question fail.
CREATE OR REPLACE VIEW flow_pairs AS
WITH RECURSIVE clocks AS (
    SELECT coalesce(getvariable('clock_tolerance_ns')::BIGINT, 2000000000)::HUGEINT AS tolerance
),
spans AS (
    SELECT capture_id, epoch_ns(first_ts)::HUGEINT AS first_ns, epoch_ns(last_ts)::HUGEINT AS last_ns FROM captures
),
together AS (
    SELECT a.capture_id, b.capture_id AS other_capture_id
    FROM spans a JOIN spans b ON a.capture_id <> b.capture_id CROSS JOIN clocks
    WHERE least(a.last_ns, b.last_ns) - greatest(a.first_ns, b.first_ns)
          >= least(tolerance, least(a.last_ns - a.first_ns, b.last_ns - b.first_ns) // 2)
),
shown AS (
    SELECT flow_id, capture_id, transport, community_id, epoch_ns(first_ts)::HUGEINT AS first_ns,
           epoch_ns(last_ts)::HUGEINT AS last_ns, coalesce(packets_up, 0) + coalesce(packets_down, 0) AS packets
    FROM flows
    WHERE community_id IS NOT NULL AND first_ts IS NOT NULL AND last_ts IS NOT NULL
      AND capture_id IN (SELECT capture_id FROM together)
),
reached AS (
    SELECT *, max(last_ns) OVER (PARTITION BY transport, community_id ORDER BY first_ns, flow_id
                                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before_ns
    FROM shown
),
-- only flows of one unbroken stretch of time are compared: a five-tuple used all day does not cost its square
placed AS (
    SELECT *, sum(CASE WHEN first_ns - before_ns <= (SELECT tolerance FROM clocks) THEN 0 ELSE 1 END)
                  OVER (PARTITION BY transport, community_id ORDER BY first_ns, flow_id) AS stretch
    FROM reached
),
-- each flow with every exhibit in which it may stand again; kept, lest all files of a series meet all of another
sought AS MATERIALIZED (
    SELECT a.*, t.other_capture_id, tolerance
    FROM placed a JOIN together t ON t.capture_id = a.capture_id CROSS JOIN clocks
),
pairs AS MATERIALIZED (
    SELECT a.flow_id, a.capture_id, a.packets, b.flow_id AS other_flow_id, b.capture_id AS other_capture_id,
           b.packets AS other_packets, b.first_ns - tolerance AS from_ns, b.last_ns + tolerance AS to_ns,
           (a.packets, -a.capture_id, -a.flow_id) > (b.packets, -b.capture_id, -b.flow_id) AS preferred
    FROM sought a
    JOIN placed b ON b.transport = a.transport AND b.community_id = a.community_id AND b.stretch = a.stretch
                 AND b.capture_id = a.other_capture_id
    WHERE abs(a.first_ns - b.first_ns) <= tolerance OR abs(a.last_ns - b.last_ns) <= tolerance
       OR least(a.last_ns, b.last_ns) - greatest(a.first_ns, b.first_ns)
          >= least(tolerance, least(a.last_ns - a.first_ns, b.last_ns - b.first_ns) // 2)
),
-- counted: NULL until the flows that are preferred to this one are decided
rounds AS (
    SELECT flow_id, CASE WHEN bool_and(preferred) THEN true END AS counted, 0 AS round FROM pairs GROUP BY flow_id
    UNION ALL
    SELECT r.flow_id,
           CASE WHEN r.counted IS NOT NULL THEN r.counted
                WHEN bool_or(o.counted) THEN false
                WHEN count(*) = count(o.counted) THEN true END,
           r.round + 1
    FROM rounds r JOIN pairs p ON p.flow_id = r.flow_id AND (r.counted IS NOT NULL OR NOT p.preferred)
    JOIN rounds o ON o.flow_id = p.other_flow_id
    WHERE r.round < 40 AND EXISTS (SELECT 1 FROM rounds u WHERE u.counted IS NULL)
    GROUP BY r.flow_id, r.counted, r.round
),
decided AS (
    SELECT flow_id, coalesce(arg_max(counted, round) FILTER (counted IS NOT NULL), false) AS counted
    FROM rounds GROUP BY flow_id
)
SELECT p.flow_id, p.capture_id, p.packets, d.counted, p.other_flow_id, p.other_capture_id, p.other_packets,
       o.counted AS other_counted, NOT d.counted AND (o.counted OR NOT p.preferred) AS yields,
       make_timestamp_ns(greatest(p.from_ns, -9223372036854775806)::BIGINT) AS from_ts,
       make_timestamp_ns(least(p.to_ns, 9223372036854775806)::BIGINT) AS to_ts
FROM pairs p JOIN decided d ON d.flow_id = p.flow_id JOIN decided o ON o.flow_id = p.other_flow_id;
COMMENT ON VIEW flow_pairs IS 'One flow and another exhibit''s record of the same conversation; each pair stands both ways';
COMMENT ON COLUMN flow_pairs.flow_id IS 'Flow';
COMMENT ON COLUMN flow_pairs.capture_id IS 'Exhibit of the flow';
COMMENT ON COLUMN flow_pairs.packets IS 'Packets of the flow';
COMMENT ON COLUMN flow_pairs.counted IS 'True when the flow counts, as in flow_sightings';
COMMENT ON COLUMN flow_pairs.other_flow_id IS 'The other flow: same five-tuple, same time, other exhibit';
COMMENT ON COLUMN flow_pairs.other_capture_id IS 'Exhibit of the other flow';
COMMENT ON COLUMN flow_pairs.other_packets IS 'Packets of the other flow';
COMMENT ON COLUMN flow_pairs.other_counted IS 'True when the other flow counts';
COMMENT ON COLUMN flow_pairs.yields IS 'True: packets of this flow from from_ts to to_ts do not count, the other shows that time';
COMMENT ON COLUMN flow_pairs.from_ts IS 'First packet of the other flow less the tolerance, UTC';
COMMENT ON COLUMN flow_pairs.to_ts IS 'Last packet of the other flow and the tolerance, UTC';

-- A rotated series: exhibits that one recorder wrote one after the other. Two exhibits follow each other when
--   1. an analyst declared it (declared_series); or
--   2. their interfaces are alike (number, name, link type, snaplen, clock step) and the later one begins where the
--      earlier one ends: not more than 2 s before, and less than half of the shorter one (else they are two records of
--      the same time); not later than twice the longest silence in either, at least 1 minute and at most 15.
-- Of several that would fit, one whose name differs only in digits is preferred, then the nearest in time; each must be
-- the other's first choice. Names never decide the order: time does. Ids and order depend on the exhibits alone.
CREATE OR REPLACE VIEW series AS
WITH RECURSIVE recorders AS (
    SELECT capture_id, string_agg(concat_ws('|', interface_id, coalesce(name, ''), link_type, coalesce(snaplen, -1),
                                            ts_resolution_ns), ';' ORDER BY interface_id) AS recorder
    FROM interfaces GROUP BY capture_id
),
silences AS (
    SELECT capture_id, max("value") AS silence_ns FROM quality WHERE metric = 'silence' GROUP BY capture_id
),
spans AS (
    SELECT c.capture_id, c.name, r.recorder, regexp_replace(c.name, '[0-9]+', '#', 'g') AS stem,
           epoch_ns(c.first_ts)::HUGEINT AS first_ns, epoch_ns(c.last_ts)::HUGEINT AS last_ns,
           least(900000000000, greatest(60000000000, 2 * coalesce(s.silence_ns, 0)))::HUGEINT AS reach_ns,
           d.series AS declared
    FROM captures c JOIN recorders r USING (capture_id) LEFT JOIN silences s USING (capture_id)
    LEFT JOIN declared_series d ON d.capture_id = c.capture_id
    WHERE c.first_ts IS NOT NULL AND c.last_ts IS NOT NULL
),
near AS (
    SELECT a.capture_id, b.capture_id AS next_id, b.first_ns - a.last_ns AS gap_ns, a.stem = b.stem AS alike,
           abs(b.first_ns - a.last_ns) AS off_ns
    FROM spans a JOIN spans b ON b.recorder = a.recorder AND b.capture_id <> a.capture_id
    WHERE a.declared IS NULL AND b.declared IS NULL AND (b.first_ns, b.last_ns) > (a.first_ns, a.last_ns)
      AND b.first_ns - a.last_ns <= greatest(a.reach_ns, b.reach_ns)
      AND a.last_ns - b.first_ns < greatest(1, least(2000000000, least(a.last_ns - a.first_ns, b.last_ns - b.first_ns) // 2))
),
chosen AS (
    SELECT *, row_number() OVER (PARTITION BY capture_id ORDER BY alike DESC, off_ns, next_id) AS forth,
           row_number() OVER (PARTITION BY next_id ORDER BY alike DESC, off_ns, capture_id) AS back
    FROM near
),
links AS (
    SELECT next_id AS capture_id, capture_id AS before_id, gap_ns,
           CASE WHEN alike THEN 'interfaces alike, times adjoin, names differ in digits only'
                ELSE 'interfaces alike, times adjoin' END AS reason
    FROM chosen WHERE forth = 1 AND back = 1
    UNION ALL
    SELECT capture_id, lag(capture_id) OVER declared, first_ns - lag(last_ns) OVER declared, 'declared: ' || declared
    FROM spans WHERE declared IS NOT NULL
    WINDOW declared AS (PARTITION BY declared ORDER BY first_ns, last_ns, capture_id)
),
placed AS (
    SELECT s.capture_id, s.name, s.first_ns, s.last_ns, l.before_id, CASE WHEN l.before_id IS NOT NULL THEN l.gap_ns END
           AS gap_ns, l.reason
    FROM spans s LEFT JOIN links l USING (capture_id)
),
-- each exhibit steps back to the first of its series, twice as far in every round: 2^16 parts at most
walk AS (
    SELECT capture_id, coalesce(before_id, capture_id) AS head, CASE WHEN before_id IS NULL THEN 0 ELSE 1 END AS steps,
           0 AS round
    FROM placed
    UNION ALL
    SELECT a.capture_id, b.head, a.steps + b.steps, a.round + 1
    FROM walk a JOIN walk b ON b.capture_id = a.head WHERE a.round < 16
),
numbered AS (
    SELECT w.head AS series_id, w.steps + 1 AS part, count(*) OVER (PARTITION BY w.head) AS parts, p.*
    FROM placed p JOIN walk w ON w.capture_id = p.capture_id AND w.round = 16
)
SELECT series_id, part::BIGINT AS part, parts, capture_id, name, make_timestamp_ns(first_ns::BIGINT) AS first_ts,
       make_timestamp_ns(last_ns::BIGINT) AS last_ts, before_id AS previous_capture_id,
       CASE WHEN gap_ns IS NOT NULL
            THEN greatest(-9223372036854775807, least(9223372036854775807, gap_ns))::BIGINT END AS gap_ns,
       coalesce(reason, max(reason) OVER (PARTITION BY series_id)) AS reason
FROM numbered WHERE parts > 1;
COMMENT ON VIEW series IS 'One exhibit as a part of a rotated series: files that one recorder wrote one after the other';
COMMENT ON COLUMN series.series_id IS 'Series: capture_id of its first exhibit';
COMMENT ON COLUMN series.part IS 'Place in the series by time, from 1';
COMMENT ON COLUMN series.parts IS 'Exhibits of the series';
COMMENT ON COLUMN series.capture_id IS 'Exhibit';
COMMENT ON COLUMN series.name IS 'File name under which the exhibit was first ingested; it decides nothing about the order';
COMMENT ON COLUMN series.first_ts IS 'Earliest time stamp of a frame, UTC';
COMMENT ON COLUMN series.last_ts IS 'Latest time stamp of a frame, UTC';
COMMENT ON COLUMN series.previous_capture_id IS 'The part before; NULL for the first';
COMMENT ON COLUMN series.gap_ns IS 'Nanoseconds from the end of the part before: above 0 nothing is recorded between, below 0 they overlap';
COMMENT ON COLUMN series.reason IS 'Why it is held to follow the part before';

-- Flows that go on from one exhibit of a series in a later one. Each part stays tied to its exhibit. The rules are those
-- by which a flow ends inside an exhibit (capture/flows/table.py), with the numbers of TCP added where both parts have
-- them: sequence numbers further apart than 64 MiB are of another connection.
CREATE OR REPLACE VIEW flow_parts AS
WITH again AS (
    -- five-tuples that stand in more than one part; by a hash, for they are many: what it throws together, `line` parts
    SELECT s.series_id, hash(f.community_id) AS tuple FROM flows f JOIN series s ON s.capture_id = f.capture_id
    WHERE f.community_id IS NOT NULL
    GROUP BY s.series_id, hash(f.community_id) HAVING min(s.part) <> max(s.part)
),
inside AS (
    SELECT s.series_id, s.part, f.flow_id, f.capture_id, f.transport, f.community_id, f.client_ip, f.client_port,
           f.client_by, epoch_ns(f.first_ts)::HUGEINT AS first_ns, epoch_ns(f.last_ts)::HUGEINT AS last_ns,
           coalesce(f.payload_up, 0) + coalesce(f.payload_down, 0) AS payload,
           coalesce(f.syn_seen, false) AS opens, coalesce(f.fin_seen, false) OR coalesce(f.rst_seen, false) AS closed,
           f.app, f.app_confidence, f.service
    FROM flows f JOIN series s ON s.capture_id = f.capture_id
    SEMI JOIN again a ON a.series_id = s.series_id AND a.tuple = hash(f.community_id)
    WHERE f.community_id IS NOT NULL AND f.first_ts IS NOT NULL AND f.last_ts IS NOT NULL
),
lined AS (
    SELECT i.*, lag(flow_id) OVER line AS before_id, lag(part) OVER line AS before_part,
           lag(last_ns) OVER line AS before_ns, lag(payload) OVER line AS before_payload,
           lag(closed) OVER line AS before_closed, lag(client_ip) OVER line AS before_ip,
           lag(client_port) OVER line AS before_port
    FROM inside i
    WINDOW line AS (PARTITION BY series_id, transport, community_id ORDER BY part, first_ns, flow_id)
),
seams AS (
    SELECT l.*, coalesce(l.client_ip = l.before_ip AND l.client_port = l.before_port, true) AS same_way,
           CASE WHEN same_way THEN e.up_first_seq - b.up_next_seq ELSE e.up_first_seq - b.down_next_seq END AS up_step,
           CASE WHEN same_way THEN e.down_first_seq - b.down_next_seq ELSE e.down_first_seq - b.up_next_seq END AS down_step,
           CASE WHEN same_way THEN e.up_first_id - b.up_last_id ELSE e.up_first_id - b.down_last_id END AS up_id_step,
           CASE WHEN same_way THEN e.down_first_id - b.down_last_id ELSE e.down_first_id - b.up_last_id END AS down_id_step
    FROM lined l LEFT JOIN flow_ends e ON e.flow_id = l.flow_id LEFT JOIN flow_ends b ON b.flow_id = l.before_id
),
steps AS (
    SELECT * REPLACE ((up_step + 6442450944) % 4294967296 - 2147483648 AS up_step,
                      (down_step + 6442450944) % 4294967296 - 2147483648 AS down_step,
                      (up_id_step + 131071) % 65536 AS up_id_step, (down_id_step + 131071) % 65536 AS down_id_step)
    FROM seams
),
judged AS (
    SELECT *, coalesce(
               before_part < part AND first_ns - before_ns BETWEEN -2000000000 AND
                   CASE WHEN transport <> 'tcp' THEN 300000000000 WHEN before_closed THEN 120000000000
                        ELSE 7200000000000 END
               AND (transport <> 'tcp' OR NOT opens OR (before_payload = 0 AND NOT before_closed))
               AND abs(coalesce(up_step, 0)) <= 67108864 AND abs(coalesce(down_step, 0)) <= 67108864, false) AS goes_on
    FROM steps
),
counted AS (
    SELECT *, sum(CASE WHEN goes_on THEN 0 ELSE 1 END)
                  OVER (PARTITION BY series_id, transport, community_id ORDER BY part, first_ns, flow_id) AS turn
    FROM judged
),
grouped AS (
    SELECT *, count(*) OVER conversation AS parts,
           row_number() OVER (conversation ORDER BY part, first_ns, flow_id) AS place,
           first_value(flow_id) OVER (conversation ORDER BY part, first_ns, flow_id) AS connection_id,
           -- who is the client says the part that knows it best: SYN, ClientHello, port, first packet
           first_value({'ip': client_ip, 'port': client_port}) OVER (conversation ORDER BY
               CASE client_by WHEN 'syn' THEN 0 WHEN 'hello' THEN 1 WHEN 'port' THEN 2 ELSE 3 END, part, first_ns,
               flow_id) AS client,
           first_value(CASE WHEN app IS NOT NULL THEN {'flow_id': flow_id, 'app': app, 'confidence': app_confidence} END)
               OVER (conversation ORDER BY app IS NULL, coalesce(app_confidence, 0) DESC, part, flow_id) AS label,
           first_value(service IGNORE NULLS) OVER (conversation ORDER BY part, first_ns, flow_id
               ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS known_service
    FROM counted WINDOW conversation AS (PARTITION BY series_id, transport, community_id, turn)
)
SELECT connection_id, place AS part, parts, series_id, flow_id, capture_id,
       coalesce(client_ip <> client.ip OR client_port <> client.port, false) AS turned,
       CASE WHEN goes_on THEN greatest(-9223372036854775807, least(9223372036854775807, first_ns - before_ns))::BIGINT END
           AS gap_ns,
       CASE WHEN goes_on AND (up_step IS NOT NULL OR down_step IS NOT NULL)
            THEN (greatest(coalesce(up_step, 0), 0) + greatest(coalesce(down_step, 0), 0))::BIGINT END AS bytes_between,
       CASE WHEN goes_on THEN coalesce(up_step, 0) < 0 OR coalesce(down_step, 0) < 0 END AS repeats,
       CASE WHEN goes_on THEN (CASE WHEN up_id_step < 32768 THEN up_id_step END) END::BIGINT AS up_packets_between,
       CASE WHEN goes_on THEN (CASE WHEN down_id_step < 32768 THEN down_id_step END) END::BIGINT AS down_packets_between,
       label.app AS app, label.confidence AS app_confidence, label.flow_id AS app_flow_id, known_service AS service
FROM grouped WHERE parts > 1;
COMMENT ON VIEW flow_parts IS 'One flow as a part of a connection that goes on over several exhibits of a series';
COMMENT ON COLUMN flow_parts.connection_id IS 'The connection: flow_id of its first part';
COMMENT ON COLUMN flow_parts.part IS 'Place among the parts by time, from 1';
COMMENT ON COLUMN flow_parts.parts IS 'Parts of the connection';
COMMENT ON COLUMN flow_parts.series_id IS 'Series';
COMMENT ON COLUMN flow_parts.flow_id IS 'Flow';
COMMENT ON COLUMN flow_parts.capture_id IS 'Exhibit of the flow';
COMMENT ON COLUMN flow_parts.turned IS 'True: this exhibit alone took the other side for the client than the part that knows best';
COMMENT ON COLUMN flow_parts.gap_ns IS 'Nanoseconds since the last packet of the part before; NULL for the first part';
COMMENT ON COLUMN flow_parts.bytes_between IS 'TCP bytes between the parts by their sequence numbers, in neither exhibit; NULL when not known';
COMMENT ON COLUMN flow_parts.repeats IS 'True: the part begins with bytes that the one before holds too (sent again, or files overlap)';
COMMENT ON COLUMN flow_parts.up_packets_between IS 'Packets of the client between the parts by the IP identifications it counts up; NULL when it does not';
COMMENT ON COLUMN flow_parts.down_packets_between IS 'The same of the server';
COMMENT ON COLUMN flow_parts.app IS 'Application: the surest label that any part has';
COMMENT ON COLUMN flow_parts.app_confidence IS 'Confidence of that label, integer percent';
COMMENT ON COLUMN flow_parts.app_flow_id IS 'The part that has the label, with its reasons in app_evidence';
COMMENT ON COLUMN flow_parts.service IS 'Protocol, as the first part shows it that does';

CREATE OR REPLACE VIEW joined_flows AS
WITH turned AS (
    SELECT p.connection_id, p.series_id, p.part, p.parts, p.gap_ns, p.bytes_between, p.app, p.app_confidence,
           p.app_flow_id, p.service AS known_service, p.turned, f.* EXCLUDE (service, app, app_confidence),
           CASE WHEN p.turned THEN f.packets_down ELSE f.packets_up END AS sent,
           CASE WHEN p.turned THEN f.packets_up ELSE f.packets_down END AS received,
           CASE WHEN p.turned THEN f.bytes_down ELSE f.bytes_up END AS bytes_sent,
           CASE WHEN p.turned THEN f.bytes_up ELSE f.bytes_down END AS bytes_received,
           CASE WHEN p.turned THEN f.payload_down ELSE f.payload_up END AS payload_sent,
           CASE WHEN p.turned THEN f.payload_up ELSE f.payload_down END AS payload_received
    FROM flow_parts p JOIN flows f ON f.flow_id = p.flow_id
),
hellos AS (
    SELECT p.connection_id, arg_min({'flow_id': p.flow_id, 'sni': t.sni, 'version': t.version},
                                    (t.sni IS NULL, t.version IS NULL, p.part, coalesce(t.client_frame, t.server_frame)))
                                AS hello
    FROM flow_parts p JOIN tls_handshakes t ON t.flow_id = p.flow_id GROUP BY p.connection_id
)
SELECT t.connection_id, any_value(t.series_id) AS series_id, any_value(t.parts) AS parts,
       list(t.flow_id ORDER BY t.part) AS flow_ids, list(t.capture_id ORDER BY t.part) AS capture_ids,
       any_value(t.transport) AS transport, arg_min(t.client_ip, (t.turned, t.part)) AS client_ip,
       arg_min(t.client_port, (t.turned, t.part)) AS client_port, arg_min(t.server_ip, (t.turned, t.part)) AS server_ip,
       arg_min(t.server_port, (t.turned, t.part)) AS server_port, min(t.first_ts) AS first_ts, max(t.last_ts) AS last_ts,
       sum(t.sent)::BIGINT AS packets_up, sum(t.received)::BIGINT AS packets_down,
       sum(t.bytes_sent)::BIGINT AS bytes_up, sum(t.bytes_received)::BIGINT AS bytes_down,
       sum(t.payload_sent)::BIGINT AS payload_up, sum(t.payload_received)::BIGINT AS payload_down,
       bool_or(t.syn_seen) AS syn_seen, bool_or(t.fin_seen) AS fin_seen, bool_or(t.rst_seen) AS rst_seen,
       arg_min(t.rtt_us, t.part) FILTER (t.rtt_us IS NOT NULL) AS rtt_us, sum(t.retransmits)::BIGINT AS retransmits,
       sum(t.missing_bytes)::BIGINT AS missing_bytes, sum(t.bytes_between)::BIGINT AS bytes_between,
       max(t.gap_ns) AS longest_gap_ns, any_value(t.community_id) AS community_id, any_value(t.known_service) AS service,
       any_value(h.hello.sni) AS sni, any_value(h.hello.version) AS tls_version,
       any_value(h.hello.flow_id) AS handshake_flow_id, any_value(t.app) AS app,
       any_value(t.app_confidence) AS app_confidence, any_value(t.app_flow_id) AS app_flow_id,
       'label of flow ' || any_value(t.app_flow_id) || ' in ' || any_value(c.name) AS app_reason
FROM turned t LEFT JOIN hellos h ON h.connection_id = t.connection_id
LEFT JOIN flows a ON a.flow_id = t.app_flow_id LEFT JOIN captures c ON c.capture_id = a.capture_id
GROUP BY t.connection_id;
COMMENT ON VIEW joined_flows IS 'One connection that goes on over several exhibits of a series, its parts added up';
COMMENT ON COLUMN joined_flows.connection_id IS 'The connection: flow_id of its first part';
COMMENT ON COLUMN joined_flows.series_id IS 'Series';
COMMENT ON COLUMN joined_flows.parts IS 'Parts of the connection';
COMMENT ON COLUMN joined_flows.flow_ids IS 'Its parts, by time';
COMMENT ON COLUMN joined_flows.capture_ids IS 'Exhibits of the parts, in the same order';
COMMENT ON COLUMN joined_flows.transport IS 'tcp, udp, sctp, icmp, ...';
COMMENT ON COLUMN joined_flows.client_ip IS 'Address of the client, by the part that knows best who it is';
COMMENT ON COLUMN joined_flows.client_port IS 'Port of the client';
COMMENT ON COLUMN joined_flows.server_ip IS 'Address of the server';
COMMENT ON COLUMN joined_flows.server_port IS 'Port of the server';
COMMENT ON COLUMN joined_flows.first_ts IS 'Earliest packet of all parts, UTC';
COMMENT ON COLUMN joined_flows.last_ts IS 'Latest packet of all parts, UTC';
COMMENT ON COLUMN joined_flows.packets_up IS 'Packets from client to server';
COMMENT ON COLUMN joined_flows.packets_down IS 'Packets from server to client';
COMMENT ON COLUMN joined_flows.bytes_up IS 'Bytes on the wire from client to server, headers included';
COMMENT ON COLUMN joined_flows.bytes_down IS 'Bytes on the wire from server to client, headers included';
COMMENT ON COLUMN joined_flows.payload_up IS 'Transport payload bytes from client to server';
COMMENT ON COLUMN joined_flows.payload_down IS 'Transport payload bytes from server to client';
COMMENT ON COLUMN joined_flows.syn_seen IS 'True when any part shows a TCP SYN';
COMMENT ON COLUMN joined_flows.fin_seen IS 'True when any part shows a TCP FIN';
COMMENT ON COLUMN joined_flows.rst_seen IS 'True when any part shows a TCP RST';
COMMENT ON COLUMN joined_flows.rtt_us IS 'Round-trip time of the TCP handshake in microseconds, where it lies in one part';
COMMENT ON COLUMN joined_flows.retransmits IS 'TCP segments that repeat bytes sent before in the same part';
COMMENT ON COLUMN joined_flows.missing_bytes IS 'TCP bytes that were sent but are not in the part, over all parts';
COMMENT ON COLUMN joined_flows.bytes_between IS 'TCP bytes that lie between the parts, in no exhibit';
COMMENT ON COLUMN joined_flows.longest_gap_ns IS 'Longest silence between two parts, in nanoseconds';
COMMENT ON COLUMN joined_flows.community_id IS 'Community ID v1 of the five-tuple';
COMMENT ON COLUMN joined_flows.service IS 'Protocol, as the first part shows it that does';
COMMENT ON COLUMN joined_flows.sni IS 'Server name that the client asked for, from the part that holds the handshake';
COMMENT ON COLUMN joined_flows.tls_version IS 'Version that was negotiated, from the same part';
COMMENT ON COLUMN joined_flows.handshake_flow_id IS 'The part that holds the handshake; NULL when none does';
COMMENT ON COLUMN joined_flows.app IS 'Application: the surest label that any part has';
COMMENT ON COLUMN joined_flows.app_confidence IS 'Confidence of that label, integer percent';
COMMENT ON COLUMN joined_flows.app_flow_id IS 'The part that has the label';
COMMENT ON COLUMN joined_flows.app_reason IS 'The label''s source in words: which part, in which exhibit';

-- Names that a client learnt by DNS in one exhibit of a series and used in a later one: a flow to the address that the
-- answer gave. It is a reason of its own and weaker than a name in the flow: addresses serve many names, and answers
-- age. An application stands there when a rule named it by the same name elsewhere in the case.
CREATE OR REPLACE VIEW names_over_series AS
WITH told AS (
    SELECT s.series_id, s.part, q.client_ip, a.data AS ip, a.query_name AS name,
           arg_min({'flow_id': a.flow_id, 'capture_id': a.capture_id, 'frame': a.frame, 'ts': a.ts}, (a.ts, a.frame)) AS seen
    FROM dns_answers a JOIN series s ON s.capture_id = a.capture_id JOIN flows q ON q.flow_id = a.flow_id
    WHERE a.type IN ('A', 'AAAA') AND a.query_name IS NOT NULL
    GROUP BY s.series_id, s.part, q.client_ip, a.data, a.query_name
),
named AS (
    SELECT lower("value") AS name, arg_max({'app': app, 'rule_id': rule_id, 'confidence': confidence},
                                         (confidence, app, rule_id)) AS rule
    FROM app_evidence WHERE kind = 'dns' GROUP BY lower("value")
)
SELECT f.flow_id, f.capture_id, t.name, t.seen.flow_id AS learnt_flow_id, t.seen.capture_id AS learnt_capture_id,
       t.seen.frame AS learnt_frame, t.seen.ts AS learnt_ts, n.rule.app AS app, n.rule.rule_id AS rule_id,
       n.rule.confidence AS confidence
FROM flows f JOIN series s ON s.capture_id = f.capture_id
JOIN told t ON t.series_id = s.series_id AND t.client_ip = f.client_ip AND t.ip = f.server_ip AND t.part < s.part
LEFT JOIN named n ON n.name = lower(t.name)
WHERE f.service IS DISTINCT FROM 'dns';
COMMENT ON VIEW names_over_series IS 'One name that a client learnt in an earlier exhibit of the series for the server of this flow';
COMMENT ON COLUMN names_over_series.flow_id IS 'Flow to the address';
COMMENT ON COLUMN names_over_series.capture_id IS 'Exhibit of the flow';
COMMENT ON COLUMN names_over_series.name IS 'Name the client had asked for';
COMMENT ON COLUMN names_over_series.learnt_flow_id IS 'Flow of the first answer in that earlier exhibit';
COMMENT ON COLUMN names_over_series.learnt_capture_id IS 'Exhibit of the answer';
COMMENT ON COLUMN names_over_series.learnt_frame IS 'Frame of the answer';
COMMENT ON COLUMN names_over_series.learnt_ts IS 'Time stamp of the answer, UTC';
COMMENT ON COLUMN names_over_series.app IS 'Application that a rule names by this name elsewhere in the case; NULL when none does';
COMMENT ON COLUMN names_over_series.rule_id IS 'That rule';
COMMENT ON COLUMN names_over_series.confidence IS 'Confidence of the rule in the name, integer percent';

CREATE OR REPLACE VIEW flow_sightings AS
WITH others AS (
    SELECT p.flow_id, any_value(p.counted) AS counted, count(DISTINCT p.other_capture_id) + 1 AS exhibits,
           arg_min(p.other_flow_id, (-p.other_packets, p.other_capture_id, p.other_flow_id))
               FILTER (p.other_counted) AS counted_flow_id,
           -- the record with the surest label lends it to those that missed the reasons
           arg_max({'app': f.app, 'confidence': f.app_confidence},
                   (coalesce(f.app_confidence, 0), p.other_packets, -p.other_flow_id))
               FILTER (f.app IS NOT NULL) AS label,
           arg_max(f.service, (p.other_packets, -p.other_flow_id)) FILTER (f.service IS NOT NULL) AS service
    FROM flow_pairs p JOIN flows f ON f.flow_id = p.other_flow_id
    GROUP BY p.flow_id
),
told AS (
    SELECT f.*, coalesce(o.counted, true) AS counted, coalesce(o.exhibits, 1) AS exhibits, o.counted_flow_id,
           o.service AS other_service, o.label.app AS other_app, o.label.confidence AS other_confidence,
           o.label.app IS NOT NULL
           AND (f.app IS NULL OR coalesce(o.label.confidence, 0) > coalesce(f.app_confidence, 0)) AS lent
    FROM flows f LEFT JOIN others o ON o.flow_id = f.flow_id
),
-- a connection over several files of a series: the surest label of a part goes to the others, unless a part alone would
-- take the other side for the client
joined AS (
    SELECT t.*, coalesce(p.connection_id, t.flow_id) AS connection_id, coalesce(p.part > 1, false) AS continues,
           p.service AS part_service, p.app AS part_app, p.app_confidence AS part_confidence,
           NOT p.turned AND p.app IS NOT NULL AND p.app_flow_id <> t.flow_id
           AND coalesce(p.app_confidence, 0) > coalesce(CASE WHEN t.lent THEN t.other_confidence ELSE t.app_confidence END, -1)
               AS carried
    FROM told t LEFT JOIN flow_parts p ON p.flow_id = t.flow_id
)
SELECT flow_id, capture_id, flow_no, transport, client_ip, client_port, server_ip, server_port, client_by, first_frame,
       last_frame, first_ts, last_ts, packets_up, packets_down, bytes_up, bytes_down, payload_up, payload_down,
       syn_seen, fin_seen, rst_seen, rtt_us, retransmits, missing_bytes, vlan, tunnel, community_id,
       coalesce(service, other_service, part_service) AS service,
       CASE WHEN carried THEN part_app WHEN lent THEN other_app ELSE app END AS app,
       CASE WHEN carried THEN part_confidence WHEN lent THEN other_confidence ELSE app_confidence END AS app_confidence,
       counted, CASE WHEN counted THEN flow_id ELSE coalesce(counted_flow_id, flow_id) END AS conversation_id, exhibits,
       connection_id, continues
FROM joined;
COMMENT ON VIEW flow_sightings IS 'One flow as one exhibit shows it, and whether it counts; else as flows. Sum over counted rows';
COMMENT ON COLUMN flow_sightings.flow_id IS 'Flow, unique in the case: first 36 bits of the hash of the exhibit, then flow_no';
COMMENT ON COLUMN flow_sightings.capture_id IS 'Exhibit';
COMMENT ON COLUMN flow_sightings.flow_no IS 'Number of the flow in its exhibit, from 0, by first frame';
COMMENT ON COLUMN flow_sightings.transport IS 'tcp, udp, sctp, icmp, ...';
COMMENT ON COLUMN flow_sightings.client_ip IS 'Address of the client';
COMMENT ON COLUMN flow_sightings.client_port IS 'Port of the client; NULL where the transport has none';
COMMENT ON COLUMN flow_sightings.server_ip IS 'Address of the server';
COMMENT ON COLUMN flow_sightings.server_port IS 'Port of the server; NULL where the transport has none';
COMMENT ON COLUMN flow_sightings.client_by IS 'Why this side is called the client: SYN, ClientHello, port or first packet';
COMMENT ON COLUMN flow_sightings.first_frame IS 'First frame, from 1';
COMMENT ON COLUMN flow_sightings.last_frame IS 'Last frame';
COMMENT ON COLUMN flow_sightings.first_ts IS 'Earliest packet, UTC';
COMMENT ON COLUMN flow_sightings.last_ts IS 'Latest packet, UTC';
COMMENT ON COLUMN flow_sightings.packets_up IS 'Packets from client to server';
COMMENT ON COLUMN flow_sightings.packets_down IS 'Packets from server to client';
COMMENT ON COLUMN flow_sightings.bytes_up IS 'Bytes on the wire from client to server, headers included';
COMMENT ON COLUMN flow_sightings.bytes_down IS 'Bytes on the wire from server to client, headers included';
COMMENT ON COLUMN flow_sightings.payload_up IS 'Transport payload bytes from client to server';
COMMENT ON COLUMN flow_sightings.payload_down IS 'Transport payload bytes from server to client';
COMMENT ON COLUMN flow_sightings.syn_seen IS 'True when a TCP SYN was seen, so that the start of the flow is in the capture';
COMMENT ON COLUMN flow_sightings.fin_seen IS 'True when a TCP FIN was seen';
COMMENT ON COLUMN flow_sightings.rst_seen IS 'True when a TCP RST was seen';
COMMENT ON COLUMN flow_sightings.rtt_us IS 'Round-trip time of the TCP handshake in microseconds; NULL when not seen';
COMMENT ON COLUMN flow_sightings.retransmits IS 'TCP segments that repeat bytes sent before';
COMMENT ON COLUMN flow_sightings.missing_bytes IS 'TCP bytes that were sent but are not in the capture';
COMMENT ON COLUMN flow_sightings.vlan IS 'VLAN identifier of the outermost tag; NULL when untagged';
COMMENT ON COLUMN flow_sightings.tunnel IS 'Tunnel the flow was found in; NULL when none';
COMMENT ON COLUMN flow_sightings.community_id IS 'Community ID v1 of the five-tuple, as other tools print it';
COMMENT ON COLUMN flow_sightings.service IS 'As in flows; where this exhibit does not tell it, as another exhibit shows it';
COMMENT ON COLUMN flow_sightings.app IS 'Application: the surest label that any exhibit''s record of the conversation has';
COMMENT ON COLUMN flow_sightings.app_confidence IS 'Confidence of that label, integer percent';
COMMENT ON COLUMN flow_sightings.counted IS 'False: another exhibit recorded the same conversation with more packets, and that one counts';
COMMENT ON COLUMN flow_sightings.conversation_id IS 'flow_id of the record that counts: this one, or that of another exhibit';
COMMENT ON COLUMN flow_sightings.exhibits IS 'Exhibits that recorded this flow, this one included';
COMMENT ON COLUMN flow_sightings.connection_id IS 'flow_id of the first part, where the flow is a part of a connection over several files of a series; else its own';
COMMENT ON COLUMN flow_sightings.continues IS 'True: the flow continues one of an earlier file of its series, and is no connection of its own';

CREATE OR REPLACE VIEW custody_log AS
SELECT seq, make_timestamp_ns(ts) AS ts, actor, verb, arguments, tool_version, prev_sha256, sha256, phase, act,
       subjects, reason, examiner, role, organisation, "result", clock_back_ns, torn, signed_by
FROM evidence.custody_log;
COMMENT ON VIEW custody_log IS 'One line of the custody log (log/custody.jsonl); each holds the hash of the one before';
COMMENT ON COLUMN custody_log.seq IS 'Number of the line, from 1 without gaps';
COMMENT ON COLUMN custody_log.ts IS 'When, by the clock of the machine, UTC';
COMMENT ON COLUMN custody_log.actor IS 'Login name of who acted';
COMMENT ON COLUMN custody_log.verb IS 'init, ingest, exhibit, analyze, query, sql, report, verify, ...';
COMMENT ON COLUMN custody_log.arguments IS 'What was done, canonical JSON; no secrets, and personal data by reference only';
COMMENT ON COLUMN custody_log.tool_version IS 'wirecover version that acted';
COMMENT ON COLUMN custody_log.prev_sha256 IS 'sha256 of the line before; 64 zeros in the first';
COMMENT ON COLUMN custody_log.sha256 IS 'SHA-256 over the canonical JSON of all other fields of the line';
COMMENT ON COLUMN custody_log.phase IS 'begun, then done, failed, refused, stopped or abandoned; noted, withdrawn or recovered: part of an act';
COMMENT ON COLUMN custody_log.act IS 'Number of the line that began the act';
COMMENT ON COLUMN custody_log.subjects IS 'What the act concerns, by reference: exhibit:<sha256>, pattern:<name>, query:<name>, ...';
COMMENT ON COLUMN custody_log.reason IS 'Why, as the examiner gave it';
COMMENT ON COLUMN custody_log.examiner IS 'Name in the profile of the examiner who acted; NULL without a profile';
COMMENT ON COLUMN custody_log.role IS 'Role in that profile';
COMMENT ON COLUMN custody_log.organisation IS 'Organisation in that profile';
COMMENT ON COLUMN custody_log."result" IS 'SHA-256 of what came out, where something did';
COMMENT ON COLUMN custody_log.clock_back_ns IS 'Nanoseconds by which the clock stood before an earlier act; 0 when it did not';
COMMENT ON COLUMN custody_log.torn IS 'Bytes and SHA-256 of unfinished lines that a crash left before this one, JSON';
COMMENT ON COLUMN custody_log.signed_by IS 'Keys (SHA-256 of the public key) of the examiners who signed; empty when nobody did';

-- section 2: what the case itself keeps ------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS exhibits (
    sha256 VARCHAR PRIMARY KEY, capture_id BIGINT NOT NULL UNIQUE, flow_base BIGINT NOT NULL UNIQUE,
    name VARCHAR NOT NULL, bytes BIGINT NOT NULL, complete BOOLEAN NOT NULL, damage VARCHAR[] NOT NULL,
    manifest_sha256 VARCHAR NOT NULL, ingested_at TIMESTAMP_NS NOT NULL);
COMMENT ON TABLE exhibits IS 'The catalogue: which exhibits are in the case. Evidence that is not listed here is not shown';
COMMENT ON COLUMN exhibits.sha256 IS 'SHA-256 of the capture; also the name of its folder under evidence/';
COMMENT ON COLUMN exhibits.capture_id IS 'First 63 bits of it';
COMMENT ON COLUMN exhibits.flow_base IS 'flow_id of its flow number 0';
COMMENT ON COLUMN exhibits.name IS 'File name under which it was first ingested';
COMMENT ON COLUMN exhibits.bytes IS 'Size of the capture on disk, in bytes';
COMMENT ON COLUMN exhibits.complete IS 'False when damage stopped the reading before the end';
COMMENT ON COLUMN exhibits.damage IS 'What could not be read, one line each';
COMMENT ON COLUMN exhibits.manifest_sha256 IS 'SHA-256 of its manifest.json at the ingest';
COMMENT ON COLUMN exhibits.ingested_at IS 'When it entered the case, by the clock of the machine, UTC';

CREATE TABLE IF NOT EXISTS declared_series (
    series VARCHAR NOT NULL, capture_id BIGINT PRIMARY KEY);
COMMENT ON TABLE declared_series IS 'One exhibit that an analyst declared to be a part of a rotated series';
COMMENT ON COLUMN declared_series.series IS 'Name of the series';
COMMENT ON COLUMN declared_series.capture_id IS 'Exhibit; its place follows from its times';

CREATE TABLE IF NOT EXISTS authority (
    authority_id BIGINT PRIMARY KEY, country VARCHAR, instrument VARCHAR, reference VARCHAR,
    issuing_authority VARCHAR, issued_at TIMESTAMP_NS, valid_from TIMESTAMP_NS, valid_to TIMESTAMP_NS,
    document_sha256 VARCHAR, status VARCHAR, offences VARCHAR[], validating_authority VARCHAR, renewals VARCHAR[],
    retro_from TIMESTAMP_NS, retro_to TIMESTAMP_NS, selection VARCHAR, targets BIGINT, data_categories VARCHAR[],
    excluded_persons BIGINT, third_parties VARCHAR, conditions VARCHAR[], cross_border VARCHAR,
    confirm_by TIMESTAMP_NS, worked_until TIMESTAMP_NS, retention_rule VARCHAR, review_at TIMESTAMP_NS,
    destroy_by TIMESTAMP_NS, record_sha256 VARCHAR, scope_sha256 VARCHAR);
COMMENT ON TABLE authority IS 'The legal basis of the case, and each it had before; empty in a training case. See authority.toml';
COMMENT ON COLUMN authority.authority_id IS 'Number of the basis in this case, from 1; the last one holds';
COMMENT ON COLUMN authority.country IS 'Country, ISO 3166 two-letter code';
COMMENT ON COLUMN authority.instrument IS 'Legal instrument, for instance an article of a code of procedure';
COMMENT ON COLUMN authority.reference IS 'Reference number of the decision';
COMMENT ON COLUMN authority.issuing_authority IS 'Person and office that took the decision';
COMMENT ON COLUMN authority.issued_at IS 'When it was taken, UTC';
COMMENT ON COLUMN authority.valid_from IS 'Start of the period it covers, UTC';
COMMENT ON COLUMN authority.valid_to IS 'End of that period, renewals included, UTC';
COMMENT ON COLUMN authority.document_sha256 IS 'SHA-256 of the decision as it was handed over';
COMMENT ON COLUMN authority.status IS 'active when the record was entered; superseded by the next one';
COMMENT ON COLUMN authority.offences IS 'Offences under investigation';
COMMENT ON COLUMN authority.validating_authority IS 'Person and office that validated it, where that is needed';
COMMENT ON COLUMN authority.renewals IS 'References of the decisions that renew it';
COMMENT ON COLUMN authority.retro_from IS 'Start of the time before the decision that it reaches, UTC';
COMMENT ON COLUMN authority.retro_to IS 'End of that time, UTC';
COMMENT ON COLUMN authority.selection IS 'packets: only packets of targets are kept; recording: whole recordings made of targets only';
COMMENT ON COLUMN authority.targets IS 'How many identifiers of targets the record names';
COMMENT ON COLUMN authority.data_categories IS 'Categories of data that may be kept';
COMMENT ON COLUMN authority.excluded_persons IS 'How many identifiers of protected persons it excludes';
COMMENT ON COLUMN authority.third_parties IS 'What becomes of packets of third parties: drop or pseudonymise';
COMMENT ON COLUMN authority.conditions IS 'Conditions of use that another State has laid down';
COMMENT ON COLUMN authority.cross_border IS 'The other State and its answer';
COMMENT ON COLUMN authority.confirm_by IS 'Until when an urgent decision has to be confirmed; NULL when it is or need not be, UTC';
COMMENT ON COLUMN authority.worked_until IS 'Last moment of ingest and analysis: then the case can only be read, UTC';
COMMENT ON COLUMN authority.retention_rule IS 'Rule by which the case is kept';
COMMENT ON COLUMN authority.review_at IS 'When it has to be reviewed whether the case is still needed, UTC';
COMMENT ON COLUMN authority.destroy_by IS 'When the case has to be gone, UTC';
COMMENT ON COLUMN authority.record_sha256 IS 'SHA-256 of authority.toml';
COMMENT ON COLUMN authority.scope_sha256 IS 'Digest of the scope it comes to; the manifest of an exhibit says under which one it was read';
