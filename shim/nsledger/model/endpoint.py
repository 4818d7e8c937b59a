"""A runtime endpoint as people write it, and the Unix socket that it names: pure.

    socket_path("unix:///run/containerd/containerd.sock")  # "/run/containerd/containerd.sock"

Flags, environment, nsledger.toml and the kubelet's own values all go through here.

Source: Kubernetes `pkg/kubelet/util` `parseEndpointWithFallbackProtocol`; unix(7).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from nsledger.errors import WrongUsageError

_SCHEME: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>.*)\Z", re.DOTALL)
_HOST_AND_PORT: Final = re.compile(r"(\[[0-9A-Fa-f:.]*\]|[^/:\s]*):\d+\Z")
_LONGEST_BYTES: Final = 107
"""`sun_path` without its closing zero."""


class EndpointError(WrongUsageError):
    """What was given names no Unix socket."""

    def __init__(self, text: str, *, found: str) -> None:
        super().__init__(
            f"endpoint {text!r}: found {found}, needed a Unix socket",
            hint="Write it as unix:///run/containerd/containerd.sock or as the path alone.",
        )
        self.text = text


def socket_path(text: str) -> str:
    """The path of the Unix socket that `text` names: `unix:///path`, `unix:/path` or a path.

    Blanks around it are left out, as the kubelet's flags and YAML have them.

    Raises:
        EndpointError: it names something else; the message says what.
    """
    said = text.strip()
    if not said:
        raise EndpointError(text, found="nothing")
    if "\0" in said or said.startswith("@"):
        raise EndpointError(text, found="an abstract socket")
    scheme = _SCHEME.match(said)
    if _HOST_AND_PORT.match(said):
        raise EndpointError(text, found="a host and a port")
    path = said
    if scheme and "/" not in scheme["scheme"]:
        if scheme["scheme"].lower() != "unix":
            raise EndpointError(text, found=f"the scheme {scheme['scheme']}")
        path = _path_of_url(text, scheme["rest"])
    if path.endswith("/"):
        raise EndpointError(text, found="a directory")
    if len(path.encode(errors="surrogateescape")) > _LONGEST_BYTES:
        raise EndpointError(text, found=f"more than {_LONGEST_BYTES} bytes of path")
    return path


def is_same_socket(one: str | None, other: str | None) -> bool:
    """Whether both name the same path; False if either names none."""
    if one is None or other is None:
        return False
    try:
        return socket_path(one) == socket_path(other)
    except EndpointError:
        return False


def _path_of_url(text: str, rest: str) -> str:
    """The path behind `unix:`."""
    if not rest.startswith("//"):
        if not rest.startswith("/"):
            raise EndpointError(text, found="no absolute path behind unix:")
        return unquote(rest)
    host, slash, path = rest[2:].partition("/")
    if host:
        raise EndpointError(text, found=f"{host!r} as a host: two slashes where three belong")
    if not slash or not path:
        raise EndpointError(text, found="no path")
    return unquote(f"/{path}")
