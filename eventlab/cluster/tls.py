"""TLS as the clients of kafka-python make it, with files that are looked at beforehand."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventlab.errors import InvalidSetting, shown

FILES = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
WORDS = (*FILES, "ssl_password", "ssl_check_hostname")


def context(security: Mapping[str, Any]) -> ssl.SSLContext:
    """Return the TLS of a client; InvalidSetting names the file that cannot be used."""
    for name in FILES:
        _check_readable(name, security.get(name))
    if "ssl_keyfile" in security and "ssl_certfile" not in security:
        raise InvalidSetting(
            "A key needs its certificate.",
            "You gave ssl_keyfile without ssl_certfile.",
            "Give ssl_certfile, the certificate that the key belongs to.",
        )
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = security.get("ssl_check_hostname", True)
    _load(made, security)
    return made


def trusting() -> ssl.SSLContext:
    """Return TLS that believes everybody, to see whether it is spoken at all."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def _load(made: ssl.SSLContext, security: Mapping[str, Any]) -> None:
    name = "ssl_cafile"
    try:
        if name in security:
            made.load_verify_locations(security[name])
        else:
            made.load_default_certs()
        if "ssl_certfile" in security:
            name = "ssl_keyfile" if "ssl_keyfile" in security else "ssl_certfile"
            # Without a password OpenSSL would ask for it, in the terminal of JupyterLab.
            password = security.get("ssl_password", lambda: "")
            made.load_cert_chain(security["ssl_certfile"], security.get("ssl_keyfile"), password)
    except (ssl.SSLError, ValueError) as error:
        raise InvalidSetting(
            f"{name} cannot be used.",
            f"{security[name]} is no PEM file that fits ({_reason(error)}).",
            "Give PEM files that belong together, and ssl_password when the key is encrypted.",
        ) from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or "OpenSSL cannot read it").lower().replace("_", " ")


def _check_readable(name: str, file: str | None) -> None:
    try:
        if file is not None:
            Path(file).open("rb").close()
    except OSError as error:
        raise InvalidSetting(
            f"{name} cannot be read.",
            f"{shown(file)}: {error.strerror}.",
            "Give the path of a PEM file that you may read.",
        ) from None
