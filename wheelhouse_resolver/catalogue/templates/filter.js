"use strict";
// Shows the projects that match, the best first. Without this script, the table has them all.
// Until it is read, only its first rows are laid out: of all it would take as long as the rest.
document.documentElement.className = "reading";
document.addEventListener("DOMContentLoaded", () => {
  const MOST = 50;
  const body = document.querySelector("#projects tbody");
  const query = document.getElementById("query");
  const count = document.getElementById("count");
  const more = document.getElementById("more");
  const facets = ["layer", "arch", "Python"].map((name) => document.getElementById(name));
  const words = (text) => text.toLowerCase().split(/[\s,]+/).filter(Boolean);

  const projects = Array.from(body.rows, (row) => {
    const [name, version, summary, ...sets] = Array.from(row.cells, (cell) => cell.textContent.trim());
    const names = [name, name.replaceAll("-", "_"), row.cells[0].dataset.imports || ""].join(" ").toLowerCase();
    const tokens = sets.slice(0, 3).map((text) => text.split(", "));
    return { row, name, names, text: `${names} ${summary.toLowerCase()}`, tokens };
  });

  // `3` is for every Python 3, `3.8+` for 3.8 and newer.
  const admits = (token, wanted) => {
    const [major, minor] = wanted.split(".");
    if (token === wanted || (token === "3" && major === "3")) return true;
    const [least, from] = token.endsWith("+") ? token.slice(0, -1).split(".") : [];
    return least === major && parseInt(from, 10) <= parseInt(minor, 10);
  };

  const place = (project, first) => {
    if (project.name === first) return 0;
    if (project.name.startsWith(first)) return 1;
    return project.names.includes(first) ? 2 : 3;
  };

  const show = (most) => {
    const asked = words(query.value);
    const wanted = facets.map((each) => each.value);
    const found = [[], [], [], []];
    for (const project of projects) {
      if (!asked.every((word) => project.text.includes(word))) continue;
      const fits = wanted.every((value, number) =>
        !value || project.tokens[number].some((token) => (number === 2 ? admits(token, value) : token === value)));
      if (fits) found[asked.length ? place(project, asked[0]) : 0].push(project.row);
    }
    const rows = found.flat();
    body.replaceChildren(...rows.slice(0, most));
    count.textContent = `${rows.length} of ${projects.length} projects`;
    more.hidden = rows.length <= most;
    more.textContent = `Show all ${rows.length}`;
  };

  const remember = () => {
    const state = new URLSearchParams();
    for (const each of [query, ...facets]) if (each.value) state.set(each.id, each.value);
    history.replaceState(null, "", `#${state}`);
  };

  const recall = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const each of [query, ...facets]) each.value = state.get(each.id) || "";
    show(MOST);
  };

  const form = document.getElementById("filter");
  form.addEventListener("input", () => show(MOST));
  form.addEventListener("change", () => {
    show(MOST);
    remember();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => {
    show(projects.length);
    body.rows[MOST].querySelector("a").focus();
  });
  addEventListener("hashchange", recall);
  form.hidden = false;
  recall();
  document.documentElement.className = "";
  performance.mark("usable");
});
