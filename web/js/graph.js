// A curve over time that is drawn by its points: drag them, double-click adds one, a right click removes it; by keys too.

import { drawing, element } from "./elements.js";
import { curveThrough } from "./keyframes.js";
import { word } from "./words.js";

/** Parts into which the width is divided to draw a curve, and to ask for a sound's outline. */
export const PARTS = 240;
/** Seconds between two points at least, and by how much a key moves one: alone, with Shift. */
const NEAREST = 0.01;
const STEPS = [0.1, 1];
/** Shares of the range by which a key raises a point: alone, with Shift. */
const RISES = [0.02, 0.1];
/** Seconds between two marks of the axis: the first of which few enough fit. */
const MARKS = [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800];
const MOST_MARKS = 6;

/** A graph; what it shows is set by `show`, and what people do there is told by `changed(keys)`. */
export class Graph {
  #wave = drawing("path");
  #line = drawing("path");
  #zero = element("div", { class: "sonic-zero" });
  #marks = element("div", { class: "sonic-marks", "aria-hidden": "true" });
  #most = element("span", { class: "sonic-most" });
  #least = element("span", { class: "sonic-least" });
  #message = element("p", { class: "sonic-message", role: "status" });
  #points = [];
  #drag;

  /** @param {(keys: {at: number, value: number}[]) => void} changed */
  constructor(changed) {
    this.changed = changed;
    const parts = [plot("sonic-dim", this.#wave), this.#zero, this.#marks, this.#most, this.#least];
    const listeners = {
      dblclick: (event) => this.#double(event),
      contextmenu: (event) => this.#context(event),
      pointerdown: (event) => this.#press(event),
      pointermove: (event) => this.#move(event),
      pointerup: () => (this.#drag = undefined),
      pointercancel: () => (this.#drag = undefined),
      keydown: (event) => this.#key(event),
    };
    const said = { role: "group", tabindex: "0", "data-sonic": "curve-plot" };
    const line = plot("sonic-bright", this.#line);
    this.element = element("div", { class: "sonic-plot", ...said, ...listeners }, ...parts, line, this.#message);
  }

  /**
   * Show a curve.
   *
   * @param {object} shown
   * @param {{keys: {at: number, value: number}[], straight: boolean}} shown.curve
   * @param {{least: number, most: number, unit: string, apart?: number}} shown.range Where `apart` is given its points
   *   are moments that all have the highest value.
   * @param {number} shown.seconds What the width stands for.
   * @param {string} shown.name
   * @param {string} shown.message What is said in place of a curve.
   * @param {boolean} shown.fixed Whether nothing can be done.
   */
  show({ curve, range, seconds, name, message, fixed }) {
    Object.assign(this, { curve, range, seconds, fixed });
    this.element.setAttribute("aria-label", name);
    this.element.classList.toggle("sonic-fixed", fixed);
    this.#message.textContent = message;
    this.element.classList.toggle("sonic-empty", Boolean(message));
    const { least, most } = range;
    this.#most.textContent = range.apart ? "" : this.#valued(most);
    this.#least.textContent = range.apart ? "" : this.#valued(least);
    this.#zero.style.top = `${(1 - this.#height(0)) * 100}%`;
    this.#zero.style.visibility = least < 0 ? "visible" : "hidden";
    const marks = marksOf(seconds).map((at) => {
      const style = `left:${(at / seconds) * 100}%`;
      return element("span", { style }, word("curve", "seconds", { seconds: String(at) }));
    });
    this.#marks.replaceChildren(...marks);
    this.#line.setAttribute("d", curve.keys.length ? this.#outlined() : "");
    this.#place();
  }

  /** Draw the sound behind the curve. @param {[number, number][]} peaks From left to right, each part's low and high. */
  hear(peaks) {
    const high = peaks.map(([, top], part) => `${part} ${50 - 46 * Math.max(top, 0)}`);
    const low = peaks.map(([bottom], part) => `${part} ${50 - 46 * Math.min(bottom, 0)}`).reverse();
    this.#wave.setAttribute("d", peaks.length ? `M${[...high, ...low].join("L")}Z` : "");
  }

  /** Whether a point is being dragged. */
  get busy() {
    return Boolean(this.#drag);
  }

  #outlined() {
    if (this.range.apart) {
      return this.curve.keys.map(({ at }) => `M${(at / this.seconds) * PARTS} 100V8`).join("");
    }
    const read = curveThrough(this.curve);
    const points = Array.from({ length: PARTS + 1 }, (_, part) => {
      return `${part} ${(100 * (1 - this.#height(read((part / PARTS) * this.seconds)))).toFixed(2)}`;
    });
    return `M${points.join("L")}`;
  }

  #place() {
    const { keys } = this.curve;
    while (this.#points.length > keys.length) this.#points.pop().remove();
    while (this.#points.length < keys.length) this.#points.push(this.#point());
    for (const [index, key] of keys.entries()) {
      const point = this.#points[index];
      point.style.left = `${Math.min(key.at / this.seconds, 1) * 100}%`;
      point.style.top = `${(1 - this.#height(key.value)) * 100}%`;
      const seconds = word("curve", "seconds", { seconds: key.at.toFixed(2) });
      const text = this.range.apart ? seconds : `${seconds}: ${this.#valued(key.value)}`;
      const now = this.range.apart ? key.at : key.value;
      const bounds = this.range.apart ? [0, this.seconds] : [this.range.least, this.range.most];
      const told = { label: text, valuemin: bounds[0], valuemax: bounds[1], valuenow: now, valuetext: text };
      for (const [what, said] of Object.entries(told)) point.setAttribute(`aria-${what}`, said);
      point.title = text;
    }
  }

  #point() {
    const made = element("div", { class: "sonic-key", role: "slider", tabindex: "0" });
    this.element.append(made);
    return made;
  }

  #valued(value) {
    return `${rounded(value, 0.01)}${this.range.unit}`;
  }

  /** Share of the height at which a value lies, from the bottom. */
  #height(value) {
    if (this.range.apart) return 0.92;
    const { least, most } = this.range;
    return Math.min(1, Math.max(0, (value - least) / (most - least)));
  }

  /** Tell where the pointer is, as a point. */
  #at({ clientX, clientY }) {
    const { left, top, width, height } = this.element.getBoundingClientRect();
    const { least, most, apart } = this.range;
    const value = apart ? 1 : least + (1 - (clientY - top) / height) * (most - least);
    return this.#within({ at: ((clientX - left) / width) * this.seconds, value });
  }

  #within({ at, value }) {
    const { least, most } = this.range;
    const step = most - least > 10 ? 0.5 : 0.01;
    const inside = rounded(Math.min(most, Math.max(least, value)), step);
    return { at: rounded(Math.max(0, at), NEAREST), value: inside };
  }

  #press(event) {
    if (event.button === 2 && this.#points.includes(event.target)) event.stopPropagation();
    const index = this.#points.indexOf(event.target);
    if (event.button !== 0 || index < 0 || this.fixed) return;
    event.stopPropagation();
    this.element.setPointerCapture(event.pointerId);
    this.#drag = { index };
    event.target.focus();
    event.preventDefault();
  }

  #move(event) {
    if (!this.#drag) return;
    event.stopPropagation();
    const { at, value } = this.#at(event);
    this.#put(this.#drag.index, { at: Math.min(at, rounded(this.seconds, NEAREST)), value });
  }

  #double(event) {
    event.stopPropagation();
    event.preventDefault();
    if (!this.fixed && !this.#points.includes(event.target)) this.#add(this.#at(event));
  }

  #context(event) {
    const index = this.#points.indexOf(event.target);
    if (index < 0) return;
    event.stopPropagation();
    event.preventDefault();
    if (!this.fixed) this.#remove(index);
  }

  #key(event) {
    const index = this.#points.indexOf(event.target);
    const big = Number(event.shiftKey);
    const { least, most } = this.range;
    const [time, rise] = [STEPS[big], Math.max(RISES[big] * (most - least), 0.01)];
    const moves = { ArrowLeft: [-time, 0], ArrowRight: [time, 0], ArrowUp: [0, rise], ArrowDown: [0, -rise] };
    const does = {
      Delete: () => index >= 0 && this.#remove(index),
      Backspace: () => index >= 0 && this.#remove(index),
      Enter: () => this.#addAfter(index),
      Insert: () => this.#addAfter(index),
    };
    const move = moves[event.key];
    if (this.fixed || !(move || does[event.key])) return;
    event.preventDefault();
    event.stopPropagation(); // the canvas has keys of its own
    if (does[event.key]) does[event.key]();
    else if (index >= 0) {
      const { at, value } = this.curve.keys[index];
      this.#put(index, this.#within({ at: at + move[0], value: value + move[1] }));
    }
  }

