// SonicLoadAudio: the sound as it looks, the part of it that is taken, and a button that plays just that.

import { api } from "../../../scripts/api.js";
import { drawing, element } from "./elements.js";
import { after, isLinked, keepMounted, letWheelZoom, setValue, soon, whenChanged, widgetOf } from "./nodes.js";
import { Player } from "./player.js";
import { COUNT, Waveform } from "./waveform.js";
import { say, word } from "./words.js";

/** The kind of input that becomes this widget. */
export const SOUND = "SONIC_SOUND";

const HEIGHT = 92;
const TALLEST = 180;
const MARGIN = 10;
const SHORTEST = 0.01;
const CLICK = 3;
const TRIANGLE = "M2 1 9 5 2 9Z";
const BARS = "M2 1H4.2V9H2ZM5.8 1H8V9H5.8Z";

/**
 * Give the node its player. The canvas puts an upload button on every input called "audio" that allows one, and that
 * button wants a widget called "audioUI" before it, whose `src` it sets; without one the node cannot be placed at all.
 */
export function addPlayer(definition) {
  const { upload, ...rest } = definition.input.required;
  definition.input.required = { ...rest, audioUI: [SOUND, {}], upload: upload ?? ["AUDIOUPLOAD", {}] };
}

/** Make the widget. */
export function addSound(node, name) {
  const sound = new Sound(node);
  const widget = node.addDOMWidget(name, "sonic_sound", sound.element, {
    serialize: false,
    hideOnZoom: false,
    margin: MARGIN,
    getMinHeight: () => HEIGHT + 2 * MARGIN,
    getMaxHeight: () => TALLEST + 2 * MARGIN,
  });
  widget.serialize = false;
  return { widget };
}

/** Keep the widget where nodes are elements of the page: some canvases show no "audioUI" there. */
export function keepSound(node) {
  widgetOf(node, "audioUI").options.canvasOnly = false;
}

/** A sound file and the part of it that the widgets `start` and `duration` take. */
class Sound {
  #seconds = 0;
  #failure = "";
  #drag;

