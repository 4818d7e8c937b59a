/* Long lists: what is not near the screen is not in the page, so that 300 pods cost as much as 20. */

const CHUNK = 24;

/**
 * Show `items` in `parent`, each drawn by `draw`, a chunk at a time: when its end comes near the
 * screen, or the button there is used.
 */
function lazyList(parent, items, draw) {
  if (parent.watcher) parent.watcher.disconnect();
  parent.replaceChildren();
  let shown = 0;
  const rest = element("button", { type: "button", class: "more", onclick: () => more(true) });

  function more(byHand) {
    const chunk = items.slice(shown, shown + CHUNK).map(draw);
    shown += chunk.length;
    rest.before(...chunk);
    rest.textContent = `Show more: ${items.length - shown} left`;
    rest.hidden = shown >= items.length;
    if (byHand) (chunk[0].querySelector("summary, button, [tabindex]") || rest).focus();
  }

  function all() {
    while (shown < items.length) more(false);
  }

  parent.append(rest);
  more(false);
  parent.all = all;
  const watcher = new IntersectionObserver(
    (seen) => {
      if (!seen.some((one) => one.isIntersecting) || shown >= items.length) return;
      more(false);
      watcher.unobserve(rest); // looked at anew, it is told of again should it still be near
      watcher.observe(rest);
    },
    { rootMargin: "600px" },
  );
  parent.watcher = watcher;
  parent.watcher.observe(rest);
}

/* On paper there is no scrolling. */
addEventListener("beforeprint", () => {
  for (const list of document.querySelectorAll(".lazy")) if (list.all) list.all();
});
