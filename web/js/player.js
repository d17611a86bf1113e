// Plays exactly a part of a sound file.

/** A player without a face; `onMove` is called for every picture of the page while it plays, and when it stops. */
export class Player {
  #audio = new Audio();
  #end = 0;
  #at = 0;

  /**
   * @param {() => void} onMove
   * @param {() => void} onFailure The browser cannot play the file.
   */
  constructor(onMove, onFailure) {
    this.onMove = onMove;
    this.#audio.preload = "none";
    this.#audio.addEventListener("error", () => this.#audio.getAttribute("src") && onFailure());
  }

  /** Take another file; an empty address takes the present one away. */
  load(address) {
    this.pause();
    this.#at = 0;
    if (address) this.#audio.src = address;
    else this.#audio.removeAttribute("src");
    this.#audio.load();
  }

  get playing() {
    return !this.#audio.paused;
  }

  /** Seconds from the beginning of the file. */
  get position() {
    return this.playing ? this.#audio.currentTime : this.#at;
  }

  set position(seconds) {
    this.#at = seconds;
    this.#audio.currentTime = seconds;
    this.onMove();
  }

  /** Play from `start`, or from where it was stopped after it, to `end`. */
  play({ start, end }) {
    this.#end = end;
    this.position = this.#at >= start && this.#at < end ? this.#at : start;
    const started = this.#audio.play();
    this.#follow({ start });
    return started.catch(() => this.onMove()); // stopped before it began, or told by onFailure
  }

  /** Stop and stay. */
  pause() {
    this.#at = this.position;
    this.#audio.pause();
    this.onMove();
  }

  #follow({ start }) {
    if (!this.playing) return;
    if (this.#audio.ended || this.#audio.currentTime >= this.#end) {
      this.pause();
      this.position = start;
      return;
    }
    this.onMove();
    requestAnimationFrame(() => this.#follow({ start }));
  }
}
