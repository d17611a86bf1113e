// What VideoCombine made: one line about it, and of several videos the choice which one is shown.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { element } from "./elements.js";
import { after, nodeAt, rootGraph } from "./nodes.js";
import { addPanel } from "./panel.js";
import { word } from "./words.js";

const UNITS = ["B", "kB", "MB", "GB"];

/** Per node: what shows its line anew. */
const lines = new WeakMap();

/**
 * Say that a node shows a picture. The canvas takes what it shows for a video wherever a video goes in.
 */
export function markPictures(node) {
  node.previewMediaType = "image";
}

/** Add the line to a node; it follows what the node made last. */
export function addVideoLine(node) {
  const show = addPanel(node, "video-info");
  lines.set(node, (output) => show(...described(node, output)));
  after(node, "onExecuted", (output) => {
    if (output?.animated) node.previewMediaType = output.animated[0] ? "video" : "image";
    if (output?.images?.length > 1 && output.sonic_video?.length > 1) choose(node, output, 0);
    else lines.get(node)(output ?? {});
  });
}

/**
 * Show the lines of results that were not made just now but come from history or from another tab.
 *
 * @param {Record<string, object>} outputs By the place of their node.
 */
export function restoreVideoLines(outputs) {
  for (const [place, output] of Object.entries(outputs)) {
    if (output?.sonic_video) lines.get(nodeAt(place))?.(output);
  }
}

/** Tell which of its videos a node shows; nothing where it has made none. */
export function shownBy(node) {
  const { sonic_video: videos = [], images = [] } = (node.graph && app.nodeOutputs[placeOf(node)]) || {};
  return videos.find((video) => isSame(video, images[0])) ?? videos[0];
}

function described(node, { sonic_video: videos = [], images = [] }) {
  if (!videos.length) return [];
  const shown = Math.max(0, videos.findIndex((video) => isSame(video, images[0])));
  const line = element("p", {}, facts(videos[shown]).join(" · "));
  return videos.length > 1 ? [choice(node, { videos, shown }), line] : [line];
}

function choice(node, { videos, shown }) {
  const buttons = videos.map(({ filename }, index) => {
    const label = word("video", "show", { number: index + 1, count: videos.length, name: filename });
    const click = () => choose(node, app.nodeOutputs[placeOf(node)], index);
    const pressed = String(index === shown);
    return element("button", { type: "button", title: label, "aria-pressed": pressed, click }, String(index + 1));
  });
  const { filename } = videos[shown];
  const name = element("span", { class: "sonic-name", title: filename }, filename);
  const said = { role: "group", "aria-label": word("video", "choice") };
  return element("div", { class: "sonic-choice", ...said }, ...buttons, name);
}

/**
 * Show one of several videos: to the canvas, the node has then made only that one. It is told so as by the server, for
 * canvases whose nodes are elements of the page keep what nodes made in a place of their own.
 */
function choose(node, output, index) {
  const { filename, subfolder, type } = output.sonic_video[index];
  const animated = [node.previewMediaType === "video"];
  const chosen = { ...output, images: [{ filename, subfolder, type }], animated };
  const made = { node: pathOf(node), display_node: pathOf(node), output: chosen };
  api.dispatchEvent(new CustomEvent("executed", { detail: made }));
  node.graph?.setDirtyCanvas(true, true);
}

/** Say what a video is: "3.00 s", "75 frames", "25 fps", … */
function facts({ seconds, frames, fps, width, height, bytes, format, title, sound }) {
  const said = [
    word("video", "seconds", { seconds: seconds.toFixed(2) }),
    word("video", "frames", { frames }),
    word("video", "fps", { fps: Number(fps.toFixed(3)) }),
    `${width} × ${height}`,
    sizeOf(bytes),
    title ?? format,
  ];
  return sound ? said : [...said, word("video", "silent")];
}

function sizeOf(bytes) {
  const unit = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** unit).toFixed(unit > 1 ? 1 : 0)} ${UNITS[unit]}`;
}

function isSame(one, other) {
  return ["filename", "subfolder", "type"].every((part) => one[part] === other?.[part]);
}

/** Name the place of a node as the canvas does: by its number, within a subgraph by that too. */
function placeOf({ id, graph }) {
  return graph.isRootGraph ? String(id) : `${graph.id}:${id}`;
}

/** Name a node as the server does: by the numbers of the subgraphs around it, and its own. */
function pathOf({ id, graph }) {
  if (graph.isRootGraph) return String(id);
  const graphs = [rootGraph(), ...rootGraph().subgraphs.values()];
  const around = graphs.flatMap(({ nodes }) => nodes).find(({ subgraph }) => subgraph === graph);
  return `${pathOf(around)}:${id}`;
}
