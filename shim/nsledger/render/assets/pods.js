/* Each pod as a table: a row per process, a column per type. Cells of one letter are one namespace. */

const KIND_TEXT = {
  host: "the host's",
  usual: "the host's, as of every ordinary pod",
  group: "shared",
  alone: "nobody else is in it",
  unknown: "not known",
};

/** How many colours there are for letters. */
const HUES = 6;

const hue = (letter) => (letter.charCodeAt(0) - 65) % HUES;

const isOdd = (cell) => cell[VERDICT] === "mismatch" || cell[CHANGED].length > 0;

/** Whether the row next to `row`, in `step`, is in the same namespace, and drawn as that. */
function joins(pod, row, type, step) {
  const cell = pod.processes[row].cells[type];
  const next = pod.processes[row + step] && pod.processes[row + step].cells[type];
  if (!next || isOdd(cell) || isOdd(next) || cell[KIND] !== next[KIND]) return false;
  return cell[KIND] === "host" || (cell[KIND] === "group" && next[SIGN] === cell[SIGN]);
}

function cellOf(pod, row, type) {
  const cell = pod.processes[row].cells[type];
  const classes = ["cell", cell[KIND]];
  if (cell[KIND] === "group") classes.push(`hue${hue(cell[SIGN])}`);
  if (joins(pod, row, type, -1)) classes.push("up");
  if (joins(pod, row, type, 1)) classes.push("down");
  if (isFound(cell[INO], cell[NS_ID])) classes.push("found");
  const isBad = isOdd(cell);
  if (isBad) classes.push("bad");
  const number = cell[INO] === null ? "" : `${TYPES[type]}:[${cell[INO]}]`;
  const about = [number, KIND_TEXT[cell[KIND]], isBad && cell[REASON], cell[CHANGED].length && "changed since it started"];
  const word = cell[WORD].startsWith("container:") ? cell[WORD].slice(10) : cell[WORD];
  return element("td", { class: classes.join(" "), "data-type": TYPES[type], title: about.filter(Boolean).join("\n") },
    element("span", null,
      isBad ? element("b", { class: "sign" }, cell[VERDICT] === "mismatch" ? "≠" : "*", unseen(cell[VERDICT] === "mismatch" ? " layers disagree " : " changed ")) : null,
      cell[SIGN] && !isBad ? element("b", { class: "sign" }, cell[SIGN]) : null,
      element("span", { class: "word" }, word)));
}

function processName(process, pod) {
  const name = process.attempt ? `${process.name} #${process.attempt}` : process.name;
  const about = [process.image, process.pid && `pid ${process.pid}`, process.state !== "running" && process.state];
  return element("th", { scope: "row", title: [name, ...about].filter(Boolean).join("\n") },
    element("bdi", null, name),
    process.state !== pod.state ? element("i", null, ` ${process.state}`) : null);
}

function podTable(pod) {
  return element("div", { class: "scroll" },
    element("table", { class: "strip" },
      element("caption", { class: "unseen" }, `Whose namespaces the processes of ${pod.full_name} are in`),
      element("thead", null, element("tr", null, element("td"), TYPES.map((type) => element("th", { scope: "col", title: EFFECT[type] }, type)))),
      element("tbody", null, pod.processes.map((process, row) =>
        element("tr", { class: `${process.kind} ${process.state}` }, processName(process, pod), TYPES.map((_, type) => cellOf(pod, row, type)))))));
}

/** The three layers of each cell; drawn when it is asked for. */
function layerTable(pod) {
  const rows = pod.processes.flatMap((process) =>
    process.cells.map((cell, type) => {
      const verdict = (cell[VERDICT] || "not judged").replace("_", " ");
      const isBad = cell[VERDICT] === "mismatch";
      return element("tr", null,
        element("th", { scope: "row" }, named(process.name)),
        element("td", null, TYPES[type]),
        element("td", null, cell[REQUESTED] === null ? "-" : named(cell[REQUESTED])),
        element("td", null, cell[ASSIGNED] === null ? "-" : named(cell[ASSIGNED])),
        element("td", { class: isFound(cell[INO], cell[NS_ID]) ? "found" : false }, cell[INO] === null ? "-" : String(cell[INO])),
        element("td", { class: isBad ? "warn-text" : false }, isBad ? "≠ " : "", verdict, cell[REASON] ? `: ${cell[REASON]}` : ""));
    }));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Layers of ${pod.full_name}` },
    element("table", { class: "layers" },
      element("thead", null, element("tr", null, ["process", "type", "requested", "assigned", "actual", "verdict"].map((title) => element("th", { scope: "col" }, title)))),
      element("tbody", null, rows)));
}

function reasons(pod) {
  return element("dl", { class: "why" }, TYPES.map((name, type) => {
    const said = pod.why.filter((one) => one[0] === type);
    if (!said.length) return null;
    return element("div", null, element("dt", null, name), said.map(([, kind, text, records]) =>
      element("dd", { class: kind === "disagreement" || kind === "changed" ? "warn-text" : false }, element("bdi", null, text), element("small", null, ` ${cite(records)}`))));
  }));
}

/** Closed until somebody opens it, and empty until then. */
function unfolding(title, draw) {
  const made = element("details", { ontoggle: () => made.open && made.children.length === 1 && made.append(draw()) }, element("summary", null, title));
  return made;
}

/** What was found about a pod: started past the shim by its own word, the rest by its number. */
function findingBadges(pod) {
  const found = (pod.findings || []).map((at) => data.findings[at]);
  const bypassed = found.filter((one) => one.kind === "shim_bypassed");
  return [
    bypassed.length ? element("p", { class: "badge warn solid", title: bypassed.map((one) => one.summary).join("\n") }, "▲ bypassed") : null,
    found.length ? element("p", { class: isSevere(pod) ? "badge warn" : "badge", title: found.map((one) => `${one.severity}: ${one.kind}`).join("\n") },
      element("a", { href: "#findings" }, plural(found.length, "finding"))) : null,
  ];
}

function podCard(at) {
  const pod = data.pods[at];
  const hosts = pod.host.map((type) => TYPES[type]).join(" ");
  const facts = [pod.state, (pod.ips || []).join(" "), pod.handler].filter(Boolean).join(" · ");
  return element("article", { class: `card ${pod.state}`, "aria-labelledby": `pod-${at}` },
    element("header", null,
      element("h3", { id: `pod-${at}` }, pod.k8s_namespace ? [element("bdi", { class: "of" }, pod.k8s_namespace), "/"] : null, named(pod.name || pod.full_name)),
      hosts ? element("p", { class: "badge warn" }, `▲ host's ${hosts}`) : null,
      pod.bad ? element("p", { class: "badge warn solid" }, "≠ layers disagree") : null,
      ...findingBadges(pod),
      element("p", { class: "sub" }, facts, pod.since ? [" · since ", when(pod.since)] : null, pod.until ? [" until ", when(pod.until)] : null)),
    podTable(pod),
    (pod.bad || []).map((line) => element("p", { class: "bad-line" }, `≠ ${line}`)),
    unfolding("Why, and which records show it", () => reasons(pod)),
    unfolding("Requested, assigned, actual", () => layerTable(pod)));
}

function drawPods(places) {
  const list = element("div", { class: "cards lazy" });
  byId("drawing").replaceChildren(list);
  lazyList(list, places, podCard);
}
