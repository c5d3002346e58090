// The daemon, as the console speaks to it: docs/server.md, /api/v1/openapi.json.

export interface Me {
  name: string;
  roles: string;
  training_until: string | null;
  fresh: boolean;
  csrf_token?: string;
  second_factor_setup?: boolean;
}
export interface Page<T> {
  items: T[];
  next: string | null;
}
export interface Quality {
  score: number;
  interocular_px: number;
  sharpness: number;
  brightness: number;
}
export interface Alert {
  id: string;
  deployment: string;
  entry: string;
  camera: string;
  phase: "open" | "match" | "no match" | "expired" | "engaged" | "closed";
  person: string;
  category: string;
  similarity: number;
  threshold: number;
  margin: number;
  captured_at: string;
  raised_at: string;
  expires_at: string;
  reviews_needed: number;
  held: number;
  reviews: { who: string; verdict: "match" | "no_match"; at: string }[];
  detail: {
    track: number;
    latency_ms: number;
    faces_fused: number;
    quality: Quality;
    look_alike: boolean;
    blue: boolean;
  } | null;
  claimed_by?: string | null;
  case?: Beside | null;
  error_rate?: number | null;
}
/** Of a missing person: what stands beside an alert. */
export interface Beside {
  id: string;
  report: string;
  about: string;
  child: boolean;
  photos: { n: number; taken: string; years_old: number; source: string; age_then?: number }[];
}
export interface Case extends Beside {
  jurisdiction: string;
  state: "open" | "lapsed";
  due: string;
  flags: number;
  name: string;
  risk: string;
  consent: string;
  consent_ref: string;
  category: string;
  legal_basis: string;
  recipients: string[];
  recipient: boolean;
  findings: {
    n: number;
    kind: "photo" | "video";
    at_ms: number;
    similarity: number;
    threshold: number;
    state: "open" | "same" | "not";
    judged: boolean;
  }[];
  searches: {
    number: number;
    place: string;
    from_ns: number;
    to_ns: number;
    reason: string;
    state: "asked" | "authorised" | "searched";
  }[];
}
export interface Facts {
  name: string;
  purpose: string;
  legal_basis: string;
  jurisdiction: string;
  start: string;
  end: string;
  entries: number;
  threshold: number;
  watchlist_digest: string;
  cameras: string[];
}
export interface Plan {
  id: string;
  facts: Facts;
  by: string;
  at: string;
  signatures: number;
  authorised: boolean;
}
export interface Deployment {
  id: string;
  state: string;
  facts: Facts;
  started: string | null;
  ended: string | null;
  authority: string;
}
export interface Running {
  id?: string;
  deployment: string;
  phase: string;
  watching: boolean;
  frames: number;
  tracks: number;
  alerts: number;
  faces?: number;
  end?: string | null;
  trouble: string;
}
export interface System {
  version: string;
  schema: number;
  keys: boolean;
  watchlists: number;
  entries: number;
  deployments: number;
  alerts: number;
  audit_entries: number;
  db_bytes: number;
  running: Running[];
  models?: { role: string; name: string; sha256: string; licence: string; threshold?: number }[];
}
export interface Camera {
  id: string;
  state?: string;
  preview?: boolean;
  added?: boolean;
  deployment?: string | null;
  frames?: number;
  width?: number;
  height?: number;
  fps?: number;
  trouble?: string;
}
export interface Watchlist {
  id: string;
  name: string;
  purpose: string;
  jurisdiction: string;
  digest: string;
  composed: string | null;
  erase_after: string | null;
}
export interface Entry {
  id: string;
  watchlist: string;
  name: string;
  nominal: string;
  category: string;
  reason: string;
  legal_basis: string;
  source: string;
  expires: string;
  added_by: string;
  approved_by: string;
  officer: string;
  confirmed_for: string;
  confirmed_by: string;
  needs_officer: boolean;
  counts: boolean;
  why: string;
}
export interface Policy {
  jurisdiction: string;
  title: string;
  version: string;
  pack: string;
  open: boolean;
  prohibited: boolean;
  why: string;
  documents: number;
  lease_until: string | null;
  purposes?: string[];
  categories?: string[];
  sources?: string[];
  references?: string[];
  retention?: string;
}
export interface User {
  name: string;
  roles: string;
  training_until: string | null;
  created: string;
  disabled: boolean;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly request: string,
  ) {
    super(message);
  }
}

const BASE = "/api/v1";
let csrf = "";
let skew = 0; // server's clock less ours, ms
let onSignedOut: () => void = () => undefined;
let askPassword: () => Promise<boolean> = () => Promise.resolve(false);

