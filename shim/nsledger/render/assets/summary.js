/* The node at a glance: figures, facts, and what has to be said before all else. */

function tile(label, value, note, isWarning, href) {
  return element("div", { class: isWarning ? "tile warn" : "tile" },
    element("dt", null, href ? element("a", { href }, label) : label),
    element("dd", null, element("b", null, isWarning ? "▲ " : "", String(value)), note ? element("span", null, note) : null));
}

function drawTiles() {
  const living = data.pods.filter((pod) => pod.state !== "ended");
  const containers = living.flatMap((pod) => pod.processes).filter((one) => one.kind === "container" && one.state !== "ended");
  const inHosts = living.filter((pod) => pod.host.length);
  const bad = data.pods.filter((pod) => pod.bad);
  const severe = data.findings.filter((one) => one.severity === "high");
  const types = TYPES.filter((_, at) => inHosts.some((pod) => pod.host.includes(at)));
  byId("tiles").replaceChildren(
    tile("Pods", living.length, data.pods.length > living.length ? `and ${data.pods.length - living.length} gone` : "running"),
    tile("Containers", containers.length, "running"),
    tile("In the host's namespaces", inHosts.length, types.length ? types.join(" ") : "no pod", inHosts.length > 0),
    tile("Layers disagree", bad.length, bad.length ? "asked, assigned, got" : "no pod", bad.length > 0),
    tile("Findings", data.findings.length, severe.length ? `${severe.length} high` : "none is high", severe.length > 0, "#findings"),
  );
}

function drawFacts() {
  const node = data.node;
  const facts = [
    ["As of", data.at || (node.last && node.last[1])],
    ["On record since", node.first && node.first[1]],
    ["Kernel", node.kernel],
    ["cgroup", node.cgroup ? `v${node.cgroup}` : ""],
    ["nsledger", node.version],
    ["Ledger", node.ledger],
    ["Records", node.first && node.last ? `${node.first[0]} to ${node.last[0]}` : ""],
  ];
  const times = new Set(["As of", "On record since"]);
  byId("facts").replaceChildren(
    ...facts.filter(([, value]) => value).map(([name, value]) =>
      element("div", null, element("dt", null, name), element("dd", null, times.has(name) ? when(value) : named(value, name === "Ledger" && { class: "mono" }), times.has(name) ? ` ${zoneName()}` : "")),
    ),
  );
  byId("source").textContent =
    "Made by nsledger report from the ledger of this node. It loads nothing and sends nothing.";
}

function drawNotices() {
  const notices = data.unwatched.map(([since, until, reason]) =>
    element("p", { class: "notice" }, "Nobody watched from ", when(since), " to ", when(until), `: ${reason}. What follows is as it was before.`));
  if (data.leftOut) notices.push(element("p", { class: "notice quiet" }, `Left out: ${plural(data.leftOut, "pod")} that ended longer ago.`));
  byId("notices").replaceChildren(...notices);
}

function drawSummary() {
  drawNotices();
  drawTiles();
  drawFacts();
}