  /** Move a point; it never passes another one. */
  #put(index, { at, value }) {
    const apart = (this.range.apart ?? 0) + NEAREST;
    const keys = this.curve.keys.map((key) => ({ ...key }));
    const lowest = index ? keys[index - 1].at + apart : 0;
    const highest = index + 1 < keys.length ? keys[index + 1].at - apart : Infinity;
    keys[index] = { at: rounded(Math.max(lowest, Math.min(at, highest)), NEAREST), value };
    this.changed(keys);
  }

  #add(key) {
    const apart = (this.range.apart ?? 0) + NEAREST;
    const { keys } = this.curve;
    if (keys.some(({ at }) => Math.abs(at - key.at) < apart)) return;
    const next = keys.findIndex(({ at }) => at > key.at);
    const index = next < 0 ? keys.length : next;
    this.changed([...keys.slice(0, index), key, ...keys.slice(index)]);
    this.#points[index]?.focus();
  }

  /** Add a point behind another one, or in the middle where there is none. */
  #addAfter(index) {
    const { keys } = this.curve;
    const before = keys[index] ?? keys.at(-1);
    const next = keys[keys.indexOf(before) + 1];
    const at = before ? (next ? (before.at + next.at) / 2 : before.at + Math.max(1, this.range.apart ?? 0)) : 0;
    const value = keys.length ? curveThrough(this.curve)(at) : (this.range.least + this.range.most) / 2;
    this.#add(this.#within({ at, value: this.range.apart ? 1 : value }));
  }

  #remove(index) {
    this.changed(this.curve.keys.filter((_, other) => other !== index));
    (this.#points[Math.min(index, this.#points.length - 1)] ?? this.element).focus();
  }
}

function plot(name, path) {
  const box = { viewBox: `0 0 ${PARTS} 100`, preserveAspectRatio: "none", "aria-hidden": "true" };
  return drawing("svg", { class: name, ...box }, path);
}

function marksOf(seconds) {
  const step = MARKS.find((one) => seconds / one <= MOST_MARKS) ?? seconds;
  return Array.from({ length: Math.floor(seconds / step) }, (_, index) => (index + 1) * step).filter((at) => at < seconds);
}

function rounded(value, step) {
  return Number((Math.round(value / step) * step).toFixed(3));
}
