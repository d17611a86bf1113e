// What the server has to say, in the corner of the page.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { say, word } from "./words.js";

/** Show the warnings of nodes that run. */
export function hearWarnings() {
  api.addEventListener("sonic.warning", ({ detail }) => {
    app.extensionManager.toast.add({ severity: "warn", summary: "Sonic", detail: say(detail.message), life: 12000 });
  });
}

/** Show, until they are closed, which of our nodes another pack took the names of, and which formats are none. */
export async function tellConflicts() {
  const answer = await api.fetchApi("/sonic/pack");
  if (!answer.ok) return;
  const summary = word("messages", "conflict");
  const { conflicts, formats } = await answer.json();
  for (const { message } of conflicts) {
    app.extensionManager.toast.add({ severity: "error", summary, detail: say(message) });
  }
  for (const message of formats) {
    app.extensionManager.toast.add({ severity: "warn", summary: "Sonic", detail: say(message) });
  }
}
