// What the server says in English, said in another language: a sentence is found by its template, and with it the
// values in its numbered places.

/** After these a sentence, or a part of one that is known by itself, may end. */
const ENDS = /\n|(?<=[.;:!?]) /g;

/** The sentences of one language. */
export class Phrasebook {
  #words;
  #templates;

  /**
   * @param {Record<string, string>} sentences By the English one: "There is no file {1} in {2}."
   * @param {Record<string, string>} names What is called otherwise where it stands alone in a place.
   */
  constructor(sentences, names = {}) {
    const all = Object.entries(sentences).map(([english, other]) => [english.trim(), other]);
    this.#words = { ...names, ...Object.fromEntries(all) };
    const templates = all.map(([english, other]) => new Template(english, other));
    this.#templates = templates.filter(({ places }) => places).sort((one, other) => other.letters - one.letters);
  }

  /** Say a text, sentence by sentence where it is not known as a whole; what is not known stays. */
  say(text) {
    const known = this.#known(text);
    if (known !== undefined) return known;
    const ends = [...text.matchAll(ENDS)].reverse();
    for (const { index, 0: gap } of ends) {
      const head = this.#known(text.slice(0, index));
      if (head !== undefined) return head + joint(head, gap) + this.say(text.slice(index + gap.length));
    }
    if (!ends.length) return text;
    const { index, 0: gap } = ends.at(-1);
    return text.slice(0, index) + gap + this.say(text.slice(index + gap.length));
  }

  #known(text) {
    const bare = text.trim();
    if (Object.hasOwn(this.#words, bare)) return this.#words[bare];
    for (const template of this.#templates) {
      const values = template.read(bare);
      if (values) return template.write(values.map((value) => this.say(value)));
    }
    const open = bare.endsWith(".") && bare.length > 1 ? this.#known(bare.slice(0, -1)) : undefined;
    return open === undefined ? undefined : `${open}。`;
  }
}

class Template {
  constructor(english, other) {
    const parts = english.split(/\{\d+\}/);
    this.other = other;
    this.places = parts.length - 1;
    this.letters = parts.join("").length;
    this.pattern = new RegExp(`^${parts.map(literally).join("(.*?)")}$`, "s");
  }

  /** Take the values out of a text; nothing where it is another sentence. */
  read(text) {
    return this.pattern.exec(text)?.slice(1);
  }

  write(values) {
    return this.other.replace(/\{(\d+)\}/g, (_, number) => values[number - 1]);
  }
}

function literally(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** No space follows a full-width mark. */
function joint(head, gap) {
  return gap === " " && /[。；：！？）]$/.test(head) ? "" : gap;
}
