"""Small real servers on loopback: one that says fixed bytes, one that speaks TLS, a proxy with CONNECT."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self


class Listener:
    """Accepts connections on 127.0.0.1 and hands each to ``talk`` in a thread; ``received`` is what came.

    ``talk(connection, first)`` gets the first bytes that were read.
    """

    def __init__(self, talk: Callable[[socket.socket, bytes], None]) -> None:
        self.received: list[bytes] = []
        self._talk = talk
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        for each in (self._socket, *self._open):
            _close(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection = self._socket.accept()[0]
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            connection = self.wrap(connection)
            self._open.append(connection)
            first = connection.recv(65536)
            self.received.append(first)
            self._talk(connection, first)
        _close(connection)

    def wrap(self, connection: socket.socket) -> socket.socket:
        return connection


class Saying(Listener):
    """Answers whatever comes with the same bytes, and closes."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(lambda connection, first: connection.sendall(answer))


class TlsFront(Listener):
    """Ends TLS with the certificate in ``pem`` (key and certificate) and relays to ``port``."""

    def __init__(self, port: int, pem: Path) -> None:
        super().__init__(lambda connection, first: _relay(connection, port, first))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)

    def wrap(self, connection: socket.socket) -> socket.socket:
        return self._context.wrap_socket(connection, server_side=True)


class Proxy(Listener):
    """A proxy that opens a tunnel to ``port`` on loopback, whichever host is asked for."""

    def __init__(self, port: int) -> None:
        def talk(connection: socket.socket, first: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _relay(connection, port, b"")

        super().__init__(talk)


def self_signed(folder: Path, *names: str) -> Path:
    """A file with a new private key and a certificate for ``names`` that no authority signed."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return pem


def _general_name(name: str):
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _relay(connection: socket.socket, port: int, first: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as other:
        other.sendall(first)
        back = threading.Thread(target=_copy, args=(other, connection), daemon=True)
        back.start()
        _copy(connection, other)
        back.join(5)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
