"""Numbers and their names, each table under the URL of its source."""
