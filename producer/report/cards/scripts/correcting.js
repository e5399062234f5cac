// Correcting the chosen card, and taking corrections back.

const history = []; // pairs of a card and the mark that it had before

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
  if (!last) return say("Nothing is corrected yet, so nothing can be undone.");
  const [card, before] = last;
  setMark(card, before);
  if (shown.includes(card)) choose(shown.indexOf(card));
}

function setMark(card, mark) {
  const index = String(cards.index[card]);
  if (mark === undefined) marks.delete(index);
  else marks.set(index, mark);
  keep();
  const element = elementOf(shown.indexOf(card));
  if (element) fillMark(element, card);
  countDone();
}

function countDone() {
  const possible = shown.filter(correctable);
  const done = possible.filter((card) => markOf(card) !== undefined).length;
  const left = unsaved();
  byId("done").textContent = `${number(done)} of ${number(possible.length)} done`;
  byId("unsaved").textContent = marks.size === 0 ? "" : left === 0 ? "all saved" : `${number(left)} not saved yet`;
  byId("save").disabled = marks.size === 0;
}
