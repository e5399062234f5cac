// Which cards a filter lets pass, and what it is called.

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