export function setCsrf(token: string | undefined): void {
  csrf = token ?? "";
}
export function whenSignedOut(fn: () => void): void {
  onSignedOut = fn;
}
export function whenPasswordNeeded(fn: () => Promise<boolean>): void {
  askPassword = fn;
}
/** The server's time, ms. */
export const now = (): number => Date.now() + skew;

async function send(method: string, path: string, body: unknown): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
  if (method === "POST") headers["Idempotency-Key"] = crypto.randomUUID();
  const r = await fetch(path.startsWith("/") ? path : `${BASE}/${path}`, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
  });
  const date = Date.parse(r.headers.get("Date") ?? "");
  // The header has whole seconds: follow it only when it says that we are off by more.
  if (date && Math.abs(date + 500 - now()) > 1000) skew = date + 500 - Date.now();
  return r;
}

/** One request. A password is asked for when the server wants it fresh, then the request goes again. */
export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  let r: Response;
  try {
    r = await send(method, path, body);
  } catch {
    throw new ApiError(0, "unreachable", "", "");
  }
  const text = await r.text();
  let o: unknown = null;
  try {
    o = text ? JSON.parse(text) : null;
  } catch {
    o = null;
  }
  if (r.ok) return o as T;
  const e = (o as { error?: { code: string; message: string }; request_id?: string } | null) ?? {};
  const fail = new ApiError(r.status, e.error?.code ?? "internal", e.error?.message ?? r.statusText, e.request_id ?? "");
  if (fail.code === "reauthenticate" && (await askPassword())) return call<T>(method, path, body);
  if (fail.status === 401 && fail.code === "unauthenticated" && path !== "session") onSignedOut();
  throw fail;
}

export const get = <T>(path: string): Promise<T> => call<T>("GET", path);
export const post = <T>(path: string, body?: unknown): Promise<T> => call<T>("POST", path, body ?? {});

/** Every page of a list, at most `max` items. */
export async function all<T>(path: string, max = 2000): Promise<T[]> {
  const items: T[] = [];
  let after: string | null = null;
  const sep = path.includes("?") ? "&" : "?";
  do {
    const p: Page<T> = await get<Page<T>>(
      `${path}${sep}limit=100${after === null ? "" : `&after=${encodeURIComponent(after)}`}`,
    );
    items.push(...p.items);
    after = p.next;
  } while (after !== null && items.length < max);
  return items;
}

/** A plain text, such as /metrics. */
export async function plain(path: string): Promise<string> {
  const r = await fetch(path, { cache: "no-store" });
  if (!r.ok) throw new ApiError(r.status, "internal", r.statusText, "");
  return r.text();
}

// --- events ---------------------------------------------------------------------------------------

export interface Event {
  seq: number;
  type: string;
  at: string;
  deployment: string;
  alert?: string;
}
const KINDS = [
  "alert.raised", "alert.adjudicated", "alert.engaged", "alert.outcome", "alert.expired", "alert.held",
  "alert.released", "alert.deleted", "alert.claimed", "deployment.authorised", "deployment.refused",
  "deployment.ratified", "deployment.started", "deployment.stopped", "deployment.resumed",
  "deployment.counted", "deployment.ended", "deployment.cancelled", "source.opened", "source.refused",
  "source.closed", "watchlist.imported", "watchlist.approved", "watchlist.refused", "watchlist.destroyed",
  "policy.loaded", "policy.refused", "policy.changed", "policy.prohibited", "policy.lease_ended",
  "retention.run", "retention.overdue", "erasure.certified", "erasure.failed", "service.started",
  "service.stopped", "config.changed",
];
type Listener = (e: Event) => void;
const listeners = new Set<Listener>();
let source: EventSource | null = null;
let last = "";
let retry = 0;

function open(): void {
  source = new EventSource(`${BASE}/events${last ? `?after=${last}` : ""}`);
  const got = (e: MessageEvent<string>): void => {
    last = e.lastEventId;
    const o = JSON.parse(e.data) as Event;
    for (const fn of listeners) fn(o);
  };
  for (const k of KINDS) source.addEventListener(k, got as (e: globalThis.Event) => void);
  source.onerror = () => {
    if (source?.readyState !== EventSource.CLOSED) return; // it comes back by itself
    close();
    retry = window.setTimeout(() => {
      get("session").then(open, () => onSignedOut());
    }, 2000);
  };
}
export function listen(): void {
  if (!source) open();
}
export function close(): void {
  window.clearTimeout(retry);
  source?.close();
  source = null;
}
export function onEvent(fn: Listener): () => void {
  listeners.add(fn);
  return () => listeners.delete(fn);
}
