/* What is not as it should be, the worst first, as `nsledger findings` tells it. */

function findingRow(one) {
  const where = one.pod ? (one.container ? `${one.pod} › ${one.container}` : one.pod) : "the node";
  const isOnce = one.first === one.last;
  const times = one.ongoing ? ["since ", when(one.first), ", still so"] : isOnce ? ["at ", when(one.first)] : ["from ", when(one.first), " to ", when(one.last)];
  return element("li", { class: `finding ${one.severity}` },
    element("p", { class: "severity" }, one.severity === "high" ? "▲ high" : one.severity),
    element("div", null,
      element("h3", null, one.kind, " ", named(where, { class: "where" })),
      element("p", null, element("bdi", null, one.summary)),
      element("p", { class: "sub" }, times, ` · ${cite(one.records)}`),
      element("p", { class: "sub" }, one.remedy)));
}

function drawFindings() {
  const words = asked();
  const pods = new Set(wantedPods().map((at) => data.pods[at].full_name));
  const isAll = !words.length && state.only === "all";
  const found = data.findings.filter((one) => isAll || pods.has(one.pod) ||
    (words.length && words.every((word) => [one.kind, one.severity, one.pod, one.container, one.summary].join("\n").toLowerCase().includes(word))));
  const list = element("ul", { class: "findings lazy" });
  byId("found").replaceChildren(found.length ? list : element("p", { class: "none" }, isAll ? "No findings." : "No findings about these."));
  lazyList(list, found, findingRow);
}
