"use strict";
addEventListener("error", (event) => fail(event.message));
addEventListener("unhandledrejection", (event) => fail(String(event.reason)));
function fail(message) {
  document.documentElement.dataset.error = message;
  document.getElementById("trouble").hidden = false;
}

// Light or dark as the system has it, until the reader says otherwise; a page opened as a file may have no storage.
const root = document.documentElement, toggle = document.getElementById("theme"), system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
const name = () => { toggle.textContent = isDark() ? "Light" : "Dark"; };
try { root.dataset.theme = localStorage.getItem("fanin-theme") || ""; } catch { }
toggle.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("fanin-theme", root.dataset.theme); } catch { }
  name();
});
system.addEventListener("change", name);
name();
