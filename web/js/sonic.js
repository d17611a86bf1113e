import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";

// The canvas puts an upload button on every input called "audio" that allows one, and that button wants a player before
// it, which the canvas makes for its own nodes only. Without one the node cannot be placed at all.
function addPlayer(definition) {
  const { upload, ...rest } = definition.input.required;
  definition.input.required = { ...rest, audioUI: ["AUDIO_UI", {}], upload: upload ?? ["AUDIOUPLOAD", {}] };
}

// What a node shows is taken for a video where a video goes in, unless the node says that it is a picture: the curve of
// LipSyncRefine always is, what VideoCombine writes as WebP, GIF or PNG is for as long as it is shown.
function sayWhatIsShown(node) {
  if (node.comfyClass === "LipSyncRefine") node.previewMediaType = "image";
  if (node.comfyClass !== "VideoCombine") return;
  const before = node.onExecuted;
  node.onExecuted = function (shown) {
    before?.apply(this, arguments);
    if (shown?.animated) this.previewMediaType = shown.animated[0] ? "video" : "image";
  };
}

app.registerExtension({
  name: "sonic.portrait",
  beforeRegisterNodeDef(_type, definition) {
    if (definition.name === "SonicLoadAudio") addPlayer(definition);
  },
  nodeCreated: sayWhatIsShown,
  setup() {
    api.addEventListener("sonic.warning", ({ detail }) => {
      app.extensionManager.toast.add({ severity: "warn", summary: "Sonic", detail: detail.message, life: 12000 });
    });
  },
});
