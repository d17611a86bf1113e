// What the host tells of errors of ours, in the language of the canvas. It shows them in places of its own, so they are
// said anew before it sees them.

import { api } from "../../../scripts/api.js";
import { say, word } from "./words.js";

/** How the host names the errors of the engine. */
const OURS = "sonic_core.";
/** How the host names what a node itself has against a value. */
const REFUSED = "custom_validation_failed";

/** Listen before the host does: to runs that fail, and to prompts that are refused. */
export function translateErrors() {
  const first = { capture: true };
  api.addEventListener("execution_error", ({ detail }) => sayAnew(detail), first);
  const queue = api.queuePrompt;
  api.queuePrompt = async function (...given) {
    try {
      return await queue.apply(this, given);
    } catch (error) {
      for (const node of Object.values(error?.response?.node_errors ?? {})) node.errors?.forEach(refuseAnew);
      throw error;
    }
  };
}

function sayAnew(detail) {
  if (detail?.exception_type?.startsWith(OURS)) detail.exception_message = say(detail.exception_message);
}

/** The host writes "input - sentence"; what it says before that is the same for all nodes. */
function refuseAnew(error) {
  if (error.type !== REFUSED) return;
  const [input, sentence] = error.details.split(/ - (.*)/s);
  const said = say(sentence ?? "");
  if (!sentence || said === sentence) return;
  error.details = `${input} - ${said}`;
  error.message = word("messages", "refused");
}
