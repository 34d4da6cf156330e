"""A time-stamp authority made of openssl, for tests."""

import subprocess
from pathlib import Path

from cryptography import x509

CONFIG = """
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[tsa]
basicConstraints = critical, CA:false
extendedKeyUsage = {usage}
[tsa_config]
serial = serial
crypto_device = builtin
signer_cert = {kind}.crt
signer_key = {kind}.key
signer_digest = sha256
certs = ca.crt
default_policy = 1.2.3.4
digests = sha256, sha512
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class Authority:
    """A time-stamp authority made of openssl, in a folder."""

    def __init__(self, home: Path, kind: str = "rsa", usage: str = "critical, timeStamping") -> None:
        self.home = home
        home.mkdir()
        (home / "tsa.cnf").write_text(CONFIG.format(kind=kind, usage=usage), encoding="utf-8")
        (home / "serial").write_text("01\n", encoding="utf-8")
        self.run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days",
                 "3650", "-subj", "/CN=Root", "-config", "tsa.cnf", "-extensions", "ca")  # fmt: skip
        how = ["rsa:2048"] if kind == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        self.run("req", "-newkey", *how, "-nodes", "-keyout", f"{kind}.key", "-out", "tsa.csr", "-subj", "/CN=Stamper",
                 "-config", "tsa.cnf")  # fmt: skip
        self.run("x509", "-req", "-in", "tsa.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                 f"{kind}.crt", "-days", "365", "-extfile", "tsa.cnf", "-extensions", "tsa")  # fmt: skip
        self.root = x509.load_pem_x509_certificate((home / "ca.crt").read_bytes())
        self.signer = x509.load_pem_x509_certificate((home / f"{kind}.crt").read_bytes())

    def run(self, *words: str) -> bytes:
        done = subprocess.run(["openssl", *words], cwd=self.home, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def stamp(self, asked: bytes, *more: str) -> bytes:
        (self.home / "q.tsq").write_bytes(asked)
        self.run("ts", "-reply", "-config", "tsa.cnf", "-section", "tsa_config", "-queryfile", "q.tsq", "-out", "r.tsr",
                 *more)  # fmt: skip
        return (self.home / "r.tsr").read_bytes()
