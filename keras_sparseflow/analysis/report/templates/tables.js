// Tables of the class "sortable" sort by a click on a header, and those with many rows get a box that filters them.
// A cell's number stands in data-sort ("" where there is none); a cell without it is sorted as text.
(() => {
  "use strict";
  const FEWEST_ROWS_TO_FILTER = 6;

  const keyOf = (cell) => {
    if (!cell) return null;
    const { sort } = cell.dataset;
    if (sort === undefined) return cell.textContent.trim().toLowerCase() || null;
    return sort === "" || sort === "nan" ? null : Number(sort.replace(/^(-?)inf$/, "$1Infinity"));
  };

  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };

  // Missing values come last whichever way the others go; rows that are equal keep their order.
  const sorted = (rows, column, direction) => {
    const keyed = rows.map((row) => [keyOf(row.cells[column]), row]);
    const sign = direction === "descending" ? -1 : 1;
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * compare(a, b);
    });
    return keyed.map(([, row]) => row);
  };

  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

  const makeSortable = (table) => {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const headers = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    headers.forEach((header, column) => {
      if (!header.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.title = "Sort by this column";
      button.append(...header.childNodes);
      header.append(button);
      header.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const direction = NEXT[header.getAttribute("aria-sort")];
        headers.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
        header.setAttribute("aria-sort", direction);
        body.append(...(direction === "none" ? original : sorted(original, column, direction)));
      });
    });
  };

  const makeFilterable = (table) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < FEWEST_ROWS_TO_FILTER) return;
    const label = document.createElement("label");
    const box = document.createElement("input");
    const count = document.createElement("output");
    label.className = "filter";
    box.type = "search";
    box.placeholder = "words that a row must hold";
    label.append("Filter rows", box, count);
    box.addEventListener("input", () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row) => {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      });
      const shown = rows.filter((row) => !row.hidden).length;
      count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    });
    table.parentElement.before(label);
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("table.sortable").forEach((table) => {
      makeFilterable(table);
      makeSortable(table);
    });
  });
})();
