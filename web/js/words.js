// The pack's own words, in the language of the canvas. They live in `locales/*/main.json`, under "sonic".

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

let languages = {};

/** Fetch the words of all languages; until then, and where the host has none, a word is its own name. */
export async function loadWords() {
  const answer = await api.fetchApi("/i18n");
  if (answer.ok) languages = await answer.json();
}

/**
 * Say something in the language of the canvas, else in English, else as it is called.
 *
 * @param {string} group "sound", "advice", "video", "weights", "messages" or "reasons".
 * @param {string} name What is to be said.
 * @param {Record<string, string | number>} values What stands for {…} in it.
 */
export function word(group, name, values = {}) {
  const locale = app.extensionManager.setting.get("Comfy.Locale") ?? "en";
  const spoken = [locale, locale.split("-")[0], "en"].map((language) => languages[language]?.sonic?.[group]?.[name]);
  const text = spoken.find(Boolean) ?? name;
  return text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}
