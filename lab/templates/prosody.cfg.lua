pidfile = "$folder/prosody.pid"
data_path = "$folder/data"
certificates = "$folder"
log = { info = "$folder/prosody.log" }
interfaces = { "*", "::" }
authentication = "internal_hashed"
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "offline", "smacks" }
modules_disabled = { "s2s" }
c2s_require_encryption = true
c2s_direct_tls_ports = { 5223 }
c2s_direct_tls_ssl = { certificate = "$folder/$domain.crt", key = "$folder/$domain.key" }

VirtualHost "$domain"
    ssl = { certificate = "$folder/$domain.crt", key = "$folder/$domain.key" }
