"""Runs hook.py beside it, from its compiled form where that fits the interpreter, else from source.

`python3 hook.pyc` is a little faster, but fails every container start of the node as soon as the
interpreter is upgraded ("bad magic number"), until it is compiled anew. An import never does:
it takes `__pycache__` if that is of this interpreter and this source, and compiles the source if
not. The file is compiled at every start, so it stays as short as it is.
"""

import sys

sys.dont_write_bytecode = True  # what is installed is the installer's to change
sys.path.insert(0, __file__.rpartition("/")[0])
try:
    __import__("hook").main(sys.argv[1:])
except BaseException:  # a broken installation; the hook itself lets nothing through
    import os

    try:
        os.write(2, b"nsledger-hook: no record: hook.py does not load\n")
    finally:
        os._exit("--failure-policy fail" in " ".join(sys.argv))
