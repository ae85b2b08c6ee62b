// Figures: a name in a legend switches what it names off and on, and the point under the pointer says what it is.
// Marks have the class "curve", parts of a legend the class "key"; data-label says whose they are, and data-x, data-y
// and data-runs, parted by semicolons, what is told of a mark's points.
(() => {
  "use strict";
  const NEAR = 16; // pixels of the screen

  const switchLine = (svg, label) => {
    const off = svg.querySelector(`.key[data-label="${CSS.escape(label)}"][aria-pressed="true"]`) !== null;
    svg.querySelectorAll(".curve, .key").forEach((mark) => {
      if (mark.dataset.label !== label) return;
      if (mark.classList.contains("curve")) mark.style.display = off ? "none" : "";
      else mark.style.opacity = off ? 0.35 : "";
      if (mark.hasAttribute("aria-pressed")) mark.setAttribute("aria-pressed", String(!off));
    });
  };

  const makeKey = (svg, key) => {
    const { label } = key.dataset;
    key.style.cursor = "pointer";
    key.addEventListener("click", () => switchLine(svg, label));
    if (!key.querySelector("text")) return; // the mark beside the name
    Object.entries({ role: "button", tabindex: 0, "aria-pressed": true }).forEach(([k, v]) => key.setAttribute(k, v));
    key.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      switchLine(svg, label);
    });
  };

  // The corners of a line, or else the places of its markers, in the units of the figure.
  const placesOf = (curve) => {
    const line = curve.querySelector(":scope > path");
    if (!line) return [...curve.querySelectorAll("use")].map((use) => [Number(use.getAttribute("x")), Number(use.getAttribute("y"))]);
    const numbers = line.getAttribute("d").match(/-?\d+(\.\d+)?/g).map(Number);
    return numbers.flatMap((x, at) => (at % 2 ? [] : [[x, numbers[at + 1]]]));
  };

  const pointsOf = (svg) => [...svg.querySelectorAll(".curve[data-x]")].flatMap((curve) => {
    const { label, panel, x, y, runs } = curve.dataset;
    const [xs, ys, names] = [x, y, runs || ""].map((list) => list.split(";"));
    return placesOf(curve).map((place, at) => {
      const up = svg.dataset.y ? `${svg.dataset.y}: ${ys[at]}` : ys[at];
      return { place, curve, text: [[label, panel].filter(Boolean).join(", "), `${svg.dataset.x}: ${xs[at]}`, up, names[at]] };
    });
  });

  const nearest = (svg, points, event) => {
    const at = svg.getScreenCTM();
    let found = null;
    let least = NEAR ** 2;
    points.forEach((point) => {
      if (point.curve.style.display === "none") return;
      const [x, y] = point.place;
      const far = (x * at.a + at.e - event.clientX) ** 2 + (y * at.d + at.f - event.clientY) ** 2;
      if (far < least) [found, least] = [point, far];
    });
    return found;
  };

  document.addEventListener("DOMContentLoaded", () => {
    const tip = document.createElement("div");
    tip.id = "tip";
    tip.hidden = true;
    tip.style.cssText = "position:fixed;pointer-events:none;white-space:pre;z-index:9;padding:.3rem .6rem;font-size:.8rem;"
      + "border-radius:.3rem;background:var(--ink);color:var(--page)";
    document.body.append(tip);
    document.querySelectorAll("figure svg").forEach((svg) => {
      let points = null;
      svg.querySelectorAll(".key").forEach((key) => makeKey(svg, key));
      svg.addEventListener("pointermove", (event) => {
        points = points || pointsOf(svg);
        const point = nearest(svg, points, event);
        tip.hidden = !point;
        if (!point) return;
        tip.textContent = point.text.filter(Boolean).join("\n");
        const right = document.documentElement.clientWidth - tip.offsetWidth - 8;
        tip.style.left = `${Math.max(Math.min(event.clientX + 12, right), 4)}px`;
        tip.style.top = `${event.clientY + (event.clientY > tip.offsetHeight + 20 ? -tip.offsetHeight - 10 : 18)}px`;
      });
      svg.addEventListener("pointerleave", () => { tip.hidden = true; });
    });
  });
})();
