"""The certificates of one capture: each distinct one is parsed once and written once."""

from typing import Final

from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.flows.ledger import Ledger
from wirecover.capture.protocols.tls import parse_certificate_message
from wirecover.capture.protocols.x509 import Certificate, parse_certificate

CERTIFICATES_CACHED: Final = 4096
CHAINS_CACHED: Final = 1024


class CertificateBook:
    """DER -> certificate, with the row that says where it was seen first."""

    def __init__(self, evidence: EvidenceWriter, ledger: Ledger) -> None:
        self._evidence = evidence
        self._ledger = ledger
        self._parsed: dict[bytes, Certificate] = {}
        self._chains: dict[bytes, tuple[Certificate, ...]] = {}
        self._written: set[str] = set()

    def chain(self, body: bytes, flow_no: int, frame: int) -> tuple[Certificate, ...]:
        """The certificates of a Certificate message up to TLS 1.2. Raises Malformed."""
        chain = self._chains.get(body)
        if chain is None:
            chain = self.take(parse_certificate_message(body), flow_no, frame)
            if len(self._chains) >= CHAINS_CACHED:
                self._chains.clear()
            self._chains[body] = chain
        return chain

    def take(self, ders: tuple[bytes, ...], flow_no: int, frame: int) -> tuple[Certificate, ...]:
        """Certificates that travelled some other way."""
        chain = tuple([self._certificate(der) for der in ders])
        for certificate in chain:
            self._write(certificate, flow_no, frame)
        return chain

    def _certificate(self, der: bytes) -> Certificate:
        found = self._parsed.get(der)
        if found is None:
            if len(self._parsed) >= CERTIFICATES_CACHED:
                self._parsed.clear()
            found = self._parsed[der] = parse_certificate(der)
        return found

    def _write(self, one: Certificate, flow_no: int, frame: int) -> None:
        if one.sha256 in self._written:
            return
        self._written.add(one.sha256)
        for problem in one.problems:
            self._ledger.note("odd-certificate", problem, frame)
        self._evidence.add(
            "certificates",
            (one.sha256, one.sha1, one.subject, one.issuer, one.serial, one.not_before, one.not_after, one.san,
             one.public_key_type, one.public_key_bits, one.self_signed, flow_no, frame),
        )  # fmt: skip
