"""A hook of ten lines, to test the private node without nsledger's own: it keeps what it sees.

Run by the node's own `/usr/bin/python3 -I -S`; the argument is the directory to write to.
"""

from __future__ import annotations

import json
import os
import sys

state = json.load(sys.stdin)
directory = f"/proc/{state['pid']}/ns"
seen = {type_: os.readlink(f"{directory}/{type_}") for type_ in os.listdir(directory)}
with open(f"{sys.argv[1]}/{state['id']}.json", "x", encoding="utf-8") as file:
    json.dump({"state": state, "namespaces": seen}, file)
