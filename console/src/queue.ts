// The alerts that this person may see, held once for all pages. An event about an alert costs one small question, about
// the alerts that events have named since the last one; an event that names none, or an erasure, asks for all again.
import { useEffect, useState } from "preact/hooks";
import * as api from "./api";
import type { Loaded } from "./ui";

const NAMED_MAX = 50; // ids in one question
const EVERY_MS = 60_000;

let held: api.Alert[] | null = null;
let error: api.ApiError | null = null;
let turn = 0; // of who is signed in
let busy = false;
let all = false; // all are to be asked for
const named = new Set<string>();
const views = new Set<() => void>();

async function changed(have: api.Alert[]): Promise<api.Alert[]> {
  const ids = [...named].slice(0, NAMED_MAX);
  for (const id of ids) named.delete(id);
  const p: api.Page<api.Alert> = await api.get(`alerts?ids=${ids.join()}`);
  const now = new Map(p.items.map((a) => [a.id, a]));
  const kept = have.filter((a) => !ids.includes(a.id) || now.has(a.id)).map((a) => now.get(a.id) ?? a);
  const known = new Set(kept.map((a) => a.id));
  return [...kept, ...p.items.filter((a) => !known.has(a.id))];
}

async function load(): Promise<void> {
  if (busy) return;
  busy = true;
  while (views.size && (all || !held || named.size)) {
    const mine = turn;
    const some = !all && held ? held : null;
    if (!some) {
      all = false;
      named.clear();
    }
    try {
      const got = some ? await changed(some) : await api.all<api.Alert>("alerts", 1000);
      if (mine !== turn) continue;
      held = got;
      error = null;
    } catch (e) {
      if (mine !== turn) continue;
      all = true; // what was named is lost: all, with the next event or minute
      if (e instanceof api.ApiError) error = e;
      for (const fn of views) fn();
      break;
    }
    for (const fn of views) fn();
  }
  busy = false;
}

function reload(): void {
  all = true;
  void load();
}

api.onEvent((e) => {
  const erased = e.type.startsWith("erasure."); // what is erased is not held here, either
  if (!erased && !e.type.startsWith("alert.")) return;
  if (!erased && e.alert && views.size) named.add(e.alert);
  else all = true; // nobody looks: when somebody does
  if (views.size) void load();
});
window.setInterval(() => {
  if (views.size && !document.hidden) reload();
}, EVERY_MS);

/** Nobody's any more. */
export function forget(): void {
  turn++;
  held = null;
  error = null;
  all = false;
  named.clear();
}

export function useAlerts(wanted: boolean): Loaded<api.Alert[]> {
  const [, draw] = useState(0);
  useEffect(() => {
    if (!wanted) return undefined;
    const fn = (): void => draw((x) => x + 1);
    views.add(fn);
    void load();
    return () => void views.delete(fn);
  }, [wanted]);
  return { data: wanted ? held : null, error: wanted ? error : null, reload };
}
