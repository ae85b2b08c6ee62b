// A link into a folded section unfolds it, and so does printing.
(() => {
  "use strict";
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let fold = target && target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    if (target) target.scrollIntoView();
  };
  document.addEventListener("DOMContentLoaded", () => {
    if (window.matchMedia("(max-width: 70rem)").matches) document.querySelector("#contents details").open = false;
    open();
  });
  window.addEventListener("hashchange", open);
  window.addEventListener("beforeprint", () => document.querySelectorAll("main details").forEach((fold) => { fold.open = true; }));
})();
