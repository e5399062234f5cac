// What the page says: numbers, and each card in words.

const number = (value) => value.toLocaleString("en");
const count = (value, noun = "image") => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;

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

const nameOf = (card) => data.visible[card] ?? cards.name[card];

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

function say(words) {
  byId("said").textContent = words;
}
