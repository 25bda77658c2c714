"""Over https a server must be who it says: by a certificate of its name, from somebody trusted."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from safetensors.numpy import save

from dokja.errors import RemoteError
from dokja.models.weights import Access, open_source

pytestmark = pytest.mark.loopback


@pytest.fixture
def certified(tmp_path, server):
    """Give the server a certificate for these names; return the file to trust."""

    def certified(*names):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server of the tests")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        path = tmp_path / "server.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.files["/m.safetensors"] = save({"w": np.ones((200, 300), dtype=np.float32)})
        return path

    return certified


def test_server_with_a_trusted_certificate_is_read(server, certified):
    trusted = certified(x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")))
    access = Access(allow_private=True, authorities=trusted)

    source = open_source(f"https://127.0.0.1:{server.server_port}/m.safetensors", access=access)

    assert source.read("w").sum() == 60_000


@pytest.mark.parametrize("trusting", [True, False])
def test_certificate_of_another_name_or_of_nobody_is_refused(server, certified, trusting):
    name = x509.DNSName("elsewhere.example") if trusting else x509.DNSName("localhost")
    path = certified(name)
    access = Access(allow_private=True, authorities=path if trusting else None)

    with pytest.raises(RemoteError, match="a certificate that does not hold") as caught:
        open_source(f"https://127.0.0.1:{server.server_port}/m.safetensors", access=access)

    assert caught.value.wait_s is None
    assert server.log == []
