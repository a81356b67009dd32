// Draws regions over the frame. The server checks them and writes their options.
"use strict";

const NAMES = { line: "line", zone: "zone", ignore: "ignore zone" };
const STEP = 0.01;
const FINE = 1e4; // coordinates are rounded to a ten-thousandth of a side, as in the options
const svg = document.getElementById("frame");
const drawn = document.getElementById("drawn");
const list = document.getElementById("regions");
const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);

let regions = JSON.parse(list.dataset.drawn); // {kind, points: [[x, y], ...] in fractions, name, details}
let problems = [];
let draft = null; // {kind, points}, while a region is drawn
let cross = [0.5, 0.5]; // where Enter sets the next point
let dragged = null; // {region, point}, while a point is moved
let edition = 0;
let sent = Promise.resolve();

const say = (text) => { document.getElementById("status").textContent = text; };
const round = (value) => Math.min(Math.max(Math.round(value * FINE) / FINE, 0), 1);
const label = (region) => region.name || `${NAMES[region.kind]} ${1 +
  regions.filter((one) => one.kind === region.kind).indexOf(region)}`;
const least = (kind) => (kind === "line" ? 2 : 3);
const place = ([x, y]) => `${Math.round(x * width)}, ${Math.round(y * height)} px`;

function element(parent, name, attributes, text) {
  const made = parent.namespaceURI === svg.namespaceURI
    ? document.createElementNS(svg.namespaceURI, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return parent.appendChild(made);
}

const pixels = (points) => points.map(([x, y]) => [x * width, y * height]);
const unit = () => width / Math.max(svg.clientWidth, 1); // frame pixels in one pixel of the screen

function outline(region, closed) {
  const points = pixels(region.points).map((point) => point.join(",")).join(" ");
  const shape = closed && region.kind !== "line" ? "polygon" : "polyline";
  element(drawn, shape, { points, class: "under" });
  element(drawn, shape, { points, class: region.kind });
}

function caption(at, text, kind = "") {
  const size = 15 * unit();
  const half = 0.32 * size * text.length;
  element(drawn, "text", {
    x: Math.min(Math.max(at[0], half), width - half),
    y: Math.min(Math.max(at[1] + size / 3, size), height - size / 3),
    "font-size": size, "stroke-width": size / 5, class: kind,
  }, text);
}

// `in` is to the right when facing from start to end; y points down.
function direction([[x1, y1], [x2, y2]]) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  if (!length) return;
  const [dx, dy] = [-(y2 - y1) / length, (x2 - x1) / length];
  const [x, y, k] = [(x1 + x2) / 2, (y1 + y2) / 2, unit()];
  const [tipX, tipY] = [x + 40 * k * dx, y + 40 * k * dy];
  const side = (turn) => `${tipX - 10 * k * dx + turn * 7 * k * dy},` +
    `${tipY - 10 * k * dy - turn * 7 * k * dx}`;
  const path = `M${x},${y}L${tipX},${tipY}M${side(1)}L${tipX},${tipY}L${side(-1)}`;
  element(drawn, "path", { d: path, class: "under" });
  element(drawn, "path", { d: path, class: "arrow" });
  caption([x + 56 * k * dx, y + 56 * k * dy], "in", "in");
}

function handle(region, index) {
  const [x, y] = pixels([region.points[index]])[0];
  const key = `${regions.indexOf(region)}.${index}`;
  element(drawn, "circle", {
    cx: x, cy: y, r: 22 * unit(), class: "reach", tabindex: 0, role: "button", "data-key": key,
    "aria-label": `${label(region)}, point ${index + 1} at ${place(region.points[index])}`,
  });
  element(drawn, "circle", { cx: x, cy: y, r: 7 * unit(), class: "handle", "stroke-width": 2 * unit() });
}

function draw() {
  const focused = document.activeElement?.dataset?.key;
  drawn.replaceChildren();
  for (const region of regions) {
    outline(region, true);
    const [x, y] = pixels(region.points)[0];
    caption([x, y - 20 * unit()], label(region));
    if (region.kind === "line") direction(pixels(region.points));
  }
  if (draft) {
    outline({ kind: draft.kind, points: [...draft.points, cross] }, false);
    const [[x, y], k] = [pixels([cross])[0], 14 * unit()];
    element(drawn, "path", { d: `M${x - k},${y}h${2 * k}M${x},${y - k}v${2 * k}`, class: "cross" });
  } else {
    for (const region of regions) region.points.forEach((_, index) => handle(region, index));
  }
  if (focused) drawn.querySelector(`[data-key="${focused}"]`)?.focus();
  svg.classList.toggle("drawing", Boolean(draft));
  document.getElementById("cancel").hidden = !draft;
  document.getElementById("finish").hidden = !draft || draft.kind === "line" || draft.points.length < 3;
  for (const button of document.querySelectorAll("[data-add]")) {
    button.setAttribute("aria-pressed", String(draft?.kind === button.dataset.add));
  }
}

function show() {
  list.replaceChildren();
  regions.forEach((region, index) => {
    const row = element(list, "li", {});
    element(row, "span", {}, NAMES[region.kind]);
    const named = { value: region.name, maxlength: 100, placeholder: "name" };
    const input = element(row, "input", { ...named, "aria-label": `Name of ${label(region)}` });
    input.addEventListener("input", () => { region.name = input.value; draw(); send(); });
    if (region.kind === "line") {
      element(row, "button", { type: "button", "aria-label": `Flip direction of ${label(region)}` }, "Flip")
        .addEventListener("click", () => { region.points.reverse(); changed(`${label(region)} flipped.`); });
    }
    element(row, "button", { type: "button", "aria-label": `Delete ${label(region)}` }, "Delete")
      .addEventListener("click", () => remove(index));
    element(row, "p", {}, [region.points.map((point) => point.join(",")).join("  "), region.details]
      .filter(Boolean).join("  "));
    element(row, "p", { class: "bad", role: "alert", hidden: "" });
  });
  showProblems();
}