  constructor(node) {
    this.node = node;
    this.player = new Player(() => this.#point(), () => this.#fail(word("sound", "unplayable")));
    this.wave = new Waveform([this.#edge("start"), this.#edge("end")]);
    this.element = this.#build();
    this.redraw = soon(() => this.#redraw());
    this.reload = soon(() => this.#reload());
    this.#heed();
    whenChanged(node, ["start", "duration"], this.redraw);
    after(node, "onConnectionsChange", this.reload);
    after(node, "onRemoved", () => this.player.load(""));
    keepMounted(node, this.element);
  }

  /** What the widgets take, in seconds; all of it where they are linked and nobody knows. */
  get part() {
    if (!this.free) return { start: 0, end: this.#seconds };
    const start = Math.min(this.#number("start"), this.#seconds);
    const duration = this.#number("duration") || this.#seconds;
    return { start, end: Math.min(start + duration, this.#seconds) };
  }

  /** Whether a part can be chosen here. */
  get free() {
    return this.#seconds > 0 && !["start", "duration"].some((name) => isLinked(this.node, name));
  }

  /** Take the part from `start` to `end`; what reaches the end of the sound is taken to the end. */
  choose(start, end) {
    const [from, to] = [start, end].map((seconds) => rounded(Math.min(this.#seconds, Math.max(0, seconds))));
    setValue(this.node, "start", from);
    setValue(this.node, "duration", to >= rounded(this.#seconds) ? 0 : rounded(Math.max(SHORTEST, to - from)));
    if (this.player.playing) this.player.pause();
    this.redraw();
  }

  #build() {
    this.icon = drawing("path", { d: TRIANGLE });
    const face = drawing("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, this.icon);
    this.button = element("button", { type: "button", class: "sonic-play", click: () => this.#toggle() }, face);
    this.times = element("span", { class: "sonic-times" });
    const choose = () => this.choose(0, this.#seconds);
    this.whole = element("button", { type: "button", class: "sonic-whole", click: choose }, word("sound", "whole"));
    this.length = element("span", { class: "sonic-length" });
    const bar = element("div", { class: "sonic-bar" }, this.button, this.times, this.whole, this.length);
    this.#listen(this.wave.element);
    const said = { role: "group", "aria-label": word("sound", "group"), "data-sonic": "waveform" };
    const made = element("div", { class: "sonic-sound", ...said }, bar, this.wave.element);
    letWheelZoom(made);
    return made;
  }

  /** Let the canvas tell of another file as it tells its own player: by an address. */
  #heed() {
    let address = "";
    const set = (told) => {
      address = told;
      this.reload();
    };
    Object.defineProperty(this.element, "src", { get: () => address, set });
  }

  #edge(name) {
    const keydown = (event) => this.#step(event, name);
    const said = { role: "slider", tabindex: "0", "aria-label": word("sound", name), "data-edge": name };
    return element("div", { class: "sonic-edge", ...said, keydown });
  }

  #listen(wave) {
    wave.addEventListener("pointerdown", (event) => this.#press(event));
    wave.addEventListener("pointermove", (event) => this.#move(event));
    wave.addEventListener("pointerup", (event) => this.#release(event));
    wave.addEventListener("pointercancel", () => (this.#drag = undefined));
    wave.addEventListener("dblclick", (event) => {
      event.stopPropagation();
      if (this.free) this.choose(0, this.#seconds);
    });
  }

  #press(event) {
    if (event.button !== 0 || !this.#seconds) return;
    this.wave.element.setPointerCapture(event.pointerId);
    const edge = event.target.dataset.edge;
    this.#drag = { edge, x: event.clientX, from: this.#secondsAt(event), part: this.part, moved: false };
  }

  #move(event) {
    const drag = this.#drag;
    if (!drag || !this.free) return;
    drag.moved ||= Math.abs(event.clientX - drag.x) > CLICK;
    if (!drag.moved) return;
    const [at, { start, end }] = [this.#secondsAt(event), drag.part];
    if (drag.edge === "start") this.choose(Math.min(at, end - SHORTEST), end);
    else if (drag.edge === "end") this.choose(start, Math.max(at, start + SHORTEST));
    else this.choose(Math.min(at, drag.from), Math.max(at, drag.from));
  }

  #release(event) {
    const drag = this.#drag;
    this.#drag = undefined;
    if (!drag || drag.moved || drag.edge) return;
    const { start, end } = this.part;
    this.player.position = Math.min(Math.max(this.#secondsAt(event), start), Math.max(start, end - SHORTEST));
  }

  /** Move an edge by keys: a tenth of a second, with Shift a whole one. */
  #step(event, edge) {
    const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!direction || !this.free) return;
    event.preventDefault();
    event.stopPropagation();
    const moved = { ...this.part };
    moved[edge] += direction * (event.shiftKey ? 1 : 0.1);
    if (moved.end - moved.start >= SHORTEST) this.choose(moved.start, moved.end);
  }

  #toggle() {
    if (this.player.playing) this.player.pause();
    else if (this.#seconds) this.player.play(this.part);
  }

  async #reload() {
    const linked = isLinked(this.node, "audio") || isLinked(this.node, "path");
    const name = linked ? "" : widgetOf(this.node, "audio").value;
    this.name = name;
    const { seconds = 0, peaks = [], message = "" } = name ? await waveformOf(name) : {};
    if (this.name !== name) return; // another was chosen meanwhile
    this.#seconds = seconds;
    this.player.load(seconds ? addressOf(name) : "");
    this.wave.draw(peaks);
    this.#fail(name ? say(message) : word("sound", linked ? "linked" : "none"));
  }

  #redraw() {
    const { start, end } = this.part;
    const { free } = this;
    this.element.classList.toggle("sonic-fixed", !free);
    this.length.textContent = this.#seconds ? inSeconds(this.#seconds) : "";
    const whole = start === 0 && end === this.#seconds;
    this.times.textContent = whole ? "" : `${start.toFixed(2)} – ${end.toFixed(2)} · ${inSeconds(end - start)}`;
    this.whole.hidden = whole || !free;
    this.wave.mark(...[start, end].map((seconds) => seconds / (this.#seconds || 1)));
    for (const [index, value] of [start, end].entries()) this.#label(this.wave.edges[index], value);
    const late = this.#seconds && start >= end ? word("sound", "late", { seconds: this.#seconds.toFixed(2) }) : "";
    this.wave.say(this.#failure || late);
    this.#point();
  }

  #label(edge, value) {
    edge.hidden = !this.free;
    const said = { min: 0, max: rounded(this.#seconds), now: rounded(value), text: inSeconds(value) };
    for (const [name, text] of Object.entries(said)) edge.setAttribute(`aria-value${name}`, text);
  }

  #point() {
    const { playing, position } = this.player;
    const { start, end } = this.part;
    const inside = this.#seconds && (playing || (position > start && position < end));
    this.wave.point(inside ? position / this.#seconds : undefined);
    this.icon.setAttribute("d", playing ? BARS : TRIANGLE);
    this.button.setAttribute("aria-label", word("sound", playing ? "pause" : "play"));
    this.button.disabled = !this.#seconds;
  }

  /** Show why the sound cannot be had or heard, or, with an empty reason, the sound. */
  #fail(reason) {
    this.#failure = reason;
    this.#redraw();
  }

  #secondsAt(event) {
    return this.wave.shareAt(event) * this.#seconds;
  }

  #number(name) {
    return Number(widgetOf(this.node, name).value) || 0;
  }
}

/** Ask for the peaks of a sound, or for the reason why there are none. */
async function waveformOf(audio) {
  const answer = await api.fetchApi(`/sonic/waveform?${new URLSearchParams({ audio, count: COUNT })}`);
  return answer.json().catch(() => ({ message: `${answer.status} ${answer.statusText}` }));
}

/** Where a file of the host's folders is had, named as widgets do: "folder/name.wav [output]". */
function addressOf(audio) {
  const [, path, type = "input"] = audio.match(/^(.*?)(?: \[(input|output|temp)\])?$/);
  const cut = path.lastIndexOf("/");
  const place = { filename: path.slice(cut + 1), subfolder: path.slice(0, Math.max(0, cut)), type };
  return api.apiURL(`/view?${new URLSearchParams(place)}`);
}

function inSeconds(seconds) {
  return word("sound", "seconds", { seconds: seconds.toFixed(2) });
}

function rounded(seconds) {
  return Math.round(seconds * 100) / 100;
}
