"""Evidence in: bytes -> frames -> packets -> flows -> handshakes -> rows.

This floor knows neither DuckDB nor the law. It is given a capture, a folder and a scope (what may be kept), and
writes Arrow tables as Parquet (`tables.py` names every column). `decode.py` drives the rest.
"""
