// The boxes of our templates end where the nodes in them end: pictures and videos that a run brings make nodes higher,
// and how much differs from canvas to canvas. Only boxes that are saved with the flag below follow; others are left alone.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

const FOLLOWS = "sonic_follows";
/** Pixels below the lowest node in a box. */
const FOOT = 12;
/** Milliseconds after which nodes have found their heights: at once, when their pictures have come, and videos. */
const DELAYS = [300, 1500, 4000];

/** Tell where a node begins and ends: left, top and bottom, its title included. */
function placeOf(node) {
  const [left, top, , height] = node.boundingRect ?? node.getBounding();
  return { left, top, bottom: top + height };
}

/** End a box below the lowest of the nodes that begin in it. */
function follow(group, places) {
  const [left, top] = group.pos;
  const [width, height] = group.size;
  const begins = (place) => place.left >= left && place.left < left + width && place.top >= top && place.top < top + height;
  const lowest = Math.max(...places.filter(begins).map((place) => place.bottom));
  const wanted = lowest + FOOT - top;
  if (!Number.isFinite(wanted) || Math.abs(wanted - height) < 1) return;
  group.size = [width, wanted];
  group.graph?.setDirtyCanvas(true, true);
}

/** Have the boxes on the canvas follow. */
function followAll() {
  const { nodes, groups } = app.canvas.graph;
  const places = nodes.map(placeOf);
  for (const group of groups) if (group.flags?.[FOLLOWS]) follow(group, places);
}

/** Draw all anew, which is when some canvases find how high a node has become, and then have the boxes follow. */
function drawAndFollow() {
  app.canvas.setDirty(true, true);
  requestAnimationFrame(() => requestAnimationFrame(followAll));
}

/** Have boxes follow whenever a node has shown something new. */
export function followNodes() {
  const later = () => DELAYS.forEach((delay) => setTimeout(drawAndFollow, delay));
  for (const event of ["executed", "execution_success"]) api.addEventListener(event, later);
}
