// Curves over time as people write them, read and written again: a number, keyframes, or moments of blinks. What may be
// written, and how a curve goes between its keyframes, is the engine's (`sonic_core/keyframes.py`, `direction.py`).

/** The word before keyframes between which a curve goes straight. */
const STRAIGHT = "linear";
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Read a curve.
 *
 * @param {string} text As it is written.
 * @returns {{keys: {at: number, value: number}[], straight: boolean} | undefined} Nothing where it is written otherwise.
 */
export function readCurve(text) {
  const [, easing, rest] = text.trim().match(/^(?:(linear|smooth)[ \n])?([^]*)$/);
  const straight = easing === STRAIGHT;
  const parts = partsOf(rest);
  if (!parts.length) return easing ? undefined : { keys: [], straight };
  const alone = parts.length === 1 && !rest.includes(":");
  const pairs = alone ? [["0", rest.trim()]] : parts.map((part) => part.split(":"));
  if (pairs.some((pair) => pair.length !== 2)) return undefined;
  const keys = pairs.map(([at, value]) => ({ at: numberOf(at), value: numberOf(value) }));
  const known = keys.every(({ at, value }) => Number.isFinite(at) && Number.isFinite(value));
  return known && rises(keys) ? { keys, straight } : undefined;
}

/** Write a curve; without keyframes it is empty, and one at the beginning is a number. */
export function writeCurve({ keys, straight }) {
  if (!keys.length) return "";
  const alone = keys.length === 1 && keys[0].at === 0;
  const told = alone ? tidy(keys[0].value) : keys.map(({ at, value }) => `${tidy(at)}:${tidy(value)}`).join(", ");
  return straight ? `${STRAIGHT} ${told}` : told;
}

/**
 * Read the moments at which eyes are shut; as keyframes, all of the value 1.
 *
 * @param {string} text As it is written.
 * @param {number} apart Seconds that one is after another at least.
 */
export function readMoments(text, apart) {
  const keys = partsOf(text).map((part) => ({ at: numberOf(part), value: 1 }));
  const known = keys.every(({ at }) => Number.isFinite(at)) && rises(keys);
  const free = keys.every(({ at }, index) => !index || at - keys[index - 1].at > apart);
  return known && free ? { keys, straight: false } : undefined;
}

/** Write moments. */
export function writeMoments({ keys }) {
  return keys.map(({ at }) => tidy(at)).join(", ");
}

/**
 * Prepare a curve for being read at moments.
 *
 * Source: Fritsch & Butland 1984: slopes are harmonic means, weighted by how far keyframes are apart.
 */
export function curveThrough({ keys, straight }) {
  const last = keys.length - 1;
  const rise = keys.slice(1).map(({ at, value }, index) => (value - keys[index].value) / (at - keys[index].at));
  const slopes = keys.map((_, index) => (index === 0 || index === last ? 0 : slopeAt(keys, rise, index)));
  return (at) => {
    if (at <= keys[0].at) return keys[0].value;
    if (at >= keys[last].at) return keys[last].value;
    const left = keys.findLastIndex((key) => key.at <= at);
    const [one, other] = [keys[left], keys[left + 1]];
    const step = other.at - one.at;
    const part = (at - one.at) / step;
    if (straight) return one.value + (other.value - one.value) * part;
    const rest = 1 - part;
    const read = (one.value * (1 + 2 * part) + slopes[left] * step * part) * rest ** 2;
    return read + (other.value * (1 + 2 * rest) - slopes[left + 1] * step * rest) * part ** 2;
  };
}

function slopeAt(keys, rise, index) {
  const [before, after] = [rise[index - 1], rise[index]];
  if (!(before * after > 0)) return 0;
  const [short, long] = [keys[index].at - keys[index - 1].at, keys[index + 1].at - keys[index].at];
  const weights = [2 * long + short, long + 2 * short];
  return (weights[0] + weights[1]) / (weights[0] / before + weights[1] / after);
}

function partsOf(text) {
  return text
    .split(/[,\n]/)
    .map((part) => part.trim())
    .filter(Boolean);
}

function numberOf(text) {
  return NUMBER.test(text.trim()) ? Number(text) : NaN;
}

function rises(keys) {
  return keys.every(({ at }, index) => (index ? at > keys[index - 1].at : at >= 0));
}

/** Write a number without the noise of its binary form. */
function tidy(value) {
  return String(Number(value.toFixed(3)));
}
