// What JavaScript adds to the pages; without it they work all the same.
"use strict";

// Choices about the log are remembered by the browser, where that is allowed.
const store = {
  get: (name) => {
    try {
      return localStorage.getItem("jobvault-" + name);
    } catch {
      return null;
    }
  },
  set: (name, value) => {
    try {
      localStorage.setItem("jobvault-" + name, value);
    } catch {
      // It is forgotten, then.
    }
  },
};
for (const id of ["stamps", "wrap"]) {
  const box = document.getElementById(id);
  if (!box) continue;
  const kept = store.get(id);
  if (kept !== null) box.checked = kept === "1";
  box.addEventListener("change", () => store.set(id, box.checked ? "1" : "0"));
}

const log = document.querySelector("section .log");
if (log) {
  const copy = document.getElementById("copy");
  let first = 0;

  // mark shows lines a to b as those that a link leads to, and puts it into the
  // address bar.
  const mark = (a, b) => {
    const [from, to] = a <= b ? [a, b] : [b, a];
    for (const line of log.querySelectorAll(".line[id]")) {
      const n = Number(line.id.slice(1));
      line.classList.toggle("marked", n >= from && n <= to);
    }
    history.replaceState(null, "", `?line=${from === to ? from : `${from}-${to}`}#L${from}`);
    copy.hidden = false;
    copy.textContent = "Copy link";
  };

  log.addEventListener("click", (event) => {
    const number = event.target.closest("a.n");
    if (!number || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); // which also keeps a group from folding
    const n = Number(number.textContent);
    if (event.shiftKey && first) {
      mark(first, n);
    } else {
      first = n;
      mark(n, n);
    }
  });

  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "Copy it from the address bar";
    }
  });

  const marked = log.querySelector(".line.marked");
  if (marked) {
    first = Number(marked.id.slice(1));
    copy.hidden = false;
    marked.scrollIntoView({ block: "center" });
  }

  // n and p go on to errors, t shows timestamps; not while somebody types.
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input:not([type=checkbox]), select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = { n: "next", p: "previous", t: "stamps" }[event.key];
    if (target) document.getElementById(target).click();
  });
}
