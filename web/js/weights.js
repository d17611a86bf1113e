// SonicModelLoader: what of sonic-base is missing, and a button that fetches it.

import { api } from "../../../scripts/api.js";
import { element } from "./elements.js";
import { after, soon, whenChanged, widgetOf } from "./nodes.js";
import { addPanel } from "./panel.js";
import { say, word } from "./words.js";

/** What can be fetched for the node. */
const NAME = "sonic-base";
const PLACE = "/sonic/weights";
const UNITS = ["B", "kB", "MB", "GB"];

/** What shows the state of the download on the nodes that are in a graph. */
const watchers = new Set();

/** Hear how far the download is. */
export function hearDownloads() {
  api.addEventListener("sonic.download", ({ detail }) => {
    for (const watch of watchers) watch(detail);
  });
}

/** Add the line with the button to a node. */
export function addDownload(node) {
  const panel = new Download(node);
  whenChanged(node, ["model_name"], soon(() => panel.ask()));
  const watch = (state) => panel.heed(state);
  after(node, "onAdded", () => watchers.add(watch) && panel.ask());
  after(node, "onRemoved", () => watchers.delete(watch));
}

class Download {
  #known;
  #open = false;
  #failure = "";

  constructor(node) {
    this.node = node;
    this.show = addPanel(node, "weights");
  }

  /** Ask what is missing; nothing is where the node does without. */
  async ask() {
    const wanted = widgetOf(this.node, "model_name").value !== "sonic-preview";
    const answer = wanted ? await api.fetchApi(`${PLACE}?${new URLSearchParams({ name: NAME })}`) : undefined;
    this.#known = answer?.ok ? await answer.json() : undefined;
    this.#draw();
  }

  /** Take what the server tells of the download. */
  heed(state) {
    if (!this.#known || state.name !== NAME) return;
    const ended = state.state !== "running";
    this.#known.download = state;
    this.#failure = state.state === "failed" ? say(state.message) : "";
    if (ended) this.ask();
    else this.#draw();
  }

  #draw() {
    const { download = {}, files = [] } = this.#known ?? {};
    if (download.state === "running") this.show(...this.#running(download));
    else if (!files.length) this.show();
    else if (this.#open) this.show(...this.#form());
    else this.show(this.#offer());
  }

  #offer() {
    const click = () => {
      this.#open = true;
      this.#draw();
    };
    const size = sizeOf(this.#known.bytes);
    const begun = this.#known.download?.state === "stopped" ? word("weights", "stopped") : "";
    const said = element("span", { class: "sonic-name" }, begun || word("weights", "missing", { name: NAME, size }));
    return element("div", { class: "sonic-row" }, said, button("open", click));
  }

  #form() {
    const { mirrors, gated, bytes, free, folder, licences, command } = this.#known;
    const label = word("weights", "mirror");
    const choices = mirrors.map((mirror) => element("option", { value: mirror }, mirror.replace("https://", "")));
    const mirror = element("select", { "aria-label": label, title: label }, ...choices);
    const asked = word("weights", "token", { pages: gated.join(", ") });
    const kept = { type: "password", autocomplete: "off", spellcheck: "false" };
    const token = element("input", { ...kept, placeholder: asked, title: asked, "aria-label": asked });
    for (const field of [mirror, token]) field.addEventListener("pointerdown", (event) => event.stopPropagation());
    token.addEventListener("keydown", (event) => event.stopPropagation());
    const start = () => this.#start(mirror.value, token);
    const close = () => this.#close();
    const facts = { size: sizeOf(bytes), free: sizeOf(free), folder, licences: licences.join(", ") };
    return [
      element("p", {}, word("weights", "plan", facts)),
      element("div", { class: "sonic-row" }, mirror),
      ...(gated.length ? [element("div", { class: "sonic-row" }, token)] : []),
      ...(this.#failure ? [element("p", { class: "sonic-failure", role: "alert" }, this.#failure)] : []),
      element("div", { class: "sonic-row" }, button("start", start), button("close", close)),
      element("p", { class: "sonic-quiet" }, word("weights", "command")),
      element("code", { class: "sonic-command", tabindex: "0" }, command),
    ];
  }

  #running({ file, number, count, done = 0, total = 0 }) {
    const said = file ? word("weights", "running", { file, number, count, done, total }) : word("weights", "asking");
    const bar = element("progress", total ? { max: total, value: done, "aria-label": said } : { "aria-label": said });
    const text = element("span", { class: "sonic-name", title: said }, said);
    return [bar, element("div", { class: "sonic-row" }, text, button("stop", () => post("stop", {})))];
  }

  #close() {
    this.#open = false;
    this.#failure = "";
    this.#draw();
  }

  async #start(mirror, field) {
    const token = field.value.trim();
    field.value = ""; // it stays nowhere on the page
    const answer = await post("download", { name: NAME, mirror, token });
    const said = await answer.json().catch(() => ({ message: `${answer.status} ${answer.statusText}` }));
    if (answer.ok) this.heed(said);
    this.#failure = answer.ok ? "" : say(said.message);
    this.#draw();
  }
}

function post(what, body) {
  const headers = { "Content-Type": "application/json" };
  return api.fetchApi(`${PLACE}/${what}`, { method: "POST", headers, body: JSON.stringify(body) });
}

function button(name, click) {
  return element("button", { type: "button", "data-do": name, click }, word("weights", name));
}

function sizeOf(bytes) {
  const unit = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** unit).toFixed(unit > 2 ? 1 : 0)} ${UNITS[unit]}`;
}
