"use strict";
(() => {
  const page = document.documentElement;
  page.classList.add("js");

  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // The clipboard needs a secure context and a permission, but a selection can be copied without them.
      const field = document.createElement("textarea");
      field.value = text;
      field.className = "visually-hidden";
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      if (!done) throw new Error("not copied");
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.classList.contains("copy")) {
      copied(button.dataset.copy).then(
        () => { button.textContent = "Copied"; },
        () => { button.textContent = "Not copied"; },
      ).finally(() => setTimeout(() => { button.textContent = "Copy"; }, 1500));
    } else if (button.classList.contains("toggle")) {
      const open = button.closest(".row").classList.toggle("open");
      button.setAttribute("aria-expanded", String(open));
    }
  });

  const rows = [...document.querySelectorAll(".row")];
  if (!rows.length) return;
  const PAGE = 100;
  const at = (id) => document.getElementById(id);
  const more = at("more"), search = at("search"), chip = at("attribute");
  const boxes = [...document.querySelectorAll("input[name=kind]")];
  const number = (count) => count.toLocaleString("en-US");
  let attribute = null, found = [], shown = 0;

  for (const box of boxes) {
    const count = rows.filter((row) => row.dataset.kind === box.value).length;
    box.parentElement.append(` (${number(count)})`);
  }
  const words = rows.map((row) => row.textContent.toLowerCase());

  const extend = () => {
    const end = Math.min(found.length, shown + PAGE);
    for (; shown < end; shown += 1) found[shown].classList.add("on");
    const left = found.length - shown;
    more.hidden = !left;
    more.textContent = `Show ${number(Math.min(PAGE, left))} more of ${number(left)}`;
  };
  const filter = () => {
    const wanted = search.value.trim().toLowerCase();
    const kinds = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    for (const row of found) row.classList.remove("on");
    found = rows.filter((row, index) => kinds.has(row.dataset.kind) && words[index].includes(wanted)
      && (attribute === null || row.dataset.attributes.includes(` ${attribute} `)));
    shown = 0;
    at("count").textContent = `${number(found.length)} of ${number(rows.length)}`;
    extend();
  };
  const choose = (chosen, name) => {
    attribute = chosen;
    chip.hidden = chosen === null;
    chip.textContent = `${name} \u2715`;
    filter();
  };

  for (const button of document.querySelectorAll("button.attribute")) {
    button.addEventListener("click", () => {
      choose(button.dataset.attribute, button.textContent);
      at("differences").scrollIntoView();
    });
  }
  chip.addEventListener("click", () => choose(null, ""));
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("controls").addEventListener("input", filter);
  more.addEventListener("click", extend);
  filter();
})();
