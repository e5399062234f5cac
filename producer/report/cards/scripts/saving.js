// Saving the corrections as a table that `digitmill teach --csv` takes.

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
