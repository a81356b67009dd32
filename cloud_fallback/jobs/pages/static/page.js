// Uploads that pause and resume (tus 1.0), and live progress. Pages work without it too.

const CHUNK = 8 << 20; // proxies in front may refuse larger bodies
const STORE = "tallylens-uploads";
const TUS = { "Tus-Resumable": "1.0.0" };
const LONGEST_PAUSE = 30000;

const byId = (id) => document.getElementById(id);
const csrf = () => document.querySelector("input[name=csrf]")?.value;
const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

function say(text) {
  byId("status").textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { byId("status").textContent = ""; }, 8000);
}

function element(parent, name, attributes = {}, text = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return parent.appendChild(made);
}

// What has begun, by file, so that it goes on after the page was left.
function stored() {
  try { return JSON.parse(localStorage.getItem(STORE)) || {}; } catch { return {}; }
}

function store(key, entry) {
  const all = stored();
  if (entry) all[key] = entry; else delete all[key];
  try { localStorage.setItem(STORE, JSON.stringify(all)); } catch { /* it does not resume then */ }
}

const keyOf = (file) => [file.name, file.size, file.lastModified].join("/");
function request(method, url, headers, body, onProgress, upload) {
  return new Promise((resolve, reject) => {
    const sent = new XMLHttpRequest();
    sent.open(method, url);
    const token = csrf();
    const all = { ...TUS, ...(token ? { "X-CSRF-Token": token } : {}), ...headers };
    for (const [key, value] of Object.entries(all)) sent.setRequestHeader(key, value);
    sent.onload = () => resolve(sent);
    sent.onerror = () => reject(new Error("no connection"));
    sent.onabort = () => reject(new Error("paused"));
    if (onProgress) sent.upload.onprogress = (event) => onProgress(event.loaded);
    if (upload) upload.sent = sent;
    sent.send(body ?? null);
  });
}

function problem(answer) {
  let text = `The server answered ${answer.status}.`;
  try {
    const told = JSON.parse(answer.responseText);
    text = `${told.detail}. ${told.remedy}.`;
  } catch { /* no document */ }
  return Object.assign(new Error(text), { status: answer.status });
}

const encode = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
function options(form) {
  const rows = (name) => form.elements[name].value.split("\n").map((row) => row.trim()).filter(Boolean);
  const classes = form.elements.classes.value.split(",").map((one) => one.trim()).filter(Boolean);
  const found = { lines: rows("lines"), zones: rows("zones"), ignore: rows("ignore"),
    any_class: form.elements.any_class.checked, annotated: form.elements.annotated.checked };
  for (const name of ["min_size", "max_size"]) if (form.elements[name].value) found[name] = Number(form.elements[name].value);
  if (classes.length) found.classes = classes;
  return found;
}

class Upload {
  constructor(file, wanted) {
    this.file = file;
    this.key = keyOf(file);
    this.wanted = wanted;
    this.paused = this.ended = false;
    byId(`left-${this.key}`)?.remove();
    this.row = element(byId("uploads"), "li");
    element(this.row, "strong", {}, file.name);
    this.words = element(this.row, "p", { class: "words" }, "Starting…");
    this.bar = element(this.row, "progress", { max: file.size, value: 0, "aria-label": `Upload of ${file.name}` });
    this.toggle = element(this.row, "button", { type: "button", class: "plain" }, "Pause");
    this.toggle.setAttribute("aria-label", `Pause ${file.name}`);
    this.toggle.onclick = () => (this.paused ? this.resume() : this.pause());
    this.end = element(this.row, "button", { type: "button", class: "plain" }, "Cancel");
    this.end.setAttribute("aria-label", `Cancel ${file.name}`);
    this.end.onclick = () => this.cancel();
  }

  show(offset) {
    this.bar.value = offset;
    const percent = Math.floor((100 * offset) / this.file.size);
    this.words.textContent = this.paused ? `Paused at ${percent}%.` : `${percent}% uploaded.`;
    this.row.dataset.offset = offset;
  }

  label(text) {
    this.toggle.textContent = text;
    this.toggle.setAttribute("aria-label", `${text} ${this.file.name}`);
  }

  pause() {
    this.paused = true;
    this.sent?.abort();
    this.label("Resume");
    this.show(this.bar.value);
  }

  resume() {
    this.paused = false;
    this.label("Pause");
    this.run();
  }

  async cancel() {
    this.ended = true;
    this.sent?.abort();
    const begun = stored()[this.key];
    store(this.key, null);
    if (begun) await request("DELETE", begun.location, {}).catch(() => null);
    this.row.remove();
    say(`The upload of ${this.file.name} was canceled.`);
    byId("file").focus();
  }

  // Until it is done, paused or refused: what the connection breaks is tried again.
  async run() {
    let wait = 1000;
    while (!this.paused && !this.ended) {
      try {
        await this.send(() => { wait = 1000; });
        return;
      } catch (error) {
        if (this.paused || this.ended) return;
        const again = !error.status || [408, 409, 423, 429, 500, 502, 503, 504, 507].includes(error.status);
        if (!again) { this.fail(error.message); return; }
        this.words.textContent = `${error.status ? error.message : "No connection."} Trying again…`;
        await pause(wait);
        wait = Math.min(2 * wait, LONGEST_PAUSE);
      }
    }
  }

