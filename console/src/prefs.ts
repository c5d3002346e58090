// What one browser remembers: nothing about people.
const on = (key: string, otherwise: boolean): boolean => {
  const v = localStorage.getItem(`vedette.${key}`);
  return v === null ? otherwise : v === "1";
};
const set = (key: string, v: boolean): void => localStorage.setItem(`vedette.${key}`, v ? "1" : "0");

export const prefs = {
  sound: () => on("sound", true),
  setSound: (v: boolean) => set("sound", v),
  /** Single-letter keys may be in the way of speech input: they can be turned off (WCAG 2.1.4). */
  keys: () => on("keys", true),
  setKeys: (v: boolean) => set("keys", v),
  /** Somebody signed in here: ask the daemon who. Without it, a first visit causes no error. */
  signedIn: () => on("in", false),
  setSignedIn: (v: boolean) => set("in", v),
};

let audio: AudioContext | null = null;
/** Two short tones, rising. Browsers allow it after the first key or click on the page. */
export function chime(): void {
  if (!prefs.sound()) return;
  try {
    audio ??= new AudioContext();
    if (audio.state === "suspended") void audio.resume();
    for (const [i, hz] of [660, 880].entries()) {
      const o = audio.createOscillator();
      const g = audio.createGain();
      const at = audio.currentTime + i * 0.18;
      o.frequency.value = hz;
      g.gain.setValueAtTime(0.0001, at);
      g.gain.exponentialRampToValueAtTime(0.25, at + 0.02);
      g.gain.exponentialRampToValueAtTime(0.0001, at + 0.16);
      o.connect(g).connect(audio.destination);
      o.start(at);
      o.stop(at + 0.18);
    }
  } catch {
    audio = null; // no sound card: the queue says it, too
  }
}

/** Keys outside of fields. Returns how to take them back. */
export function onKey(fn: (key: string) => boolean): () => void {
  const down = (e: KeyboardEvent): void => {
    const at = e.target;
    if (e.ctrlKey || e.metaKey || e.altKey || !prefs.keys() || document.querySelector("dialog[open]")) return;
    if (at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName))) return;
    if (fn(e.key)) e.preventDefault();
  };
  window.addEventListener("keydown", down);
  return () => window.removeEventListener("keydown", down);
}
