"""What the index has of one pod and of one process, while its records still come in."""

from __future__ import annotations

from nsledger.index.schema import CONTAINER, SANDBOX
from nsledger.index.skim import Container, Pod, Reading

Place = tuple[int, int, int | None]
"""Type, inode and namespace id, as the index stores them."""


class ProcessRow:
    """A sandbox or a container, for as long as its records follow one another.

    What comes after its end, or after it was let go, makes another row with the same id: a reader
    puts them together, so that the writer need not look anything up.
    """

    __slots__ = (
        "attempt",
        "container_id",
        "dirty",
        "entries",
        "first_seq",
        "known",
        "last_seq",
        "name",
        "names",
        "news",
        "of_host",
        "pid",
        "places",
        "pod",
        "reach_ns",
        "reading",
        "row",
        "shared",
        "since_ns",
        "stored_names",
        "stored_places",
        "until_ns",
    )

    def __init__(self, pod: PodRow, container: Container | None, seq: int) -> None:
        self.row = 0
        """Its id in the index; 0 before it has one."""
        self.pod = pod
        self.container_id = "" if container is None else container.container_id
        self.name = "" if container is None else container.name
        self.attempt = 0 if container is None else container.attempt
        self.pid = 0
        self.since_ns = 0
        """0 until a reading is in."""
        self.until_ns: int | None = None
        self.reach_ns: int | None = None
        self.first_seq = seq
        self.last_seq: int | None = None
        self.shared = 0
        self.of_host = 0
        self.entries: list[int] = []
        """Pointers, flat."""
        self.places: dict[Place, None] = {}
        self.stored_places = 0
        """How many of them, from the first on, have their rows."""
        self.names: dict[str, None] = {}
        self.stored_names = 0
        self.news: set[str] = set()
        """The types of which a new namespace was assigned to it."""
        self.reading: Reading | None = None
        """The last one: most are the same as the one before."""
        self.known = False
        """Whether more than its end is on record: only then does the fold take that as its end."""
        self.dirty = False

    @property
    def kind(self) -> int:
        """Of `schema`."""
        return CONTAINER if self.container_id else SANDBOX

    def end(self, seq: int, time_ns: int, clock_ns: int) -> None:
        """Its process is gone by the record `seq`; the first such note counts."""
        if self.last_seq is None:
            self.last_seq, self.until_ns, self.reach_ns = seq, time_ns, clock_ns


class PodRow:
    """A pod sandbox and those of its processes that still get records."""

    __slots__ = ("containers", "ended", "ref", "row", "sandbox", "stored")

    def __init__(self, ref: Pod) -> None:
        self.ref = ref
        self.row = 0
        self.stored = Pod()
        """What its row tells."""
        self.sandbox: ProcessRow | None = None
        self.containers: dict[str, ProcessRow] = {}
        self.ended = False
