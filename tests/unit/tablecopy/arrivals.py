"""Servers on this machine that note which way a request came: plain, TLS, and an HTTP proxy."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Names of AWS that the TLS server answers to, behind the proxy.
NAMES = (
    "localhost",
    "proxy.test",
    "*.us-east-1.amazonaws.com",
    "*.ddb.us-east-1.amazonaws.com",
    "*.us-east-1.api.aws",
    "*.ddb.us-east-1.api.aws",
)
_ADDRESSES = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Arrival:
    """How a request came.

    Attributes
    ----------
    server
        Name of the server that answered.
    path, host
        As in its request line and header.
    sni
        Host name of the TLS handshake.
    via
        What the proxy was asked for, with the credentials for it.
    certificate
        Name in the client's certificate.
    identity
        Access key and scope of the signature.
    user_agent
        Who sent it, without what a client may say about a single call.
    """

    server: str
    path: str
    host: str
    sni: str | None
    via: str | None
    certificate: str | None
    identity: str
    user_agent: str


class Authority:
    """A CA of its own, and certificates signed by it."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.bundle = str(directory / f"{name}.pem")
        own = self._builder(self._name, self._key, ca=True).sign(self._key, hashes.SHA256())
        Path(self.bundle).write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def certificate(self, name: str) -> tuple[str, str]:
        """Paths of a certificate and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [x509.DNSName(each) for each in NAMES]
        addresses = [x509.IPAddress(ipaddress.ip_address(each)) for each in _ADDRESSES]
        signed = (
            self._builder(subject, key, ca=False)
            .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        paths = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        paths[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return str(paths[0]), str(paths[1])

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )


class Server(ThreadingHTTPServer):
    """Answers each call with an empty document and notes how it came.

    With ``backend`` it is a proxy: it answers absolute URLs itself, and connects to ``backend`` for any host.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        name: str,
        noted: list[Arrival],
        *,
        address: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        backend: Server | None = None,
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, 0), _Handler)
        self.name = name
        self.noted = noted
        self.backend = backend
        self.tls = tls
        self.sni: str | None = None
        self.via: str | None = None
        host = f"[{address}]" if ":" in address else address
        self.url = f"{'https' if tls else 'http'}://{host}:{self.server_port}"
        if tls:
            tls.sni_callback = self._note_sni
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def _note_sni(self, connection: object, name: str | None, context: object) -> None:
        self.sni = name

    def handle_error(self, request: object, client_address: object) -> None:
        """A refused handshake is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_CONNECT(self) -> None:
        backend = self.server.backend
        assert backend is not None
        self.server.via = backend.via = f"CONNECT {self.path} {self.headers.get('Proxy-Authorization')}"
        with socket.create_connection(("127.0.0.1", backend.server_port)) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_pass_on, args=(there, self.connection))
            back.start()
            _pass_on(self.connection, there)
            back.join()
        self.close_connection = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        via = self.server.via
        if self.server.backend is not None:
            via = f"POST {self.path} {self.headers.get('Proxy-Authorization')}"
        certificate = None
        if isinstance(self.connection, ssl.SSLSocket):
            subject = (self.connection.getpeercert() or {}).get("subject", ())
            certificate = str(subject) if subject else None
        scope = re.search(r"Credential=([^/]+)/\d+/(\S+),", self.headers["Authorization"])
        assert scope is not None
        self.server.noted.append(
            Arrival(
                server=self.server.name,
                path=self.path,
                host=self.headers["Host"],
                sni=self.server.sni,
                via=via,
                certificate=certificate,
                identity=f"{scope[1]} {scope[2]} {self.headers.get('X-Amz-Security-Token')}",
                # botocore lists the features that a call has used under m/.
                user_agent=re.sub(r" m/\S+", "", self.headers["User-Agent"]),
            )
        )
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""


def _pass_on(here: socket.socket, there: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := here.recv(65536):
            there.sendall(data)
    with contextlib.suppress(OSError):
        there.shutdown(socket.SHUT_WR)


class World:
    """All servers, and the certificates for them."""

    def __init__(self, directory: Path) -> None:
        self.noted: list[Arrival] = []
        self.authority = Authority(directory, "ca")
        self.stranger = Authority(directory, "stranger")
        self.client_cert = self.authority.certificate("client")
        own = self.authority.certificate("server")

        def context(*, asks: bool = False) -> ssl.SSLContext:
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            made.load_cert_chain(*own)
            if asks:
                made.load_verify_locations(self.authority.bundle)
                made.verify_mode = ssl.CERT_REQUIRED
            return made

        self.plain = Server("plain", self.noted)
        self.tls = Server("tls", self.noted, tls=context())
        self.asking = Server("asking", self.noted, tls=context(asks=True))
        self.aws = Server("aws", self.noted, tls=context())
        self.proxy = Server("proxy", self.noted, backend=self.aws)
        self.tls_proxy = Server("tls proxy", self.noted, tls=context(), backend=self.aws)
        self.ipv6 = _ipv6(self.noted)
        self._servers = [self.plain, self.tls, self.asking, self.aws, self.proxy, self.tls_proxy]
        if self.ipv6:
            self._servers.append(self.ipv6)

    def arrivals(self, *calls: Callable[[], object]) -> list[Arrival]:
        """How each of the calls came."""
        self.noted.clear()
        for call in calls:
            call()
        # A port says nothing about the way.
        return [replace(each) for each in self.noted]

    @contextlib.contextmanager
    def running(self) -> Iterator[World]:
        """Serve until the end of the block."""
        threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            for server in self._servers
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            for server in self._servers:
                server.shutdown()
                server.server_close()
            for thread in threads:
                thread.join()


def _ipv6(noted: list[Arrival]) -> Server | None:
    try:
        return Server("ipv6", noted, address="::1")
    except OSError:
        return None
