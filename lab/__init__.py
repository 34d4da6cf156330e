"""The lab: real servers and clients in network namespaces, recorded with known truth."""
