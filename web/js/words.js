// The pack's own words, in the language of the canvas. They live in `locales/*/main.json`, under "sonic".

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { Phrasebook } from "./sentences.js";

let languages = {};
/** Per language, once it was asked for: what says the server's sentences in it. */
const phrasebooks = new Map();

/** Fetch the words of all languages; until then, and where the host has none, a word is its own name. */
export async function loadWords() {
  const answer = await api.fetchApi("/i18n");
  if (answer.ok) languages = await answer.json();
}

/**
 * Say something in the language of the canvas, else in English, else as it is called.
 *
 * @param {string} group "sound", "curve", "advice", "video", "weights", "messages" or "reasons"; sentences are said by `say`.
 * @param {string} name What is to be said.
 * @param {Record<string, string | number>} values What stands for {…} in it.
 */
export function word(group, name, values = {}) {
  const spoken = [...spokenHere(), "en"].map((language) => languages[language]?.sonic?.[group]?.[name]);
  const text = spoken.find(Boolean) ?? name;
  return text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

/** Say what the server says, in the language of the canvas; English where that has no words for it. */
export function say(text) {
  const language = spokenHere().find((one) => languages[one]?.sonic?.sentences);
  if (!language) return text;
  if (!phrasebooks.has(language)) phrasebooks.set(language, phrasebookOf(languages[language]));
  return phrasebooks.get(language).say(text);
}

function spokenHere() {
  const locale = app.extensionManager.setting.get("Comfy.Locale") ?? "en";
  return [locale, locale.split("-")[0]];
}

/** Know, besides the sentences, the reasons of advice and what inputs of our nodes are called. */
function phrasebookOf({ sonic: { sentences, reasons }, nodeDefs = {} }) {
  const ours = Object.values(nodeDefs).filter((node) => node.display_name?.startsWith("Sonic"));
  const inputs = ours.flatMap((node) => Object.entries(node.inputs ?? {}));
  const names = Object.fromEntries(inputs.map(([id, { name }]) => [id, `“${name}”`]));
  return new Phrasebook({ ...reasons, ...sentences }, names);
}
