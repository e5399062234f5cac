"use strict";
// Draws the cards of a report, filters and sorts them, and keeps the corrections of a person.
// It loads nothing and sends nothing. All data is in the page.

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const cards = data.cards;
  const PORTION = 48; // cards that are drawn at a time; more would make the page slow to open
  const NOT_A_DIGIT = "x";
  const byId = (id) => document.getElementById(id);
  const list = byId("cards");

  // What a person said, by the index of the image in its job: a digit as text, or NOT_A_DIGIT.
  const store = openStore();
  // A job's own report and one that adds it to earlier rows (`submit --new`) number its images differently.
  const key = `digitmill corrections of job ${data.job}, ${data.images} images, page ${data.page}`;
  let marks = readMarks();
  let saved = readMarks("saved"); // the marks that are in a file
  const history = []; // pairs of a card and the mark that it had before
  let shown = []; // the cards that pass the filter, in the order of the page
  let drawn = 0; // how many of them are drawn
  let chosen = -1; // place in `shown` of the card that the keys correct

  // Keeping ------------------------------------------------------------------------------------------------------

  /** Return the storage of the browser, or null if it keeps nothing for this page, as some do not for files. */
  function openStore() {
    try {
      const probe = "digitmill probe";
      localStorage.setItem(probe, "1");
      localStorage.removeItem(probe);
      return localStorage;
    } catch {
      return null;
    }
  }

  function readMarks(part = "marks") {
    try {
      const kept = JSON.parse(store.getItem(key))[part];
      const known = new Set(cards.index.map(String));
      return new Map(Object.entries(kept).filter(([index, mark]) => known.has(index) && /^[0-9x]$/.test(mark)));
    } catch {
      return new Map(); // nothing is kept, or another program wrote it
    }
  }

  function keep() {
    if (!store) return;
    try {
      store.setItem(key, JSON.stringify({ marks: Object.fromEntries(marks), saved: Object.fromEntries(saved) }));
    } catch {
      say("The browser has no room to keep your corrections. Save them before you close this page.");
    }
  }

  const unsaved = () =>
    [...marks].filter(([index, mark]) => saved.get(index) !== mark).length +
    [...saved.keys()].filter((index) => !marks.has(index)).length;

  const markOf = (card) => marks.get(String(cards.index[card]));

  // Correcting ---------------------------------------------------------------------------------------------------

  /** Whether a person can say what digit a card shows: a number cannot be taught, and neither can several digits. */
  const correctable = (card) => data.teachable && cards.read[card] !== null;

  function setMark(card, mark) {
    const index = String(cards.index[card]);
    if (mark === undefined) marks.delete(index);
    else marks.set(index, mark);
    keep();
    const element = elementOf(shown.indexOf(card));
    if (element) fillMark(element, card);
    countDone();
  }

  /** Note what a person says of the chosen card, and go on to the next. */
  function correct(mark) {
    const card = shown[chosen];
    if (card === undefined) return say("Choose an image first: click it, or press Tab until it is framed.");
    if (!correctable(card)) {
      return say("This image has no reading that could be corrected. Cut it up, so that each image shows one digit.");
    }
    history.push([card, markOf(card)]);
    setMark(card, mark === "right" ? cards.read[card] : mark);
    choose(Math.min(chosen + 1, shown.length - 1));
  }

  function undo() {
    const last = history.pop();
    if (!last) return say("There is nothing to undo.");
    const [card, before] = last;
    setMark(card, before);
    if (shown.includes(card)) choose(shown.indexOf(card));
  }

  function countDone() {
    const possible = shown.filter(correctable);
    const done = possible.filter((card) => markOf(card) !== undefined).length;
    const left = unsaved();
    byId("done").textContent = `${number(done)} of ${number(possible.length)} done`;
    byId("unsaved").textContent = marks.size === 0 ? "" : left === 0 ? "all saved" : `${number(left)} not saved yet`;
    byId("save").disabled = marks.size === 0;
  }

  // Saving -------------------------------------------------------------------------------------------------------

  /** Return a text as a cell that no spreadsheet runs as a formula, as the other tables of the report have it. */
  function cell(text) {
    const safe = /^(?:[\s\x00-\x1f]*[=+\-@＝＋－＠]|[\t\r\n])/.test(text) ? `./${text}` : text;
    return `"${safe.replaceAll('"', '""')}"`;
  }

  function rowOf(card) {
    const mark = markOf(card);
    const isDigit = mark !== NOT_A_DIGIT;
    const name = cards.name[card];
    return [
      cell(name),
      isDigit ? mark : "",
      cards.read[card],
      cell(!isDigit ? "not a digit" : mark === cards.read[card] ? "right" : "corrected"),
      // Images without a path get a name that no other job has.
      cell(data.root ? data.root + name : `job ${data.job}/${name}`),
      cell(cards.seen[card] ?? ""),
    ].join(",");
  }

  function save() {
    const marked = cards.index.map((_, card) => card).filter((card) => markOf(card) !== undefined);
    const titles = ["name", "label", "digit", "verdict", "path", "picture"].map(cell).join(",");
    const text = [titles, ...marked.map(rowOf)].join("\n") + "\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = data.page === 1 ? "corrections.csv" : `corrections-${data.page}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    saved = new Map(marks);
    keep();
    countDone();
    say(`Saved ${count(marked.length)} as ${link.download}.`);
  }

  // Filtering ----------------------------------------------------------------------------------------------------

  /** Return the filter in the address of the page, such as `true=7&read=2`, in a form that can be compared. */
  function filterOf(address) {
    const asked = new URLSearchParams(address.replace(/^#/, ""));
    const known = ["true", "read", "cause", "from", "to"];
    const given = known.filter((name) => asked.has(name)).map((name) => [name, asked.get(name)]);
    return new URLSearchParams(given);
  }

  function passes(card, filter) {
    const digits = ["true", "read"].filter((name) => filter.has(name));
    if (digits.length) {
      const wanted = (pair) => {
        const [label, read] = pair.split(":");
        return digits.every((name) => filter.get(name) === (name === "true" ? label : read));
      };
      if (!cards.pairs[card].some(wanted)) return false;
    }
    if (filter.has("cause") && !cards.causes[card].includes(filter.get("cause"))) return false;
    if (filter.has("from")) {
      const [from, to] = [Number(filter.get("from")), Number(filter.get("to"))];
      const confidence = cards.confidence[card];
      // The last bin has its upper edge, as in the chart.
      if (confidence === null || confidence < from || (confidence >= to && !(to === 1 && confidence === 1))) return false;
    }
    return true;
  }

  /** Return a filter in words, and as a condition on the columns of predictions.csv. */
  function describe(filter) {
    const words = [];
    const conditions = [];
    if (filter.has("true")) {
      words.push(`labelled ${filter.get("true")}`);
      conditions.push(`label == ${filter.get("true")}`);
    }
    if (filter.has("read")) {
      words.push(`read as ${filter.get("read")}`);
      conditions.push(`digit == ${filter.get("read")}`);
    }
    if (filter.has("cause")) {
      const cause = filter.get("cause");
      words.push(data.causes[cause] ?? cause); // without a condition, because all such images have cards
    }
    if (filter.has("from")) {
      const [from, to] = [filter.get("from"), filter.get("to")];
      words.push(`confidence ${percent(Number(from))} to ${percent(Number(to))}`);
      conditions.push(`confidence >= ${from} and confidence ${Number(to) === 1 ? "<=" : "<"} ${to}`);
    }
    return { words: words.join(", "), condition: conditions.join(" and ") };
  }

  /** Show the cards that the address of the page asks for. */
  function applyFilter() {
    const filter = filterOf(location.hash);
    const all = cards.index.map((_, card) => card);
    shown = all.filter((card) => passes(card, filter));
    const order = byId("order").value;
    if (order !== "listed") {
      const sign = order === "rising" ? 1 : -1;
      const value = (card) => cards.confidence[card] ?? 0;
      shown.sort((one, other) => sign * (value(one) - value(other)));
    }
    list.replaceChildren();
    drawn = 0;
    chosen = -1;
    draw(PORTION);
    nameFilter(filter);
    countDone();
  }

  function nameFilter(filter) {
    const active = filter.size > 0;
    const what = describe(filter);
    const source = document.querySelector(`[data-filter="${CSS.escape(filter.toString())}"]`);
    const known = source ? Number(source.dataset.count) : null;
    const here = count(shown.length);
    const others = known !== null && known > shown.length;
    byId("filter").hidden = !active;
    byId("filter-name").textContent = what.words;
    byId("filter-count").textContent = others
      ? `${number(known)} ${data.teachable ? (known === 1 ? "image" : "images") : known === 1 ? "digit" : "digits"}, ${here} ${
          shown.length === 1 ? "has" : "have"
        } a card on this page`
      : here;
    byId("filter-others").hidden = !others || !data.teachable;
    byId("filter-condition").textContent = what.condition;
    byId("cause").value = filter.size === 1 && filter.has("cause") ? filter.get("cause") : "";
    for (const button of document.querySelectorAll("[data-filter]")) {
      const pressed = active && button.dataset.filter === filter.toString();
      (button.querySelector("button") ?? button).setAttribute("aria-pressed", String(pressed));
    }
    for (const link of document.querySelectorAll(".pages a")) link.hash = filter.toString();
  }

  function setFilter(text) {
    if (location.hash.replace(/^#/, "") === text) applyFilter();
    else location.hash = text; // the button `back` of the browser then goes back
    byId("review").scrollIntoView();
  }

  // Drawing ------------------------------------------------------------------------------------------------------

  const number = (value) => value.toLocaleString("en");
  const count = (value) => `${number(value)} image${value === 1 ? "" : "s"}`;

  /** Return a share as a percentage. It is 100 % or 0 % only if it is exactly that, as elsewhere in the report. */
  function percent(share, decimals = 0) {
    if (share === 0 || share === 1) return `${100 * share} %`;
    let text = "";
    for (let places = decimals; places < 7; places += 1) {
      text = (100 * share).toFixed(places);
      if (Number(text) > 0 && Number(text) < 100) break;
    }
    return `${text} %`;
  }

  function make(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
    element.append(...children);
    return element;
  }

  function makeSvg(name, attributes, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
    element.append(...children);
    return element;
  }

  const elementOf = (place) => list.children[place]?.firstElementChild;

  /** Draw more cards, or all up to a place. */
  function draw(upTo) {
    const some = shown.slice(drawn, Math.max(upTo, drawn));
    list.append(...some.map(makeCard));
    drawn += some.length;
    byId("more").hidden = drawn >= shown.length;
    byId("more").textContent = `Show ${number(Math.min(PORTION, shown.length - drawn))} more of ${number(
      shown.length - drawn
    )}`;
    if (chosen < 0 && drawn) elementOf(0).tabIndex = 0;
  }

  function makeCard(card) {
    const several = cards.read[card] === null;
    const article = make("article", { tabindex: "-1", class: "card" });
    const pictures = make("div", { class: "pictures" });
    const pixels = cards.seen[card];
    if (cards.original[card]) pictures.append(makeFigure(cards.original[card], "original", "original"));
    if (pixels) pictures.append(makeFigure(pixels, "seen", several ? "its digits" : "network input"));
    else pictures.append(make("p", { class: "gone" }, data.late ? "not read in time" : "image not available"));
    article.append(pictures, make("p", { class: "verdict" }, verdictOf(card)));
    if (cards.confidence[card] !== null) {
      article.append(make("p", { class: "sure" }, `confidence ${percent(cards.confidence[card], 1)}`));
    }
    if (cards.probabilities[card]) article.append(makeBars(card));
    const reasons = reasonsOf(card);
    if (reasons) article.append(make("p", { class: "why" }, reasons));
    article.append(make("bdi", { class: "name" }, nameOf(card)), make("p", { class: "mark" }));
    fillMark(article, card);
    return make("li", {}, article);
  }

  function makeFigure(source, kind, caption) {
    const image = make("img", { src: source, alt: "", class: kind, decoding: "async" });
    return make("figure", {}, image, make("figcaption", {}, caption));
  }

  /** Return bars of the ten probabilities. A screen reader reads those that matter. */
  function makeBars(card) {
    const shares = cards.probabilities[card];
    const ranked = shares.map((share, digit) => [share, digit]).sort(([one], [other]) => other - one);
    const told = ranked.filter(([share], place) => place < 2 || share >= 0.01);
    const words = told.map(([share, digit]) => `${digit}: ${percent(share, 1)}`).join(", ");
    const svg = makeSvg("svg", { viewBox: "0 0 110 34", class: "bars", role: "img", "aria-label": `Probabilities. ${words}` });
    shares.forEach((share, digit) => {
      const height = Math.max(0.5, 22 * share);
      const kind = String(digit) === cards.read[card] ? "top" : "";
      const place = { x: 11 * digit + 1, width: 9 };
      svg.append(
        makeSvg("rect", { ...place, y: 0, height: 22, class: "ground" }),
        makeSvg("rect", { ...place, y: 22 - height, height, class: kind }),
        makeSvg("text", { x: 11 * digit + 5.5, y: 32 }, String(digit))
      );
    });
    const title = makeSvg("title", {}, words);
    svg.append(title);
    return svg;
  }

  function verdictOf(card) {
    const [label, read] = [cards.label[card], cards.read[card]];
    if (read === null) return label === null ? "not read" : `labelled ${label}, not read`;
    if (label === null) return `read as ${read}`;
    return label === read ? `${read}, as labelled` : `labelled ${label}, read as ${read}`;
  }

  function reasonsOf(card) {
    const words = cards.causes[card]
      .filter((cause) => cause !== "mistake") // the line above says it
      .map((cause) => (cause === "confidence" ? `confidence below ${data.below}` : ""));
    return [cards.reason[card], ...words].filter(Boolean).join("; ");
  }

  const nameOf = (card) => data.visible[card] ?? cards.name[card];

  function fillMark(article, card) {
    const mark = markOf(card);
    const words =
      mark === undefined ? "" : mark === NOT_A_DIGIT ? "✗ not a digit" : mark === cards.read[card] ? `✓ ${mark}, right` : `→ ${mark}`;
    article.querySelector(".mark").textContent = words;
    article.classList.toggle("marked", mark !== undefined);
    const said = [verdictOf(card), reasonsOf(card), nameOf(card), words && `you said: ${words.slice(2)}`];
    article.setAttribute("aria-label", said.filter(Boolean).join(", "));
  }

  // Choosing -----------------------------------------------------------------------------------------------------

  function choose(place) {
    if (place < 0 || place >= shown.length) return;
    if (place >= drawn) draw(place + PORTION);
    for (const element of list.querySelectorAll("article[tabindex='0']")) element.tabIndex = -1;
    chosen = place;
    const article = elementOf(place);
    article.tabIndex = 0;
    article.focus();
  }

  /** Return how many cards are in a row. */
  function perRow() {
    const tops = [...list.children].slice(0, 40).map((item) => item.offsetTop);
    return Math.max(1, tops.filter((top) => top === tops[0]).length);
  }

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

  function say(words) {
    byId("said").textContent = words;
  }

  // Starting -----------------------------------------------------------------------------------------------------

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
      const button = make("button", { type: "button", title: `show images: ${describe(filterOf(element.dataset.filter)).words}` });
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
      if (!store && unsaved()) event.preventDefault(); // the browser asks whether to leave
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
    byId("kept").hidden = Boolean(store);
    byId("bar").hidden = !data.teachable;
    makeButtons();
    listen();
    applyFilter();
  }

  start();
})();
