// The list of cards: those that the filter in the address of the page lets pass, drawn bit by bit.

const PORTION = 48; // cards that are drawn at a time; more would make the page slow to open
let shown = []; // the cards that pass the filter, in the order of the page
let drawn = 0; // how many of them are drawn
let chosen = -1; // place in `shown` of the card that the keys correct

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
  const verb = shown.length === 1 ? "has" : "have";
  const others = known !== null && known > shown.length;
  byId("filter").hidden = !active;
  byId("filter-name").textContent = what.words;
  byId("filter-count").textContent = others
    ? `${count(known, data.teachable ? "image" : "digit")}, ${here} ${verb} a card on this page`
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