  async send(onBytes) {
    let { location, offset } = await this.begin();
    while (offset < this.file.size && !this.paused && !this.ended) {
      const from = offset;
      const answer = await request("PATCH", location,
        { "Upload-Offset": from, "Content-Type": "application/offset+octet-stream" },
        this.file.slice(from, from + CHUNK),
        (loaded) => { onBytes(); this.show(Math.min(from + loaded, this.file.size)); }, this);
      if (answer.status !== 204) throw problem(answer);
      offset = Number(answer.getResponseHeader("Upload-Offset"));
      this.show(offset);
    }
    if (offset === this.file.size) this.done(location);
  }

  // Where to go on: asks for the upload that was begun, or announces it.
  async begin() {
    const begun = this.begun ?? stored()[this.key];
    if (begun) {
      this.begun = begun; // another page of the site may end it, and forget it
      const answer = await request("HEAD", begun.location, {});
      if (answer.status === 200) {
        return { location: begun.location, offset: Number(answer.getResponseHeader("Upload-Offset")) };
      }
      if (answer.status !== 404) throw problem(answer);
    }
    const metadata = `filename ${encode(this.file.name)},options ${encode(JSON.stringify(this.wanted))}`;
    const answer = await request("POST", "/v1/uploads",
      { "Upload-Length": this.file.size, "Upload-Metadata": metadata });
    if (answer.status !== 201) throw problem(answer);
    const location = answer.getResponseHeader("Location");
    store(this.key, this.begun = { location, name: this.file.name });
    return { location, offset: 0 };
  }

  async done(location) {
    this.ended = true;
    store(this.key, null);
    const focused = this.row.contains(document.activeElement);
    this.row.remove();
    say(`${this.file.name} is uploaded.`);
    await refresh("videos");
    listen();
    if (focused) document.querySelector(`#videos a[href$="${location.slice(-26)}"]`)?.focus();
  }

  fail(text) {
    this.ended = true;
    store(this.key, null);
    this.words.textContent = `Not uploaded: ${text}`;
    this.words.classList.add("bad-text");
    this.bar.remove();
    this.toggle.remove();
    this.end.textContent = "Close";
    this.end.setAttribute("aria-label", `Close ${this.file.name}`);
    this.end.onclick = () => { this.row.remove(); byId("file").focus(); };
    say(`${this.file.name} is not uploaded.`);
  }
}

function prepareUploads(form) {
  const input = byId("file");
  input.multiple = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = options(form);
    const running = new Set([...byId("uploads").children].map((row) => row.dataset.key));
    for (const file of input.files) {
      if (running.has(keyOf(file))) continue;
      const upload = new Upload(file, wanted);
      upload.row.dataset.key = upload.key;
      upload.run();
    }
    input.value = "";
  });
  for (const [key, begun] of Object.entries(stored())) {
    const row = element(byId("uploads"), "li", { id: `left-${key}` });
    element(row, "strong", {}, begun.name);
    element(row, "p", {}, "Not complete: choose the same file again, and its upload goes on.");
    const button = element(row, "button", { type: "button", class: "plain" }, "Discard");
    button.setAttribute("aria-label", `Discard ${begun.name}`);
    button.onclick = () => {
      store(key, null);
      row.remove();
      request("DELETE", begun.location, {}).catch(() => null);
      input.focus();
    };
  }
}

const number = (value) => value.toLocaleString("en-US");
function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

function words(job) {
  let left = "";
  if (job.eta) left += `, about ${duration(Math.max(1, (Date.parse(job.eta) - Date.now()) / 1000))} left`;
  if (job.late_s) left += `, ${duration(job.late_s)} late`;
  if (job.state === "queued") return `Waiting for its turn${left}.`;
  return `Counting: ${number(job.frames)}${job.total ? ` of ${number(job.total)}` : ""} frames${left}.`;
}

// Replace parts of the page by what the server shows now; what has the focus keeps it.
async function refresh(...ids) {
  const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ids) replace(id, page.getElementById(id));
}

function replace(id, fresh) {
  const old = byId(id);
  if (!fresh || !old) return;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  old.replaceWith(document.adoptNode(fresh));
  if (focused) {
    const same = focused.id ? byId(focused.id) : byId(id)?.querySelector(`a[href="${focused.getAttribute("href")}"]`);
    (same ?? byId("main")).focus();
  }
}

const shown = new Map(); // {job id: its last event}
function show(job) {
  const place = document.querySelector(`[data-job="${job.id}"]`);
  if (!place) return;
  if (job.state === "queued" || job.state === "running") {
    shown.set(job.id, job);
    place.querySelector(".words").textContent = words(job);
    const bar = place.querySelector("progress");
    if (bar) { bar.max = job.total || 1; bar.value = job.frames; }
  } else if (place.dataset.state !== job.state) {
    shown.delete(job.id);
    place.dataset.state = job.state;
    refresh(place.dataset.whole ?? place.id);
    say(job.state === "done" ? "A count is done." : `A count is ${job.state === "failed" ? "not possible" : "canceled"}.`);
  }
}

function listen() {
  const open = '[data-state="queued"], [data-state="running"]';
  if (listen.events || !document.querySelector(open)) return;
  listen.events = new EventSource("/v1/events");
  listen.events.addEventListener("job", (event) => show(JSON.parse(event.data)));
  // What ended before the stream began is in no event.
  listen.events.onopen = () => refresh(...[...document.querySelectorAll(open)].map((one) => one.id));
  setInterval(() => { for (const job of shown.values()) show(job); }, 1000);
}

if (byId("upload")) prepareUploads(byId("upload"));
if ("signedIn" in document.body.dataset) listen();
window.addEventListener("pagehide", () => listen.events?.close());
