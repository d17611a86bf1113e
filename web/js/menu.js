// What a person may do with the video that a node shows: open it, keep it, copy where it lies, and silence it.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { element } from "./elements.js";
import { after } from "./nodes.js";
import { shownBy } from "./video.js";
import { word } from "./words.js";

/** The node's property, saved with the workflow, that keeps its videos silent. */
const MUTED = "sonic_muted";
const BRIEFLY = 3000;

/** The nodes that are in a graph. */
const nodes = new Set();

/** Keep silent what shall be, whenever a video comes onto the page, or gets another file there. */
export function hearVideos() {
  const silence = () => {
    for (const node of nodes) if (node.properties[MUTED]) mute(node, shownBy(node), true);
  };
  document.addEventListener("loadedmetadata", silence, { capture: true }); // it does not bubble
  new MutationObserver(silence).observe(document.body, { childList: true, subtree: true });
}

/** Add the entries to a node's menu, once it shows something. */
export function addVideoMenu(node) {
  after(node, "onAdded", () => nodes.add(node));
  after(node, "onRemoved", () => nodes.delete(node));
  after(node, "getExtraMenuOptions", (_canvas, options) => {
    const video = shownBy(node);
    if (video) options.unshift(...entries(node, video), null);
  });
}

function entries(node, video) {
  const muted = Boolean(node.properties[MUTED]);
  const own = [
    ["open", () => window.open(addressOf(video), "_blank")],
    ["save", () => element("a", { href: addressOf(video), download: video.filename }).click()],
    ["copy", () => copyText(video.path)],
    ...(video.sound ? [[muted ? "unmute" : "mute", () => mute(node, video, !muted)]] : []),
  ];
  return own.map(([name, callback]) => ({ content: word("video", name), callback }));
}

function addressOf({ filename, subfolder, type }) {
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
}

/** Copy where something lies, and say so. */
export async function copyText(path) {
  if (navigator.clipboard) await navigator.clipboard.writeText(path);
  else copyOldly(path);
  app.extensionManager.toast.add({ severity: "info", summary: word("video", "copied"), detail: path, life: BRIEFLY });
}

/** Copy where the page came over plain HTTP from another machine: browsers have no clipboard there. */
function copyOldly(text) {
  const field = element("textarea", { readonly: "" }, text);
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

function mute(node, video, muted) {
  node.properties[MUTED] = muted;
  for (const shown of document.querySelectorAll("video")) if (isFrom(shown, video)) shown.muted = muted;
}

function isFrom({ currentSrc, src }, video) {
  if (!video) return false;
  const asked = new URL(currentSrc || src || "/", location).searchParams;
  return ["filename", "subfolder", "type"].every((part) => (asked.get(part) ?? "") === video[part]);
}
