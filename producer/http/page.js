"use strict";
const find = (name) => document.getElementById(name);
const here = new URL(".", location.href).href;
let image = null;

function show(chosen) {
  image = chosen;
  find("shown").src = URL.createObjectURL(chosen);
  find("answer").textContent = "";
}

function say(strong, text) {
  const digit = document.createElement("b");
  digit.textContent = strong;
  find("answer").replaceChildren(digit, text);
}

async function useExample() {
  const response = await fetch("docs/seven.png");
  show(await response.blob());
}

async function classify() {
  const headers = { "Content-Type": image.type || "image/*" };
  const token = find("token");
  if (token && token.value) headers.Authorization = "Bearer " + token.value;
  const response = await fetch("v1/classify", { method: "POST", headers, body: image });
  const answer = await response.json();
  if (answer.error) return say(response.status, answer.error.message);
  const reason = answer.review_reason ? ", " + answer.review_reason.message : "";
  const review = answer.review ? reason + ": for review" : "";
  say(answer.digit, (100 * answer.confidence).toFixed(1) + " %" + review + ", by " + answer.model);
}

const orSay = (work) => () => work().catch((fault) => say("", "The server did not answer: " + fault.message));

for (const code of document.querySelectorAll("pre")) code.textContent = code.textContent.replaceAll("http://127.0.0.1:8080/", here);
find("file").addEventListener("change", (event) => event.target.files[0] && show(event.target.files[0]));
find("example").addEventListener("click", orSay(useExample));
find("try").addEventListener("submit", (event) => {
  event.preventDefault();
  if (image) orSay(classify)();
});
orSay(useExample)();
