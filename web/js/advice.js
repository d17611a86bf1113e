// What is advised, said on the node as soon as a value leaves the range.

import { app } from "../../../scripts/app.js";
import { element } from "./elements.js";
import { after, isLinked, soon, whenChanged, widgetOf } from "./nodes.js";
import { addPanel } from "./panel.js";
import { word } from "./words.js";

/** The setting that turns advice off. */
export const ADVICE = "Sonic.Advice";

/** Per kind of node: what is advised for which input. */
const known = new Map();
/** What repeats the advice of the nodes that are in a graph. */
const speakers = new Set();

/** Remember what a node's definition advises. */
export function learnAdvice({ name, input }) {
  const inputs = Object.entries({ ...input?.required, ...input?.optional });
  const advised = inputs.filter(([, [, options]]) => options?.advised).map(([key, [, { advised }]]) => [key, advised]);
  if (advised.length) known.set(name, Object.fromEntries(advised));
}

/** Let a node say when its values are not advised. */
export function addAdvice(node) {
  const advised = known.get(node.comfyClass);
  if (!advised) return;
  const show = addPanel(node, "advice");
  const speak = soon(() => show(...advices(node, advised)));
  whenChanged(node, Object.keys(advised), speak);
  after(node, "onAdded", () => speakers.add(speak) && speak());
  after(node, "onRemoved", () => speakers.delete(speak));
}

/** Let every node say anew what it has to say. */
export function repeatAdvice() {
  for (const speak of speakers) speak();
}

function advices(node, advised) {
  if (app.extensionManager.setting.get(ADVICE) === false) return [];
  return Object.entries(advised).flatMap(([name, range]) => {
    const widget = widgetOf(node, name);
    const reason = isLinked(node, name) ? "" : reasonAgainst(Number(widget.value), range);
    return reason ? [line(widget, range, reason)] : [];
  });
}

function reasonAgainst(value, { least, most, below, above }) {
  if (value < least) return below;
  return value > most ? above : "";
}

function line(widget, { least, most }, reason) {
  const said = { name: widget.label || widget.name, value: shortly(widget.value), least, most };
  return element("p", { role: "status" }, word("advice", "line", { ...said, reason: word("reasons", reason) }));
}

/** Write a number without the noise of its binary form. */
function shortly(value) {
  return String(Number(Number(value).toFixed(3)));
}
