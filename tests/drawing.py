"""Pictures and reports of synthetic nodes, and names that nobody should be hurt by."""

from __future__ import annotations

from nsledger.model.namespaces import RequestedNamespaces
from nsledger.query.history import History
from nsledger.query.sharing_graph import SharingGraph, picture
from nsledger.render.page import Report
from nsledger.state.matrix import pod_matrix
from tests.synthetic_node import NODE, POD, SyntheticNode, example_node

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    '"><img src=x onerror=alert(3)>',
    "' onmouseover='alert(4)",
    "javascript:alert(5)",
    "\u202eevil\u2066\u200b\u2028\x00\x1b[2J",
    "&lt;b&gt; &#60;",
    "@DATA@ @SCRIPT@ ${alert(6)} {{7*7}}",
    '"]:::host --> x;\nend %% click a "javascript:alert(7)"',
    '\\" }; evil [URL="javascript:alert(8)"]; {',
    "x" * 5000,
)
"""What a pod or a container cannot be called by Kubernetes, and who calls the runtime can."""


def picture_of(node: SyntheticNode, *names: str) -> SharingGraph:
    """All pods of the node, or those called `names`."""
    workloads, history = node.folded(), chronicle_of(node)
    return picture(
        [
            pod_matrix(pod, workloads.host)
            for pod in workloads.pods.values()
            if not names or pod.ref.name in names
        ],
        history.facts,
    )


def chronicle_of(node: SyntheticNode) -> History:
    """What the records of the node tell beside."""
    history = History(node.folded().pods)
    for record in node.decoded():
        history.apply(record)
    return history


def report_of(node: SyntheticNode, *, utc: bool = True) -> Report:
    """What a page of the whole node tells."""
    history = chronicle_of(node)
    return Report(
        picture=picture_of(node),
        history=history,
        findings=history.findings(),
        at=None,
        unwatched=(),
        left_out=0,
        utc=utc,
    )


def hostile_node() -> SyntheticNode:
    """The example, and pods with hostile names that are in the host's namespaces."""
    node = example_node()
    asked = RequestedNamespaces(net=NODE, pid=POD, ipc=POD)
    for name in HOSTILE:
        sandbox = node.run_pod(name, k8s_namespace=name, requested=asked, uid=name)
        node.run_container(sandbox, name)
        node.run_container(sandbox, name, attempt=1)
    node.gap(HOSTILE[1])
    return node


def busy_node(pods: int) -> SyntheticNode:
    """A node of so many pods: most are plain, some share their processes, some are the host's."""
    node = SyntheticNode()
    node.create_ledger()
    node.start_daemon()
    for number in range(pods):
        node.wait(97)
        match number % 25:
            case 0:
                asked = RequestedNamespaces(net=NODE, pid=NODE, ipc=POD)
                agent = node.run_pod(
                    f"agent-{number:03}", k8s_namespace="kube-system", requested=asked
                )
                node.run_container(agent, "agent")
            case 3 | 13:
                asked = RequestedNamespaces(net=POD, pid=POD, ipc=POD)
                debug = node.run_pod(f"debug-{number:03}", k8s_namespace="tools", requested=asked)
                node.run_container(debug, "shell")
                node.run_container(debug, "tracer")
            case _:
                shop = node.run_pod(f"checkout-{number:03}", k8s_namespace="shop")
                node.run_container(shop, "app")
                node.run_container(shop, "sidecar")
    return node
