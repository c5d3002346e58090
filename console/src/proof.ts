// The record, checked in this browser with the browser's own SHA-256 and Ed25519 (docs/audit.md): every link of
// the chain, the RFC 6962 root over all entries against the signed checkpoint, the signature under it.
import * as api from "./api";
import { number, t } from "./i18n";

type Bytes = Uint8Array<ArrayBuffer>;
const utf8 = new TextEncoder();
const sha = async (b: Bytes): Promise<Bytes> => new Uint8Array(await crypto.subtle.digest("SHA-256", b));
const hex = (b: Bytes): string => [...b].map((x) => x.toString(16).padStart(2, "0")).join("");
const unbase64 = (s: string): Bytes => Uint8Array.from(atob(s), (c) => c.charCodeAt(0));

function join(...parts: (number[] | Bytes)[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** Roots of the full subtrees so far, largest first: adding a leaf merges from the right. */
class Tree {
  private stack: { size: number; root: Bytes }[] = [];
  size = 0;
  async add(line: Bytes): Promise<void> {
    let node = { size: 1, root: await sha(join([0], line)) };
    for (let top = this.stack.at(-1); top && top.size === node.size; top = this.stack.at(-1)) {
      this.stack.pop();
      node = { size: node.size * 2, root: await sha(join([1], top.root, node.root)) };
    }
    this.stack.push(node);
    this.size++;
  }
  async root(): Promise<Bytes> {
    let at = this.stack.at(-1)?.root ?? (await sha(new Uint8Array(0)));
    for (let i = this.stack.length - 2; i >= 0; i--) at = await sha(join([1], this.stack[i]!.root, at));
    return at;
  }
}

/** Is the note signed by the log's key? */
async function signed(note: string, vkey: string): Promise<boolean> {
  const body = note.slice(0, note.indexOf("\n\n") + 1);
  const [name = "", id = "", key = ""] = vkey.match(/^(.*)\+([0-9a-f]{8})\+(.*)$/)?.slice(1) ?? [];
  const raw = unbase64(key);
  if (raw[0] !== 1 || raw.length !== 33) return false;
  const pub = await crypto.subtle.importKey("raw", raw.slice(1), "Ed25519", false, ["verify"]);
  for (const line of note.slice(note.indexOf("\n\n") + 2).split("\n")) {
    const m = line.match(/^\u2014 (\S+) (\S+)$/);
    if (!m || m[1] !== name) continue;
    const sig = unbase64(m[2]!);
    if (hex(sig.slice(0, 4)) !== id) continue;
    if (await crypto.subtle.verify("Ed25519", pub, sig.slice(4), utf8.encode(body))) return true;
  }
  return false;
}

/** Everything up to the newest checkpoint; says what was found. */
export async function verify(progress: (n: number, of: number) => void): Promise<string> {
  const { note, key } = await api.get<{ note: string; key: string }>("audit/checkpoint");
  const [, count = "0", root = ""] = note.split("\n");
  const size = Number(count);
  const tree = new Tree();
  let prev = "0".repeat(64);
  while (tree.size < size) {
    const text = await api.plain(
      `/api/v1/audit/entries?raw=true&limit=100${tree.size ? `&after=${tree.size - 1}` : ""}`,
    );
    const lines = text.split("\n").filter(Boolean);
    if (!lines.length) return t("proof_short", { n: tree.size, of: size });
    for (const line of lines.slice(0, size - tree.size)) {
      const o = JSON.parse(line) as { seq: number; prev: string };
      if (o.seq !== tree.size || o.prev !== prev) return t("proof_chain", { n: tree.size });
      const bytes = utf8.encode(line);
      prev = hex(await sha(bytes));
      await tree.add(bytes);
    }
    progress(tree.size, size);
  }
  const got = btoa(String.fromCharCode(...(await tree.root())));
  if (got !== root) return t("proof_root");
  if (!(await signed(note, key))) return t("proof_signature");
  return t("proof_good", { n: number(size) });
}
