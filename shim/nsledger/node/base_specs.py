"""Our base runtime specs: which file each handler gets, made from which of the node's.

One for the runtime's own default and one for each base spec that an admin set: theirs stays where
and as it is.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from typing import Final

from nsledger.node import base_runtime_spec
from nsledger.node.base_runtime_spec import OciHook

OUR_SPECS: Final = "/etc/nsledger/base-runtime-spec*.json"
DEFAULT_SPEC: Final = "/etc/nsledger/base-runtime-spec.json"
_DIGEST_CHARS: Final = 8


def path_for(source: str) -> str:
    """Where our spec goes that is made from `source`; the empty one is the runtime's default."""
    if not source:
        return DEFAULT_SPEC
    stem = posixpath.splitext(posixpath.basename(source))[0]
    # Two directories may hold files of one name.
    digest = hashlib.sha256(source.encode()).hexdigest()[:_DIGEST_CHARS]
    return DEFAULT_SPEC.replace(".json", f".{stem}.{digest}.json")


def contents(specs: Mapping[str, bytes], hook: OciHook) -> dict[str, bytes]:
    """Our specs, by path, from those that the handlers have without us.

    Raises:
        IncompleteSpecError: one of them is not a whole spec.
    """
    return {
        path_for(source): (
            base_runtime_spec.from_existing(spec, hook)
            if source
            else base_runtime_spec.from_default(spec, hook)
        )
        for source, spec in specs.items()
    }
