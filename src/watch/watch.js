// Puts in what the server sends; it has escaped every text. Without this script the page stays as it was loaded.

const connection = document.getElementById("connection");
const source = new EventSource("/events");

/** The element with an id that a folded part belongs to: it stays open when the part is written anew. */
const placeOf = (fold) => fold.closest("[id]").id;

/** Rows that are the same stay, so that neither focus nor scrolling is lost twice a second. */
function putRows(body, rows) {
  rows.forEach((row, index) => {
    const old = body.rows[index];
    if (old === undefined) body.append(row);
    else if (old.outerHTML !== row.outerHTML) old.replaceWith(row);
  });
  while (body.rows.length > rows.length) body.lastElementChild.remove();
}

function put(part, html) {
  const section = document.getElementById(part), fresh = document.createElement("template");
  fresh.innerHTML = html;
  if (part === "runs") return putRows(section.querySelector("tbody"), [...fresh.content.querySelectorAll("tbody tr")]);
  const open = new Set([...section.querySelectorAll("details[open]")].map(placeOf));
  section.replaceChildren(fresh.content);
  for (const fold of section.querySelectorAll("details")) fold.open = open.has(placeOf(fold));
}

source.addEventListener("parts", ({ data }) => {
  connection.textContent = "Live: this page follows the runs.";
  for (const [part, html] of Object.entries(JSON.parse(data))) put(part, html);
});
source.addEventListener("end", () => {
  source.close();
  connection.textContent = "The command has ended; this is its last state.";
});
source.addEventListener("error", () => {
  connection.textContent = "No connection; trying again.";
});
