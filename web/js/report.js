// What SonicReport found: one line of figures for each page that it wrote, and buttons to read it and to copy its path.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { element } from "./elements.js";
import { copyText } from "./menu.js";
import { after, nodeAt } from "./nodes.js";
import { addPanel } from "./panel.js";
import { word } from "./words.js";

/** The measures that are told on the node, in the order of the page, and the digits that mean something. */
const TOLD = { offset: 0, correlation: 2, closures_kept: 0, mouth: 2, flicker: 2, warping: 2, identity: 2, psnr: 1 };

/** Per node: what shows its line anew. */
const lines = new WeakMap();

/** Add the lines to a node; they follow what the node made last. */
export function addReportLine(node) {
  const show = addPanel(node, "report");
  const tell = ({ sonic_report: reports = [] } = {}) => show(...reports.flatMap(described));
  lines.set(node, tell);
  after(node, "onExecuted", tell);
}

/**
 * Show the lines of results that were not made just now but come from history or from another tab.
 *
 * @param {Record<string, object>} outputs By the place of their node.
 */
export function restoreReportLines(outputs) {
  for (const [place, output] of Object.entries(outputs)) {
    if (output?.sonic_report) lines.get(nodeAt(place))?.(output);
  }
}

function described(report) {
  const known = Object.keys(TOLD).filter((name) => typeof report.measures[name] === "number");
  const said = known.map((name) => word("report", name, { value: report.measures[name].toFixed(TOLD[name]) }));
  const name = element("span", { class: "sonic-name", title: report.path }, report.filename);
  const buttons = [button("open", () => read(report)), button("copy", () => copyText(report.path))];
  const row = element("div", { class: "sonic-row" }, name, ...buttons);
  return [element("p", {}, said.length ? said.join(" · ") : word("report", "nothing")), row];
}

function button(name, click) {
  return element("button", { type: "button", "data-do": name, click }, word("report", name));
}

/**
 * Show the page over the canvas. The host only ever hands such files out as downloads, since a page of its own address
 * could do what the canvas may; in a frame without any permission it can do nothing but be read.
 */
async function read({ filename, subfolder, type }) {
  const answer = await api.fetchApi(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
  if (!answer.ok) {
    const detail = `${filename}: ${answer.status} ${answer.statusText}`;
    app.extensionManager.toast.add({ severity: "error", summary: "Sonic", detail });
    return;
  }
  const frame = element("iframe", { sandbox: "", srcdoc: await answer.text(), title: filename });
  const dialog = element("dialog", { class: "sonic-page", "data-sonic": "page" });
  const close = element("button", { type: "button", click: () => dialog.close() }, word("report", "close"));
  dialog.append(element("div", { class: "sonic-row" }, element("span", { class: "sonic-name" }, filename), close), frame);
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // the canvas has keys of its own
  document.body.append(dialog);
  dialog.showModal();
}
