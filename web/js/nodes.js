// What is asked of nodes and their widgets, in the host's own words.

import { app } from "../../../scripts/app.js";

/** Do something after a method of one object, which may not exist yet; what the method gives stays. */
export function after(object, method, action) {
  const before = object[method];
  object[method] = function (...given) {
    const result = before?.apply(this, given);
    action.apply(this, given);
    return result;
  };
}

/** Do something at the end of the present task, once, however often it is asked for. */
export function soon(action) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    queueMicrotask(() => {
      asked = false;
      action();
    });
  };
}

/** Find a node's widget. */
export function widgetOf(node, name) {
  return node.widgets?.find((widget) => widget.name === name);
}

/** Tell whether a widget's value comes from another node, so that nobody knows it yet. */
export function isLinked(node, name) {
  const slot = node.inputs?.findIndex((input) => input.name === name) ?? -1;
  return slot >= 0 && node.isInputConnected(slot);
}

/** Set a widget as if a person had done it. */
export function setValue(node, name, value) {
  const widget = widgetOf(node, name);
  widget.value = value;
  widget.callback?.(value, app.canvas, node);
  node.graph?.setDirtyCanvas(true, true);
}

/** Do something whenever values of widgets, or what is linked to them, may have changed. */
export function whenChanged(node, names, action) {
  for (const name of names) after(widgetOf(node, name), "callback", action);
  after(node, "onConfigure", action);
  after(node, "onConnectionsChange", action);
}

/** Tell whether nodes are elements of the page (Nodes 2.0), which then finds their sizes by itself. */
export function nodesAreElements() {
  return Boolean(window.LiteGraph?.vueNodesMode);
}

/** Let the wheel zoom the canvas over an element of a node, as it does everywhere else. */
export function letWheelZoom(element) {
  element.addEventListener("wheel", (event) => {
    if (nodesAreElements()) return; // there the event arrives by itself
    event.preventDefault();
    app.canvas.canvas.dispatchEvent(new WheelEvent(event.type, event));
  });
}

/**
 * Keep a widget's element on the page. Where nodes are elements of the page, undo replaces a node by another of the
 * same number, and the canvas goes on showing what belonged to the one that is gone.
 */
export function keepMounted(node, element) {
  after(node, "onAdded", () => {
    element.dataset.place = `${node.graph.id} ${node.id}`;
    requestAnimationFrame(() => {
      const { sonic, place } = element.dataset;
      const same = document.querySelectorAll(`[data-sonic="${sonic}"][data-place="${CSS.escape(place)}"]`);
      const gone = [...same].find((other) => other !== element);
      if (nodesAreElements() && !element.isConnected) gone?.replaceWith(element);
    });
  });
}

/** Find the graph that all others are in. */
export function rootGraph() {
  return app.rootGraph ?? app.graph.rootGraph;
}

/** Find a node by its place, as the canvas names it: its number, within a subgraph by that too. */
export function nodeAt(place) {
  const root = rootGraph();
  const [graph, id] = place.includes(":") ? place.split(":") : [undefined, place];
  return (graph ? root.subgraphs.get(graph) : root)?.getNodeById(id) ?? {};
}
