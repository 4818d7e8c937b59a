/* Who had which namespace when: a lane per pod, or per number of a namespace of the chosen type. */

const SPANS_S = [["all", "all of it"], [604800, "last 7 days"], [86400, "last day"], [3600, "last hour"], [300, "last 5 minutes"], [30, "last 30 seconds"]];

const END_TEXT = { stopped: "stopped", changed: "moved to another", reused: "its number was another's by then", rebooted: "the node was restarted" };

const lastMoment = Date.parse(data.at || (data.node.last && data.node.last[1]) || 0);

/** From when to when the lanes go, in milliseconds. */
function axis(spans) {
  const starts = spans.map((span) => Date.parse(span[3]));
  const first = starts.length ? Math.min(...starts) : lastMoment - 1000;
  const from = state.span === "all" ? first : lastMoment - 1000 * Number(state.span);
  return { from, to: Math.max(lastMoment, from + 1), at: (time) => (100 * (time - from)) / Math.max(1, lastMoment - from) };
}

const clamp = (percent) => Math.min(100, Math.max(0, percent));

/** One bar; what is outside of the axis is cut off. */
function laneBar(scale, since, until, text, about, classes) {
  const [start, end] = [clamp(scale.at(since)), clamp(scale.at(until))];
  const made = element("span", { class: `span ${classes}`, title: about }, element("bdi", null, text));
  made.style.left = `${start}%`;
  made.style.width = `${Math.max(0, end - start)}%`;
  return made;
}

function about(span) {
  const [pod, container, , since, seenSince, until, end] = span;
  const who = `${data.pods[pod].full_name} › ${container || "sandbox"}`;
  return `${who}\n${seenSince ? "seen since" : "since"} ${moment(since)}${until ? `\nuntil ${moment(until)}: ${END_TEXT[end] || ""}` : ", still so"}`;
}

/** Bars that overlap get rows of their own. */
function rows(bars) {
  const found = [];
  for (const one of [...bars].sort((a, b) => a.since - b.since)) {
    const free = found.find((row) => row[row.length - 1].until <= one.since);
    if (free) free.push(one);
    else found.push([one]);
  }
  return found;
}

function lane(scale, title, bars, classes) {
  const seen = bars.filter((one) => one.until >= scale.from && one.since <= scale.to);
  const drawn = rows(seen).map((row) => element("div", { class: "row" }, row.map((one) => laneBar(scale, one.since, one.until, one.text, one.about, one.classes))));
  const said = seen.map((one) => one.about.replaceAll("\n", ", ")).join("; ");
  return element("li", { class: `lane ${classes}` },
    element("span", { class: "lane-name", title }, element("bdi", null, title)),
    element("div", { class: "track", role: "img", "aria-label": said || "nothing in this span" }, drawn));
}

const toBar = (span, text) => ({
  since: Date.parse(span[3]),
  until: span[5] ? Date.parse(span[5]) : lastMoment,
  text,
  about: about(span),
  classes: `${span[1] ? "container" : "sandbox"} ${span[5] ? "over" : "open"}`,
});

/** A lane for each pod: how long each process had what it had longest. */
function podLanes(spans) {
  const lanes = new Map();
  for (const pod of wantedPods()) lanes.set(pod, { title: data.pods[pod].full_name, bars: [] });
  for (const span of spans) {
    const bars = lanes.get(span[0]).bars;
    const name = span[1] || "sandbox";
    const hosts = span[8].some((type) => !data.usual.includes(type));
    const same = bars.find((one) => one.text === name && one.attempt === span[2]);
    if (same) {
      same.until = Math.max(same.until, toBar(span, name).until);
      continue;
    }
    const bar = { ...toBar(span, name), attempt: span[2] };
    if (hosts) [bar.classes, bar.about] = [`${bar.classes} hosts`, `${bar.about}\n▲ in the host's ${span[8].map((type) => TYPES[type]).join(" ")}`];
    bars.push(bar);
  }
  return [...lanes.values()].filter((one) => one.bars.length);
}

/** A lane for each number: one after the other, pods may have had the same. */
function numberLanes(spans, type) {
  const lanes = new Map();
  for (const span of spans) {
    const ino = span[7][type];
    if (ino === null) continue;
    if (!lanes.has(ino)) lanes.set(ino, { title: `${TYPES[type]}:[${ino}]`, ino, bars: [] });
    lanes.get(ino).bars.push(toBar(span, `${data.pods[span[0]].full_name} › ${span[1] || "sandbox"}`));
  }
  return [...lanes.values()].sort((a, b) => b.bars.length - a.bars.length || a.ino - b.ino);
}

/** The clock alone while the day is the same; tenths of a second where all of it is seconds. */
function markText(time, before, width) {
  const [date, clock] = moment(time).split(" ");
  const fine = width < 15000 ? clock + new Date(time).toISOString().slice(19, 21) : clock;
  if (before && moment(before).startsWith(date)) return fine;
  return `${before ? date.slice(5) : date} ${width < 86400000 ? fine : clock.slice(0, 5)}`;
}

function ruler(scale) {
  const made = element("div", { class: "ruler", "aria-hidden": "true" });
  const width = scale.to - scale.from;
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const text = markText(scale.from + part * width, part && scale.from + (part - 0.25) * width, width);
    const mark = element("span", { class: part === 1 ? "mark last" : "mark" }, text);
    mark.style.left = `${100 * part}%`;
    made.append(mark);
  }
  return element("div", { class: "lane axis" }, element("span", { class: "lane-name" }, zoneName()), made);
}

/** Times when nobody watched, behind all lanes. */
function holesBehind(scale) {
  const made = element("div", { class: "holes", "aria-hidden": "true" });
  for (const [since, until, reason] of data.holes) {
    if (Date.parse(until) < scale.from || Date.parse(since) > scale.to) continue;
    made.append(laneBar(scale, Date.parse(since), Date.parse(until), "", reason, "hole"));
  }
  return made;
}

function drawTimeline() {
  const wanted = new Set(wantedPods());
  const spans = data.spans.filter((span) => wanted.has(span[0]));
  const scale = axis(spans);
  const isByPod = state.view === "pods";
  const lanes = isByPod ? podLanes(spans) : numberLanes(spans, state.view);
  const holes = data.holes.filter(([since, until]) => Date.parse(until) >= scale.from && Date.parse(since) <= scale.to);
  byId("timeline-about").textContent =
    (isByPod ? "Each process, from the record that shows it first to the one that shows its end. " : `Each ${TYPES[state.view]} namespace by its number, but the host's, and who had it. `) +
    (holes.length ? `Hatched: nobody watched (${plural(holes.length, "time")}).` : "");
  const list = element("ol", { class: "lanes lazy" });
  const frame = element("div", { class: "frame" }, ruler(scale), element("div", { class: "stack" }, holesBehind(scale), list));
  byId("lanes").replaceChildren(lanes.length ? frame : element("p", { class: "none" }, "Nothing on record."));
  lazyList(list, lanes, (one) => lane(scale, one.title, one.bars, isFound(one.ino ?? null) ? "found" : ""));
}

function drawSpanChoice() {
  const first = data.node.first ? Date.parse(data.node.first[1]) : lastMoment;
  const fitting = SPANS_S.filter(([seconds]) => seconds === "all" || lastMoment - first > 1000 * seconds);
  byId("span").replaceChildren(...fitting.map(([value, text]) => element("option", { value }, text)));
}
