# SPDX-License-Identifier: BSD-2-Clause
"""A certificate authority for loopback."""

import datetime
import ipaddress
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

# 127.0.0.2 is missing on purpose: it is the address that no certificate names.
NAMES = ("DNS:localhost,DNS:shop.test,DNS:*.shop.test,IP:127.0.0.1,IP:::1,"
         "IP:10.0.0.1,IP:169.254.169.254,IP:::ffff:127.0.0.1,"
         "IP:93.184.216.34,IP:2606:2800:220:1::1,"
         "DNS:bot.test,DNS:www.bot.test,DNS:other.test,DNS:slow.test,"
         "DNS:*.agents.test,DNS:agents.test,DNS:*.deep.agents.test")


class Authority:
    """Files: ca (certificate), cert and key (of a server for NAMES)."""

    def __init__(self, folder, subject="test CA"):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.folder = folder
        self.ca = folder / "ca.crt"
        self.cert = folder / "server.crt"
        self.key = folder / "server.key"
        ca_key = folder / "ca.key"
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
        run([*new, "-subj", "/CN=" + subject, "-keyout", ca_key,
             "-out", self.ca])
        csr = folder / "server.csr"
        run(["openssl", "req", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
             "-keyout", self.key, "-out", csr])
        extensions = folder / "server.ext"
        extensions.write_text("subjectAltName=%s\n" % NAMES)
        run(["openssl", "x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey",
             ca_key, "-CAcreateserial", "-days", "30", "-extfile", extensions,
             "-out", self.cert])
        self.key.chmod(0o644)   # nginx's master reads it, whoever that is

    def issue(self, *names, days=30):
        """Files (cert, key) of a server for other names, or one that expired
        (days below zero), by this authority."""
        ca = x509.load_pem_x509_certificate(self.ca.read_bytes())
        ca_key = serialization.load_pem_private_key(
            (self.folder / "ca.key").read_bytes(), None)
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        serial = x509.random_serial_number()
        cert = (x509.CertificateBuilder()
                .subject_name(x509.Name([x509.NameAttribute(
                    x509.NameOID.COMMON_NAME, names[0])]))
                .issuer_name(ca.subject)
                .public_key(key.public_key())
                .serial_number(serial)
                .not_valid_before(now - datetime.timedelta(days=10))
                .not_valid_after(now + datetime.timedelta(days=days))
                .add_extension(x509.SubjectAlternativeName(
                    [general(n) for n in names]), False)
                .sign(ca_key, hashes.SHA256()))
        files = [self.folder / ("%x.%s" % (serial, end))
                 for end in ("crt", "key")]
        files[0].write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption()))
        return tuple(files)


def general(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def run(args):
    subprocess.run([str(a) for a in args], check=True, capture_output=True)
