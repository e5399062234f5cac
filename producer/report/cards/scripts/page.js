// The data of the page, and its elements.

const data = JSON.parse(document.getElementById("data").textContent);
const cards = data.cards;
const NOT_A_DIGIT = "x";
const byId = (id) => document.getElementById(id);
const list = byId("cards");