function showProblems() {
  list.querySelectorAll(".bad").forEach((note, index) => {
    note.hidden = !problems[index];
    note.textContent = problems[index] ?? "";
  });
}

async function ask(path, body) {
  const answer = await fetch(path, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

// One request at a time, so that the last change is the last to arrive; what is outdated is not sent.
function send(path = "regions") {
  const mine = ++edition;
  sent = sent.then(() => (mine === edition || path === "done") && deliver(path, mine));
  return sent;
}

async function deliver(path, mine) {
  try {
    const answer = await ask(path, { regions });
    if (mine !== edition) return false; // a later change is on its way
    problems = answer.problems;
    document.getElementById("options").textContent = answer.options;
    showProblems();
    return true;
  } catch (error) {
    say(error instanceof TypeError ? "tallylens pick has ended: start it again." : error.message);
    return false;
  }
}

function changed(text) {
  problems = [];
  draw();
  show();
  send();
  say(text);
}

function remove(index) {
  const [gone] = regions.splice(index, 1);
  changed(`${NAMES[gone.kind]} deleted.`);
}

function begin(kind) {
  draft = { kind, points: [] };
  cross = [0.5, 0.5];
  say(kind === "line" ? "Line: set its start, then its end." :
    "Corners: set three or more; then set the first one again, or Finish.");
  draw();
  svg.focus({ preventScroll: true });
}

function finish() {
  if (draft && draft.points.length >= least(draft.kind)) {
    regions.push({ ...draft, name: "", details: "" });
    draft = null;
    changed(`${label(regions.at(-1))} added. Drag its points to move them.`);
  }
}

function cancel() {
  draft = null;
  say("Canceled.");
  draw();
}

const near = (a, b) => Math.hypot((a[0] - b[0]) * width, (a[1] - b[1]) * height) < 12 * unit();

function set(point) {
  const { kind, points } = draft;
  if (kind !== "line" && points.length >= 3 && (near(point, points[0]) || near(point, points.at(-1)))) {
    finish();
  } else if (!points.length || !near(point, points.at(-1))) {
    points.push(point);
    say(`Point ${points.length} at ${place(point)}.`);
    if (kind === "line" && points.length === 2) finish();
    else draw();
  }
}

function under(event) {
  const box = svg.getBoundingClientRect();
  return [round((event.clientX - box.left) / box.width), round((event.clientY - box.top) / box.height)];
}

function point(key) {
  const [region, index] = key.split(".").map(Number);
  return { region: regions[region], index };
}

svg.addEventListener("pointerdown", (event) => {
  if (event.button || !event.isPrimary) return;
  const key = event.target.dataset.key;
  if (!draft && !key) return;
  svg.setPointerCapture(event.pointerId);
  event.preventDefault();
  if (draft) {
    set(cross = under(event));
  } else {
    event.target.focus({ preventScroll: true });
    dragged = point(key);
  }
});
svg.addEventListener("pointermove", (event) => {
  if (!event.isPrimary || !(draft || dragged)) return;
  if (draft) cross = under(event);
  else dragged.region.points[dragged.index] = under(event);
  draw();
});
svg.addEventListener("pointerup", (event) => {
  // A line may also be drawn in one stroke.
  if (draft?.kind === "line" && draft.points.length === 1) set(under(event));
  if (dragged) changed(`${label(dragged.region)} moved.`);
  dragged = null;
});
svg.addEventListener("pointercancel", () => { dragged = null; draw(); });

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

svg.addEventListener("keydown", (event) => {
  const arrow = ARROWS[event.key];
  const key = event.target.dataset.key;
  const moved = ([x, y]) => {
    const step = STEP * (event.shiftKey ? 10 : 1);
    return [round(x + step * arrow[0]), round(y + step * arrow[1])];
  };
  if (draft && arrow) {
    cross = moved(cross);
    say(place(cross));
    draw();
  } else if (draft && (event.key === "Enter" || event.key === " ")) {
    set(cross);
  } else if (draft && event.key === "Backspace") {
    draft.points.pop();
    draw();
  } else if (draft && event.key === "Escape") {
    cancel();
  } else if (key && arrow) {
    const { region, index } = point(key);
    region.points[index] = moved(region.points[index]);
    changed(place(region.points[index]));
  } else if (key && (event.key === "Delete" || event.key === "Backspace")) {
    const { region, index } = point(key);
    if (region.points.length > least(region.kind)) {
      region.points.splice(index, 1);
      changed("Point deleted.");
    } else remove(regions.indexOf(region));
  } else return;
  event.preventDefault();
});

for (const button of document.querySelectorAll("[data-add]")) {
  button.addEventListener("click", () => begin(button.dataset.add));
}
document.getElementById("finish").addEventListener("click", finish);
document.getElementById("cancel").addEventListener("click", cancel);
document.getElementById("copy").addEventListener("click", async () => {
  const options = document.getElementById("options");
  try {
    await navigator.clipboard.writeText(options.textContent);
    say("Copied.");
  } catch {
    getSelection().selectAllChildren(options);
    say("The options are selected: copy them with your keyboard.");
  }
});
document.getElementById("done").addEventListener("click", async () => {
  if (await send("done")) say("Done: the options are in the terminal too. You can close this page.");
});
window.addEventListener("resize", draw);

draw();
show();
send();
