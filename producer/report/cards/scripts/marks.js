// What a person said of each image, and how the browser keeps it.

const store = openStore();
let keeps = Boolean(store); // whether the marks outlast this page
// A job's own report and one that adds it to earlier rows (`submit --new`) number its images differently.
const key = `digitmill corrections of job ${data.job}, ${data.images} images, page ${data.page}`;
// By the index of the image in its job: a digit as text, or NOT_A_DIGIT.
let marks = readMarks();
let saved = readMarks("saved"); // the marks that are in a file

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
    keeps = true;
  } catch {
    keeps = false;
    say("The browser has no room to keep your corrections. Save them before you close this page.");
  }
}

const unsaved = () =>
  [...marks].filter(([index, mark]) => saved.get(index) !== mark).length +
  [...saved.keys()].filter((index) => !marks.has(index)).length;

const markOf = (card) => marks.get(String(cards.index[card]));

/** Whether a person can say what digit a card shows: a number cannot be taught, and neither can several digits. */
const correctable = (card) => data.teachable && cards.read[card] !== null;
