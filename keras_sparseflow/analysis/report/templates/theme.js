// Light or dark: as the system has it, until the reader chooses otherwise. The choice is remembered where the browser
// lets a page remember anything, which from a file it may not.
(() => {
  "use strict";
  const KEY = "keras_sparseflow.theme";
  const root = document.documentElement;
  const systemIsDark = window.matchMedia("(prefers-color-scheme: dark)");

  const remembered = () => {
    try { return localStorage.getItem(KEY); } catch { return null; }
  };
  const remember = (theme) => {
    try {
      if (theme === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch { /* not allowed to: the choice holds for this visit */ }
  };
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  };
  const next = (theme) => {
    const order = systemIsDark.matches ? ["system", "light", "dark"] : ["system", "dark", "light"];
    return order[(order.indexOf(theme) + 1) % order.length];
  };

  apply(remembered());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const current = () => root.dataset.theme || "system";
    const say = () => { button.textContent = `Theme: ${current()}`; };
    button.addEventListener("click", () => {
      const theme = next(current());
      apply(theme);
      remember(theme);
      say();
    });
    say();
    button.hidden = false;
  });
})();
