# SPDX-License-Identifier: BSD-2-Clause
"""A certificate authority for loopback, made by the openssl command."""

import subprocess

NAMES = "DNS:localhost,DNS:shop.test,DNS:*.shop.test,IP:127.0.0.1"


class Authority:
    """Files: ca (certificate), cert and key (of a server for NAMES)."""

    def __init__(self, folder, subject="test CA"):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.ca = folder / "ca.crt"
        self.cert = folder / "server.crt"
        self.key = folder / "server.key"
        ca_key = folder / "ca.key"
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        run([*new, "-subj", "/CN=" + subject, "-keyout", ca_key,
             "-out", self.ca])
        csr = folder / "server.csr"
        run(["openssl", "req", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
             "-keyout", self.key, "-out", csr])
        extensions = folder / "server.ext"
        extensions.write_text("subjectAltName=%s\n" % NAMES)
        run(["openssl", "x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey",
             ca_key, "-CAcreateserial", "-days", "2", "-extfile", extensions,
             "-out", self.cert])
        self.key.chmod(0o644)   # nginx's master reads it, whoever that is


def run(args):
    subprocess.run([str(a) for a in args], check=True, capture_output=True)
