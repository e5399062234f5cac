// Drawing one card.

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
  const svg = makeSvg("svg", {
    viewBox: "0 0 110 30",
    class: "bars",
    role: "img",
    "aria-label": `Probabilities. ${words}`,
  });
  shares.forEach((share, digit) => {
    const height = Math.max(0.5, 22 * share);
    const kind = String(digit) === cards.read[card] ? "top" : "";
    const place = { x: 11 * digit + 1, width: 9 };
    svg.append(
      makeSvg("rect", { ...place, y: 0, height: 22, class: "ground" }),
      makeSvg("rect", { ...place, y: 22 - height, height, class: kind }),
      makeSvg("text", { x: 11 * digit + 5.5, y: 29 }, String(digit))
    );
  });
  const title = makeSvg("title", {}, words);
  svg.append(title);
  return svg;
}

function fillMark(article, card) {
  const mark = markOf(card);
  const words = describeMark(card, mark);
  article.querySelector(".mark").textContent = words;
  article.classList.toggle("marked", mark !== undefined);
  const said = [verdictOf(card), reasonsOf(card), nameOf(card), words && `you said: ${words.slice(2)}`];
  article.setAttribute("aria-label", said.filter(Boolean).join(", "));
}

function describeMark(card, mark) {
  if (mark === undefined) return "";
  if (mark === NOT_A_DIGIT) return "✗ not a digit";
  return mark === cards.read[card] ? `✓ ${mark}, right` : `→ ${mark}`;
}
