// SonicDirection: its curves as graphs, below the lines on which they are written. The lines stay what is sent and saved.

import { api } from "../../../scripts/api.js";
import { element } from "./elements.js";
import { Graph, PARTS } from "./graph.js";
import { readCurve, readMoments, writeCurve, writeMoments } from "./keyframes.js";
import { after, isLinked, setValue, soon, whenChanged, widgetOf } from "./nodes.js";
import { addPanel } from "./panel.js";
import { word } from "./words.js";

/** Seconds that are shown where no sound is known, and how much more than the last point. */
const SECONDS = 4;
const BEYOND = 1.25;
/** Kinds of node whose widget `audio` names a sound file of the host's folders. */
const SOUNDS = ["SonicLoadAudio", "LoadAudio"];
/** Drawn where nothing is directed. */
const NOTHING = { keys: [], straight: false };

/** The curves of the node, by the input's name: their ranges. */
let ranges = {};
/** Sounds that were asked for, by name. */
const heard = new Map();

/** Remember between which values curves go. */
export function learnCurves({ input }) {
  const inputs = Object.entries(input.required);
  ranges = Object.fromEntries(inputs.flatMap(([name, [, options]]) => (options?.curve ? [[name, options.curve]] : [])));
}

/** Add the graphs to a node. */
export function addCurves(node) {
  if (Object.keys(ranges).length) new Curves(node);
}

/** One graph, and the choice which curve it shows. */
class Curves {
  #straight = false;

