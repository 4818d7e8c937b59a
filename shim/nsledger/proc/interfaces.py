"""Network interfaces of this node's own network namespace, as sysfs tells of them.

Source: https://docs.kernel.org/networking/bridge.html, Documentation/ABI/testing/sysfs-class-net;
IFNAMSIZ of linux/if.h.
"""

from __future__ import annotations

import os
from typing import Final

_LONGEST: Final = 15
"""IFNAMSIZ, less the NUL."""


def is_name(text: str) -> bool:
    """Whether the kernel would let an interface have this name (`dev_valid_name`)."""
    return (
        0 < len(os.fsencode(text)) <= _LONGEST
        and text not in {".", ".."}
        and not any(one in "/:\0" or one.isspace() for one in text)
    )


def is_bridge(name: str) -> bool:
    """Whether the interface is a bridge of the node, to which many pods are connected."""
    return os.path.isdir(f"/sys/class/net/{name}/bridge")
