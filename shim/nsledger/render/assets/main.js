/* Puts it together, and listens. */

function drawLegend() {
  const isByPod = state.view === "pods";
  const parts = isByPod
    ? [["host", "▲ host", "the node's own namespace"], ["usual", "▲ host", "the node's own, as of every ordinary pod"], ["group hue0", "A", "same letter, same namespace"], ["alone", "own, private", "nobody else is in it"], ["bad", "≠", "layers disagree"]]
    : [["host", "▲", "the node's own"], ["group hue0", "", "shared"]];
  const about = isByPod ? [] : [element("span", null, element("strong", null, TYPES[state.view]), `: ${EFFECT[TYPES[state.view]]}`)];
  byId("legend").replaceChildren(...about, ...parts.map(([classes, sign, text]) => element("span", { class: "key" }, element("span", { class: `cell swatch ${classes}` }, element("span", null, sign)), text)));
}

function drawPicture() {
  const places = wantedPods();
  drawLegend();
  byId("count").textContent = places.length === data.pods.length ? plural(places.length, "pod") : `${places.length} of ${plural(data.pods.length, "pod")}`;
  if (!places.length) {
    const said = data.pods.length ? "No pod fits. Escape clears the search." : "No pod is on record as running.";
    byId("drawing").replaceChildren(element("p", { class: "none" }, said));
  } else if (state.view === "pods") drawPods(places);
  else drawNamespaces(state.view, places);
}

/** All that a search or a choice changes. */
function drawFound() {
  drawPicture();
  drawTimeline();
  drawFindings();
}

function drawAll() {
  drawSummary();
  drawViews();
  drawSpanChoice();
  byId("span").value = state.span;
  drawFound();
}

const darkIsPreferred = matchMedia("(prefers-color-scheme: dark)");

function showTheme() {
  const chosen = document.documentElement.dataset.theme;
  const isDark = chosen ? chosen === "dark" : darkIsPreferred.matches;
  byId("theme").setAttribute("aria-pressed", String(isDark));
}

byId("theme").addEventListener("click", () => {
  const isDark = byId("theme").getAttribute("aria-pressed") === "true";
  document.documentElement.dataset.theme = isDark ? "light" : "dark";
  showTheme();
});
darkIsPreferred.addEventListener("change", showTheme);

byId("query").addEventListener("input", (event) => {
  state.query = event.target.value;
  drawFound();
});
byId("only").addEventListener("change", (event) => {
  state.only = event.target.value;
  drawFound();
});
byId("span").addEventListener("change", (event) => {
  state.span = event.target.value;
  drawTimeline();
});
byId("zone").addEventListener("change", (event) => {
  state.utc = event.target.value === "utc";
  drawAll();
});

addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input[type=search], select, textarea");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    byId("query").focus();
    byId("query").select();
  }
  if (event.key === "Escape" && event.target === byId("query") && state.query) {
    event.preventDefault();
    byId("query").value = state.query = "";
    drawFound();
  }
});

byId("zone").value = state.utc ? "utc" : "local";
showTheme();
drawAll();
