import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";

// The canvas puts an upload button on every input called "audio" that allows one, and that button wants a player before
// it, which the canvas makes for its own nodes only. Without one the node cannot be placed at all.
function addPlayer(definition) {
  const { upload, ...rest } = definition.input.required;
  definition.input.required = { ...rest, audioUI: ["AUDIO_UI", {}], upload: upload ?? ["AUDIOUPLOAD", {}] };
}

app.registerExtension({
  name: "sonic.portrait",
  beforeRegisterNodeDef(_type, definition) {
    if (definition.name === "SonicLoadAudio") addPlayer(definition);
  },
  setup() {
    api.addEventListener("sonic.warning", ({ detail }) => {
      app.extensionManager.toast.add({ severity: "warn", summary: "Sonic", detail: detail.message, life: 12000 });
    });
  },
});
