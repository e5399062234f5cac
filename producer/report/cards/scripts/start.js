// Keys, buttons and other events; and the start.

const MOVES = {
  ArrowRight: () => chosen + 1,
  ArrowLeft: () => chosen - 1,
  ArrowDown: () => chosen + perRow(),
  ArrowUp: () => chosen - perRow(),
  Home: () => 0,
  End: () => shown.length - 1,
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, a")) return;
  const pressed = event.key;
  if (event.target.closest("button, summary") && (pressed === " " || pressed === "Enter")) return; // these take it
  if (pressed in MOVES) choose(MOVES[pressed]());
  else if (/^[0-9]$/.test(pressed)) correct(pressed);
  else if (pressed === " ") correct("right");
  else if (pressed === "x" || pressed === "X") correct(NOT_A_DIGIT);
  else if (pressed === "Backspace" || pressed === "u" || pressed === "U") undo();
  else return;
  event.preventDefault();
}

/** Let the cells of tables and the bars of charts be buttons that set a filter. */
function makeButtons() {
  for (const element of document.querySelectorAll("[data-filter]")) {
    const act = () => setFilter(element.dataset.filter);
    if (element instanceof SVGElement) {
      element.closest("svg").setAttribute("role", "group"); // a picture could not have buttons
      element.setAttribute("role", "button");
      element.setAttribute("tabindex", "0");
      element.setAttribute("aria-label", `show images: ${element.querySelector("title").textContent}`);
      element.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        act();
      });
      element.addEventListener("click", act);
      continue;
    }
    const { words } = describe(filterOf(element.dataset.filter));
    const button = make("button", { type: "button", title: `show images: ${words}` });
    button.append(...element.childNodes);
    button.addEventListener("click", act);
    element.append(button);
  }
}

function listen() {
  byId("tool").addEventListener("keydown", onKey);
  list.addEventListener("focusin", (event) => {
    const item = event.target.closest("li");
    if (item) chosen = [...list.children].indexOf(item);
    for (const element of list.querySelectorAll("article[tabindex='0']")) element.tabIndex = -1;
    event.target.tabIndex = 0;
  });
  byId("more").addEventListener("click", () => {
    const first = drawn;
    draw(drawn + PORTION);
    choose(first);
  });
  byId("order").addEventListener("change", applyFilter);
  byId("cause").addEventListener("change", (event) => setFilter(event.target.value && `cause=${event.target.value}`));
  byId("all").addEventListener("click", () => setFilter(""));
  byId("save").addEventListener("click", save);
  byId("undo").addEventListener("click", undo);
  for (const button of document.querySelectorAll("[data-mark]")) {
    button.addEventListener("click", () => correct(button.dataset.mark));
  }
  addEventListener("hashchange", applyFilter);
  addEventListener("beforeunload", (event) => {
    if (!keeps && unsaved()) event.preventDefault(); // the browser asks whether to leave
  });
  addEventListener("storage", (event) => {
    if (event.key !== key) return; // the same page in another window
    [marks, saved] = [readMarks(), readMarks("saved")];
    applyFilter();
  });
  const details = [...document.querySelectorAll("details")];
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = details.filter((each) => !each.open);
    for (const each of closed) each.open = true;
    if (byId("print-pictures")?.checked) draw(shown.length);
  });
  addEventListener("afterprint", () => {
    for (const each of closed) each.open = false;
  });
}

function start() {
  if (cards.index.length === 0) return; // nothing was read, so the page stays as it is without this script
  byId("plain").hidden = true;
  byId("review").hidden = false;
  byId("kept").hidden = keeps;
  byId("bar").hidden = !data.teachable;
  makeButtons();
  listen();
  applyFilter();
}

start();
