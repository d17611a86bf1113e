// What the pack adds to the canvas. Every other module here is named for what it does; this one only registers.

import { app } from "../../../scripts/app.js";
import { addAdvice, ADVICE, learnAdvice, repeatAdvice } from "./advice.js";
import { addCurves, learnCurves } from "./directing.js";
import { translateErrors } from "./errors.js";
import { followNodes } from "./frames.js";
import { addVideoMenu, hearVideos } from "./menu.js";
import { hearWarnings, tellConflicts } from "./messages.js";
import { addReportLine, restoreReportLines } from "./report.js";
import { addPlayer, addSound, keepSound, SOUND } from "./sound.js";
import { addVideoLine, markPictures, restoreVideoLines } from "./video.js";
import { addDownload, hearDownloads } from "./weights.js";
import { loadWords } from "./words.js";

/** Load the style sheet that lies beside this file. */
function addStyle() {
  const href = new URL("./sonic.css", import.meta.url).href;
  document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href }));
}

/** Nodes that take a video and show a picture. */
const SHOW_PICTURES = [
  "SONIC_PreData",
  "SonicTalkingPortrait",
  "LipSyncRefine",
  "TemporalSmooth",
  "SonicDirection",
  "SonicReport",
];

app.registerExtension({
  name: "sonic.portrait",
  settings: [
    {
      id: ADVICE,
      category: ["Sonic", "Nodes", "Advice"],
      name: "Say on the node when a value is outside the advised range",
      type: "boolean",
      defaultValue: true,
      onChange: repeatAdvice,
    },
  ],
  async init() {
    addStyle();
    await loadWords();
  },
  beforeRegisterNodeDef(_type, definition) {
    learnAdvice(definition);
    if (definition.name === "SonicLoadAudio") addPlayer(definition);
    if (definition.name === "SonicDirection") learnCurves(definition);
  },
  getCustomWidgets: () => ({ [SOUND]: addSound }),
  nodeCreated(node) {
    addAdvice(node);
    if (node.comfyClass === "SonicLoadAudio") keepSound(node);
    if (node.comfyClass === "SonicModelLoader") addDownload(node);
    if (node.comfyClass === "SonicDirection") addCurves(node);
    if (SHOW_PICTURES.includes(node.comfyClass)) markPictures(node);
    if (node.comfyClass === "SonicReport") addReportLine(node);
    if (node.comfyClass === "VideoCombine") {
      addVideoLine(node);
      addVideoMenu(node);
    }
  },
  onNodeOutputsUpdated(outputs) {
    restoreVideoLines(outputs);
    restoreReportLines(outputs);
  },
  setup() {
    translateErrors();
    hearWarnings();
    hearDownloads();
    hearVideos();
    followNodes();
    return tellConflicts();
  },
});
