"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const value = (row) => {
      const text = row.cells[column].textContent.trim();
      if (text === "–") return null;
      const number = Number(text.replace("−", "-").replaceAll(",", ""));
      return text === "" || Number.isNaN(number) ? text : number;
    };
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending" ? 1 : -1;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up > 0 ? "ascending" : "descending");
      const rows = [...body.rows].sort((one, other) => {
        const a = value(one), b = value(other);
        if (a === null || b === null) return (a === null) - (b === null);
        return up * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
      });
      body.append(...rows);
    });
  });
}