  constructor(node) {
    this.node = node;
    this.sound = { seconds: 0, peaks: [] };
    const options = Object.keys(ranges).map((name) => element("option", { value: name }));
    this.choice = element("select", { "aria-label": word("curve", "choice"), change: () => this.redraw() }, ...options);
    this.easing = element("button", { type: "button", "data-do": "straight", click: () => this.#ease() });
    this.easing.append(word("curve", "straight"));
    this.clear = element("button", { type: "button", "data-do": "clear", click: () => this.#write([]) });
    this.clear.append(word("curve", "clear"));
    this.graph = new Graph((keys) => this.#write(keys));
    const row = element("div", { class: "sonic-row" }, this.choice, this.easing, this.clear);
    const hint = element("p", { class: "sonic-quiet" }, word("curve", "hint"));
    const show = addPanel(node, "curves");
    show(row, this.graph.element, hint);
    this.redraw = soon(() => this.#redraw());
    const listen = soon(() => this.#listen());
    row.parentElement.addEventListener("pointerenter", listen);
    whenChanged(node, Object.keys(ranges), this.redraw);
    after(node, "onConfigure", () => this.#first());
    after(node, "onConnectionsChange", listen);
    after(node, "onAdded", () => setTimeout(listen)); // its links are there only when all nodes are
    this.#first();
  }

  get #name() {
    return this.choice.value;
  }

  /** Begin with the first curve that is written. */
  #first() {
    const names = Object.keys(ranges);
    this.choice.value = names.find((name) => String(widgetOf(this.node, name).value).trim()) ?? names[0];
    this.redraw();
  }

  #read() {
    const range = ranges[this.#name];
    const text = String(widgetOf(this.node, this.#name).value ?? "");
    return range.apart ? readMoments(text, range.apart) : readCurve(text);
  }

  #write(keys) {
    const range = ranges[this.#name];
    const straight = this.#straight;
    setValue(this.node, this.#name, range.apart ? writeMoments({ keys }) : writeCurve({ keys, straight }));
    this.#redraw();
  }

  #ease() {
    this.#straight = !this.#straight;
    this.#write(this.graph.curve.keys);
  }

  #redraw() {
    const name = this.#name;
    const range = ranges[name];
    const linked = isLinked(this.node, name);
    const read = linked ? NOTHING : this.#read();
    const curve = read ?? NOTHING;
    if (curve.keys.length) this.#straight = curve.straight;
    const beyond = !range.apart && curve.keys.some(({ value }) => value < range.least || value > range.most);
    this.#label();
    this.easing.setAttribute("aria-pressed", String(this.#straight));
    this.easing.disabled = linked || Boolean(range.apart) || curve.keys.length < 2;
    this.clear.disabled = linked || !String(widgetOf(this.node, name).value).trim();
    this.graph.show({
      curve,
      range,
      seconds: this.#seconds(curve.keys),
      name: this.#called(name),
      message: this.#message({ linked, read, beyond, range }),
      fixed: linked || !read,
    });
  }

  /** What the width stands for; while a point is dragged, what it stood for. */
  #seconds(keys) {
    const last = keys.at(-1)?.at ?? 0;
    if (this.graph.busy && last <= this.graph.seconds) return this.graph.seconds;
    const known = this.sound.seconds;
    return known ? Math.max(known, last) : Math.max(SECONDS, Math.ceil(last * BEYOND));
  }

  #message({ linked, read, beyond, range }) {
    if (linked) return word("curve", "linked");
    if (!read) return word("curve", range.apart ? "moments" : "unreadable");
    if (beyond) return word("curve", "beyond", range);
    return read.keys.length ? "" : word("curve", "empty");
  }

  /** Name the curves in the choice, those that are written with a dot. */
  #label() {
    for (const option of this.choice.options) {
      const written = String(widgetOf(this.node, option.value).value).trim();
      option.textContent = `${written ? "● " : ""}${this.#called(option.value)}`;
    }
  }

  #called(name) {
    const { label } = widgetOf(this.node, name);
    return label || name;
  }

  /** Find the sound that the video will have, and draw it. */
  async #listen() {
    const found = soundBehind(this.node);
    const asked = found && (await heardOf(found.name));
    const whole = asked?.seconds ?? 0;
    const start = Math.min(found?.start ?? 0, whole);
    const seconds = Math.min(found?.seconds || Infinity, whole - start);
    this.sound = { seconds };
    this.graph.hear(seconds ? partOf(asked.peaks, [start, start + seconds, whole]) : []);
    this.#redraw();
  }
}

/** Find the sound file behind the nodes that a node's output goes to, and the part of it that is taken. */
function soundBehind(node) {
  const known = new Set();
  const waiting = [node];
  let seconds = 0;
  let forward = true;
  while (waiting.length) {
    const one = waiting.shift();
    if (!one || known.has(one)) continue;
    known.add(one);
    const [start, duration] = ["start", "duration"].map((name) => Number(widgetOf(one, name)?.value) || 0);
    if (SOUNDS.includes(one.comfyClass)) {
      const name = isLinked(one, "audio") ? "" : widgetOf(one, "audio")?.value;
      const lengths = [seconds, duration].filter(Boolean);
      return name ? { name, start, seconds: lengths.length ? Math.min(...lengths) : 0 } : undefined;
    }
    seconds = seconds || duration;
    const links = forward ? one.outputs.flatMap((output) => output.links ?? []) : [];
    forward &&= one === node;
    const behind = one === node ? [] : one.inputs.map((input) => input.link);
    for (const id of [...links, ...behind]) waiting.push(neighbour(one, id));
  }
  return undefined;
}

function neighbour(node, id) {
  const links = node.graph?.links;
  const link = id === null || id === undefined ? undefined : (links?.get?.(id) ?? links?.[id]);
  if (!link) return undefined;
  return node.graph.getNodeById(link.origin_id === node.id ? link.target_id : link.origin_id);
}

/** Ask how a sound looks, once. */
function heardOf(audio) {
  if (!heard.has(audio)) {
    const asked = api
      .fetchApi(`/sonic/waveform?${new URLSearchParams({ audio, count: 4 * PARTS })}`)
      .then((answer) => (answer.ok ? answer.json() : undefined))
      .catch(() => undefined);
    heard.set(audio, asked);
  }
  return heard.get(audio);
}

/** Take the peaks between two moments, as many as are drawn. */
function partOf(peaks, [start, end, whole]) {
  const place = (share) => Math.floor(((start + share * (end - start)) / whole) * peaks.length);
  return Array.from({ length: PARTS + 1 }, (_, part) => peaks[Math.min(place(part / PARTS), peaks.length - 1)]);
}
