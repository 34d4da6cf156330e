"""One TOML file a legal instrument: what is known of its limits, from which source, and what is not verified."""
