"""What a container was asked for, as containerd repeats it: `config` in the JSON of its status.

It is the runtime's word, for containers whose CreateContainer nobody saw. CRI's message stands
there as Go encodes it: enums by number, and what is zero left out. Only the namespace options are
read. A shape that is not known is no answer; the rest of the status counts without it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from nsledger.cri.messages import namespace_mode
from nsledger.domain.namespaces import IdMapping, RequestedNamespaces, UserNamespaceRequest


class _Mapping(msgspec.Struct, frozen=True):
    host_id: int = 0
    container_id: int = 0
    length: int = 0


class _UserNamespace(msgspec.Struct, frozen=True):
    mode: int = 0
    uids: tuple[_Mapping, ...] = ()
    gids: tuple[_Mapping, ...] = ()


class _NamespaceOption(msgspec.Struct, frozen=True):
    network: int = 0
    pid: int = 0
    ipc: int = 0
    target_id: str = ""
    userns_options: _UserNamespace | None = None


class _SecurityContext(msgspec.Struct, frozen=True):
    namespace_options: _NamespaceOption | None = None


class _Linux(msgspec.Struct, frozen=True):
    security_context: _SecurityContext | None = None


class _Config(msgspec.Struct, frozen=True):
    linux: _Linux | None = None


class _Info(msgspec.Struct, frozen=True):
    config: _Config | None = None


_decode: Final = msgspec.json.Decoder(_Info).decode


def requested_in(info: str) -> RequestedNamespaces | None:
    """What the container of a verbose status asked for; None if its JSON does not tell."""
    try:
        config = _decode(info).config
    except msgspec.DecodeError:
        return None
    linux = config.linux if config else None
    context = linux.security_context if linux else None
    options = context.namespace_options if context else None
    if options is None:
        return None
    return RequestedNamespaces(
        net=namespace_mode(options.network),
        pid=namespace_mode(options.pid),
        ipc=namespace_mode(options.ipc),
        target_id=options.target_id or None,
        user=_user(options.userns_options),
    )


def _user(asked: _UserNamespace | None) -> UserNamespaceRequest | None:
    if asked is None:
        return None
    return UserNamespaceRequest(
        mode=namespace_mode(asked.mode), uids=_mappings(asked.uids), gids=_mappings(asked.gids)
    )


def _mappings(lines: tuple[_Mapping, ...]) -> tuple[IdMapping, ...]:
    return tuple(
        IdMapping(container_id=line.container_id, host_id=line.host_id, length=line.length)
        for line in lines
    )
