/* One type over the whole node: a box per namespace, and in it the processes that are there. */

/** How many processes are in the host's, in one with others, and alone, of each type. */
const tally = TYPES.map(() => ({ host: 0, shared: 0, alone: 0, unknown: 0 }));
for (const pod of data.pods)
  for (const process of pod.processes)
    process.cells.forEach((cell, type) => {
      const counted = { host: "host", usual: "host", group: "shared", alone: "alone", unknown: "unknown" }[cell[KIND]];
      tally[type][counted] += 1;
    });

/** The radio buttons that choose what is drawn, each type with its share of the host's. */
function drawViews() {
  const choice = (value, name, about, bar) =>
    element("label", { class: "view", title: about },
      element("input", { type: "radio", name: "view", value, checked: String(state.view) === value, onchange: () => choose(value) }),
      element("span", null, name), bar);
  byId("views").replaceChildren(
    choice("pods", "by pod", "Each pod with all eight types", null),
    ...TYPES.map((name, type) => {
      const { host, shared, alone } = tally[type];
      return choice(String(type), name, `${EFFECT[name]}: ${host} processes in the host's, ${shared} sharing, ${alone} alone`, bar(type));
    }));
}

function bar(type) {
  const { host, shared, alone, unknown } = tally[type];
  const total = Math.max(1, host + shared + alone + unknown);
  const isUsual = data.usual.includes(type);
  const made = element("span", { class: "bar", "aria-hidden": "true" });
  for (const [name, count] of [[isUsual ? "bar-usual" : "bar-host", host], ["bar-shared", shared], ["bar-alone", alone]]) {
    const part = element("i", { class: name });
    part.style.width = `${(100 * count) / total}%`;
    made.append(part);
  }
  return made;
}

function choose(value) {
  state.view = value === "pods" ? value : Number(value);
  drawPicture();
  drawTimeline();
}

/** The wanted members of each namespace of `type`; the host's first, then those with most. */
function namespacesOf(type, wanted) {
  const found = [];
  for (const [of, ino, nsId, host, members] of data.namespaces) {
    if (of !== type) continue;
    const here = members.filter(([pod]) => wanted.has(pod));
    if (here.length) found.push({ type, ino, nsId, host, members: here });
  }
  const unknown = [...wanted].flatMap((pod) =>
    [...data.pods[pod].processes.keys()].filter((row) => data.pods[pod].processes[row].cells[type][KIND] === "unknown").map((row) => [pod, row]));
  if (unknown.length) found.push({ type, unknown: true, members: unknown });
  return found;
}

/** Processes by pod, so that a box reads like a list of pods. */
function byPod(members) {
  const found = new Map();
  for (const [pod, row] of members) {
    if (!found.has(pod)) found.set(pod, []);
    found.get(pod).push(data.pods[pod].processes[row]);
  }
  return found;
}

function seat(pod, processes) {
  return element("li", { class: "seat" },
    named(data.pods[pod].full_name, { class: "seat-pod" }),
    processes.map((one) => element("span", { class: `chip ${one.kind} ${one.state}`, title: one.pid ? `pid ${one.pid}` : false }, element("bdi", null, one.name))));
}

const SEATS = 60;

/** As many pods as fit, and a button for the rest. */
function seats(members) {
  const pods = [...byPod(members)];
  const list = element("ul", { class: "seats" }, pods.slice(0, SEATS).map(([pod, processes]) => seat(pod, processes)));
  if (pods.length > SEATS) {
    const rest = element("li", null, element("button", {
      type: "button", class: "more",
      onclick: () => rest.replaceWith(...pods.slice(SEATS).map(([pod, processes]) => seat(pod, processes))),
    }, `and ${pods.length - SEATS} more pods`));
    list.append(rest);
  }
  return list;
}

function namespaceBox(one) {
  const pods = byPod(one.members).size;
  const isUsual = data.usual.includes(one.type);
  const kind = one.unknown ? "unknown" : one.host ? (isUsual ? "usual" : "host") : one.members.length > 1 ? "shared" : "alone";
  const name = TYPES[one.type];
  const title = one.unknown ? `${name}: not known` : `${name}:[${one.ino === null ? "?" : one.ino}]`;
  const about = {
    host: `▲ the node's own, with ${plural(pods, "pod")} in it`,
    usual: `▲ the node's own, as for every ordinary pod: ${plural(pods, "pod")} in it`,
    shared: pods > 1 ? `≠ shared by ${plural(pods, "pod")}` : `shared by ${one.members.length}`,
    alone: "one process, alone",
    unknown: "no reading is on record, or too little to compare with",
  }[kind];
  const isOdd = kind === "shared" && pods > 1;
  return element("article", { class: `box ${kind}${isOdd ? " odd" : ""}${isFound(one.ino, one.nsId) ? " found" : ""}` },
    element("header", null, element("h3", null, title), element("p", { class: "sub" }, about)),
    seats(one.members));
}

function drawNamespaces(type, places) {
  const found = namespacesOf(type, new Set(places));
  const list = element("div", { class: "boxes lazy" });
  byId("drawing").replaceChildren(list);
  lazyList(list, found, namespaceBox);
}
