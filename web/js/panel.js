// A place on a node for a few lines, which takes no room while there is nothing to say.

import { letWheelZoom, nodesAreElements } from "./nodes.js";
import { element } from "./elements.js";

const MARGIN = 8;

/**
 * Add a panel below a node's widgets. It is never saved, nor sent with a prompt.
 *
 * @param {object} node
 * @param {string} name What it is for; tests find it as `[data-sonic="name"]`.
 * @returns {(...content: Node[]) => void} Shows something else; nothing closes the panel.
 */
export function addPanel(node, name) {
  const content = element("div", { class: "sonic-panel-content" });
  const panel = element("div", { class: "sonic-panel", "data-sonic": name }, content);
  const room = new Room(node, content);
  const height = () => (room.open ? content.offsetHeight + 2 * MARGIN : 0);
  const widget = node.addDOMWidget(`sonic_${name}`, "sonic_panel", panel, {
    serialize: false,
    hideOnZoom: false,
    margin: MARGIN,
    getMinHeight: height,
    getMaxHeight: height,
  });
  widget.serialize = false;
  letWheelZoom(panel);
  const show = (...children) => {
    content.replaceChildren(...children);
    room.open = children.length > 0;
    widget.hidden = widget.options.hidden = !room.open;
    room.fit();
  };
  show();
  new ResizeObserver(() => room.fit()).observe(content);
  return show;
}

/** The height that a panel took from the page, given back when it closes. */
class Room {
  open = false;
  #taken = 0;

  constructor(node, content) {
    this.node = node;
    this.content = content;
  }

  /** Make the node as high as it has to be. */
  fit() {
    if (nodesAreElements() || !this.node.graph) return;
    const [width, height] = this.node.size;
    if (!this.open) this.#resize(width, height - this.#taken);
    else if (this.content.offsetHeight) this.#resize(width, Math.max(height, this.node.computeSize()[1]));
  }

  #resize(width, height) {
    const before = this.node.size[1];
    if (height !== before) this.node.setSize([width, height]);
    this.#taken = this.open ? this.#taken + height - before : 0;
    this.node.graph.setDirtyCanvas(true, true);
  }
}
