"""The TLS context of a connection, made anew for each one so that renewed files are used."""

from __future__ import annotations

import ssl

from chunter_nsq.bus.settings import Tls


def client_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or newer; the certificate's chain and its host name are checked. There is no way to switch that off.

    Raises:
        OSError: a file cannot be read (``ssl.SSLError``, its subclass: is no PEM, or the key does not match).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(cafile=tls.ca)
    if tls.cert is not None:
        context.load_cert_chain(tls.cert, tls.key)
    return context
