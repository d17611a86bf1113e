// The picture of a sound, drawn twice: dim as a whole, bright where a part is chosen.

import { drawing, element } from "./elements.js";

/** How many pairs of values are asked for: more than a node is wide. */
export const COUNT = 600;

/** A waveform with edges to drag and a playhead; everything in it is placed by shares of its width. */
export class Waveform {
  #whole = drawing("path");
  #part = drawing("path");
  #bright = plot("sonic-bright", this.#part);
  #chosen = element("div", { class: "sonic-chosen" });
  #playhead = element("div", { class: "sonic-playhead" });
  #message = element("p", { class: "sonic-message", role: "status" });

  /** @param {HTMLElement[]} edges What is dragged: the beginning and the end of the part. */
  constructor(edges) {
    this.edges = edges;
    const plots = [plot("sonic-dim", this.#whole), this.#bright];
    const parts = [this.#chosen, ...plots, this.#playhead, ...edges, this.#message];
    this.element = element("div", { class: "sonic-waveform" }, ...parts);
  }

  /** @param {[number, number][]} peaks Lowest and highest value, −1 to 1, from left to right. */
  draw(peaks) {
    for (const path of [this.#whole, this.#part]) path.setAttribute("d", outline(peaks));
  }

  /** Say something in place of the drawing. */
  say(message) {
    this.#message.textContent = message;
    this.element.classList.toggle("sonic-empty", Boolean(message));
  }

  /** Mark the part between two shares of the width. */
  mark(start, end) {
    const [left, right] = [start, 1 - end].map((share) => `${share * 100}%`);
    this.#bright.style.clipPath = `inset(0 ${right} 0 ${left})`;
    Object.assign(this.#chosen.style, { left, right });
    for (const [index, share] of [start, end].entries()) this.edges[index].style.left = `${share * 100}%`;
  }

  /** Put the playhead at a share of the width, or take it away. */
  point(share) {
    this.#playhead.hidden = share === undefined;
    this.#playhead.style.left = `${(share ?? 0) * 100}%`;
  }

  /** Tell at which share of the width the pointer is. */
  shareAt({ clientX }) {
    const { left, width } = this.element.getBoundingClientRect();
    return Math.min(1, Math.max(0, (clientX - left) / width));
  }
}

function plot(name, path) {
  const box = { viewBox: `0 -1 ${COUNT} 2`, preserveAspectRatio: "none", "aria-hidden": "true" };
  return drawing("svg", { class: name, ...box }, path);
}

/** Outline a sound: along its highest values, and back along its lowest. */
function outline(peaks) {
  const step = COUNT / peaks.length;
  const points = (values) => values.map((value, index) => `${((index + 0.5) * step).toFixed(1)} ${-value.toFixed(3)}`);
  const upper = points(peaks.map(([, high]) => Math.max(high, 0.01)));
  const lower = points(peaks.map(([low]) => Math.min(low, -0.01))).reverse();
  return peaks.length ? `M0 0L${upper.join("L")}L${COUNT} 0L${lower.join("L")}Z` : "";
}
