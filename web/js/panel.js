// A place on a node for a few lines, which takes no room while there is nothing to say. It is there from the beginning
// and never `hidden`: some canvases whose nodes are elements of the page do not look at that word a second time.

import { element } from "./elements.js";
import { after, keepMounted, letWheelZoom, nodesAreElements } from "./nodes.js";

/** What the canvas adds to every fixed height. */
const GAP = 4;
const NARROWEST = 100;

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
  const options = { serialize: false, hideOnZoom: false, margin: 0 };
  const widget = node.addDOMWidget(`sonic_${name}`, "sonic_panel", panel, options);
  widget.serialize = false;
  widget.computeLayoutSize = undefined; // with it the panel would share what the node is too high
  widget.computeSize = () => [0, room.height - GAP];
  letWheelZoom(panel);
  keepMounted(node, panel);
  const observer = new ResizeObserver(() => room.fit());
  after(node, "onAdded", () => observer.observe(content));
  after(node, "onRemoved", () => observer.disconnect());
  const show = (...children) => {
    content.replaceChildren(...children);
    room.fit();
  };
  show();
  return show;
}

/** The height that a panel takes; where the node has to grow for it, the node shrinks again afterwards. */
class Room {
  height = 0;
  #taken = 0;

  constructor(node, content) {
    this.node = node;
    this.content = content;
  }

  /** Measure what is shown, and make the node as high as it has to be. */
  fit() {
    const { node, content } = this;
    node.graph?.setDirtyCanvas(true, true); // what is out of view is laid out only when the canvas is drawn
    if (content.childElementCount === 0) this.height = 0;
    else if (content.offsetWidth >= NARROWEST) this.height = content.offsetHeight;
    if (nodesAreElements() || !node.graph) return;
    const [width, height] = node.size;
    const own = height - this.#taken;
    const wanted = Math.max(own, node.computeSize()[1]);
    this.#taken = this.height ? wanted - own : 0;
    if (wanted !== height) node.setSize([width, wanted]);
  }
}
