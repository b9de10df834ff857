"use strict";
// Sorts and filters what the page holds already. Without it the page is whole, and sorted by rank.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const text = document.getElementById("find");
  const choices = all("select[data-field]");
  const unranked = document.getElementById("unranked");
  const count = document.getElementById("count");

  function sort(button) {
    const head = button.closest("th");
    const table = head.closest("table");
    const place = [...head.parentElement.children].indexOf(head);
    const first = head.dataset.first;
    const before = head.getAttribute("aria-sort");
    const now = before === "none" ? first : before === "ascending" ? "descending" : "ascending";
    for (const other of head.parentElement.children) {
      if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    }
    head.setAttribute("aria-sort", now);
    const body = table.tBodies[0];
    const sign = now === "ascending" ? 1 : -1;
    const value = (row) => row.children[place].dataset.value;
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === ""); // what is unknown comes last
      const [p, q] = [Number(x), Number(y)];
      const less = Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y, "en") : p - q;
      return sign * less || a.dataset.at - b.dataset.at;
    });
    body.append(...rows);
  }

  function filter() {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = Object.fromEntries(choices.map((c) => [c.dataset.field, c.value]));
    let shown = 0;
    for (const board of all(".board[data-task]")) {
      let here = 0;
      const right = (!wanted.task || board.dataset.task === wanted.task)
        && (!wanted.model || board.dataset.model === wanted.model);
      for (const row of all("tr[data-row]", board)) {
        const ok = right && words.every((word) => row.dataset.text.includes(word))
          && (!wanted.supervision || row.dataset.supervision === wanted.supervision);
        row.hidden = !ok;
        here += ok && (unranked.checked || !row.closest(".rest"));
        for (const mark of all(`svg [data-row="${row.dataset.row}"]`, board)) {
          mark.toggleAttribute("hidden", !ok);
        }
      }
      for (const part of all(".ranked, .rest, .plots", board)) {
        const rows = part.matches(".plots") ? all("svg g[data-row]", part) : all("tr[data-row]", part);
        part.hidden = rows.every((row) => row.hasAttribute("hidden"))
          || (part.matches(".rest") && !unranked.checked);
      }
      board.hidden = here === 0;
      shown += here;
    }
    count.textContent = `${shown} ${shown === 1 ? "row" : "rows"}`;
  }

  for (const button of all("th button")) button.addEventListener("click", () => sort(button));
  text.addEventListener("input", filter);
  unranked.addEventListener("change", filter);
  for (const choice of choices) choice.addEventListener("change", filter);
  document.getElementById("theme").addEventListener("click", () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const root = document.documentElement;
    const now = root.dataset.theme || (dark ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
  });
  for (const tool of all(".tools")) tool.hidden = false;
  filter();
})();
