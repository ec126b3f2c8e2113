// Sorting and filtering of the site's tables. Without this script the tables are whole and in the report's order.

/** A cell's number where it starts with one (a thousands comma and a sign allowed), else its text. */
function sortKey(cell) {
  const text = (cell?.textContent ?? "").trim();
  const number = /^[+\-−]?\d[\d,]*(\.\d+)?/.exec(text)?.[0];
  return number && cell.classList.contains("number")
    ? Number(number.replaceAll(",", "").replace("−", "-"))
    : text.toLowerCase();
}

/** Numbers before words, empty cells last in both directions. */
function compareKeys(a, b, direction) {
  if (a === "" || b === "") return (a === "" ? 1 : 0) - (b === "" ? 1 : 0);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return direction * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
}

function makeSortable(table) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of headers) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].map((row) => ({ row, key: sortKey(row.cells[column]) }));
      rows.sort((a, b) => compareKeys(a.key, b.key, direction));
      table.tBodies[0].append(...rows.map(({ row }) => row));
    });
  });
}

function makeFilterable(table) {
  const box = document.createElement("div");
  box.className = "filter";
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.type = "search";
  label.append("Filter rows: ", input);
  const status = document.createElement("span");
  status.setAttribute("role", "status");
  box.append(label, status);
  table.parentElement.before(box);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) {
      const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    status.textContent = words.length === 0 ? "" : `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  });
}

for (const table of document.querySelectorAll("table[data-sort]")) makeSortable(table);
for (const table of document.querySelectorAll("table[data-filter]")) makeFilterable(table);
