// The record: what happened, who did it, and that nobody changed it since.
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import * as api from "./api";
import { language, moment, number, t, word } from "./i18n";
import { verify } from "./proof";
import { Reports } from "./reports";
import { can } from "./rights";
import { ask, Busy, Dialog, Empty, Facts, Field, Form, Hex, Problem, Said, say, Table, Tag, useAct, useLoad } from "./ui";

interface Entry {
  v: number;
  seq: number;
  time: string;
  kind: string;
  actor: string;
  deployment: string;
  fields: Record<string, unknown>;
  prev: string;
}

function Log(): JSX.Element {
  const [from, setFrom] = useState(-1); // entries after this one; -1: from the beginning
  const [kind, setKind] = useState("");
  const [text, setText] = useState("");
  const page = useLoad(
    () => api.get<api.Page<Entry>>(`audit/entries?limit=100${from >= 0 ? `&after=${from}` : ""}`),
    [from],
  );
  const system = useLoad(() => api.get<api.System>("system"), []);
  const size = system.data?.audit_entries ?? 0;
  const { busy, error, act } = useAct();
  const [proof, setProof] = useState("");
  const [one, setOne] = useState<{ seq: number; entry: string; proof: string } | null>(null);
  const prove = (seq: number): Promise<boolean> =>
    act(async () => setOne(await api.get(`audit/entries/${seq}/proof`)));
  const items = (page.data?.items ?? []).filter(
    (e) =>
      (!kind || e.kind.startsWith(kind)) &&
      (!text || JSON.stringify(e).toLowerCase().includes(text.toLowerCase())),
  );
  const kinds = [...new Set((page.data?.items ?? []).map((e) => e.kind.split(".")[0] ?? ""))].sort();
  return (
    <section aria-label={t("log")}>
      <h2>{t("log")}</h2>
      <p class="buttons">
        <button type="button" class="plain" disabled={from < 0} onClick={() => setFrom(-1)}>
          {t("first")}
        </button>
        <button type="button" class="plain" disabled={from < 0} onClick={() => setFrom(Math.max(-1, from - 100))}>
          {t("earlier")}
        </button>
        <button
          type="button"
          class="plain"
          disabled={page.data?.next == null}
          onClick={() => setFrom(Number(page.data?.next ?? from))}
        >
          {t("later")}
        </button>
        <button type="button" class="plain" onClick={() => setFrom(size > 100 ? size - 101 : -1)}>
          {t("last")}
        </button>
        <button
          type="button"
          class="main"
          disabled={busy}
          onClick={() =>
            void act(async () => {
              setProof("");
              setProof(await verify((n, of) => setProof(t("verifying", { n, of }))));
            })
          }
        >
          {t("verify")}
        </button>
      </p>
      <div class="grid">
        <label class="field">
          {t("kind")}
          <select value={kind} onChange={(e) => setKind(e.currentTarget.value)}>
            <option value="">{t("every")}</option>
            {kinds.map((k) => (
              <option value={`${k}.`} key={k}>
                {k}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          {t("contains")}
          <input value={text} onInput={(e) => setText(e.currentTarget.value)} autoComplete="off" />
        </label>
      </div>
      <Problem error={error} />
      {one && (
        <Dialog title={`${t("proof")} ${one.seq}`} close={() => setOne(null)}>
          <p>{t("proof_text")}</p>
          <pre dir="ltr" lang="en" tabIndex={0}>
            {one.entry}
          </pre>
          <pre dir="ltr" lang="en" tabIndex={0}>
            {one.proof}
          </pre>
        </Dialog>
      )}
      {proof && (
        <p class="note" role="status">
          {proof}
        </p>
      )}
      <Busy from={page}>
        {() =>
          items.length === 0 ? (
            <Empty text={t("nothing_here")} />
          ) : (
            <Table caption={t("log")} head={["#", t("time"), t("kind"), t("actor"), t("deployment"), t("what"), t("link")]}>
              {items.map((e) => (
                <tr key={e.seq}>
                  <td>{e.seq}</td>
                  <td>{moment(e.time)}</td>
                  <td>
                    <code dir="ltr">{e.kind}</code>
                  </td>
                  <td>
                    <bdi>{e.actor}</bdi>
                  </td>
                  <td>
                    <bdi>{e.deployment}</bdi>
                  </td>
                  <td class="wide" dir="ltr" lang="en">
                    {Object.entries(e.fields ?? {}).map(([k, v]) => (
                      <span class="pair" key={k}>
                        {k}: {String(v)}
                      </span>
                    ))}
                  </td>
                  <td>
                    <Hex value={e.prev} />{" "}
                    <button type="button" class="plain" onClick={() => void prove(e.seq)}>
                      {t("proof")} <span class="hidden">{e.seq}</span>
                    </button>
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Busy>
    </section>
  );
}

function Checkpoint(): JSX.Element {
  const c = useLoad(() => api.get<{ note: string; key: string }>("audit/checkpoint"), []);
  return (
    <section class="card" aria-label={t("checkpoint")}>
      <h2>{t("checkpoint")}</h2>
      <p class="hint">{t("checkpoint_text")}</p>
      <Busy from={c}>
        {(x) => (
          <>
            <pre dir="ltr" lang="en" tabIndex={0}>
              {x.note}
            </pre>
            <p>
              {t("verifier_key")}: <code dir="ltr">{x.key}</code>
            </p>
          </>
        )}
      </Busy>
    </section>
  );
}

function Bring({ done }: { done: () => void }): JSX.Element {
  const files = useRef<HTMLDivElement>(null);
  return (
    <section class="card" aria-label={t("bring")}>
      <h3>{t("bring")}</h3>
      <p class="hint">{t("bring_text")}</p>
      <Form
        label={t("bring")}
        button={t("bring")}
        reset
        send={async () => {
          const [doc, pack] = [...(files.current?.querySelectorAll("input") ?? [])].map((i) => i.files?.[0]);
          await api.post("policies/documents", {
            document: (await doc?.text()) ?? "",
            ...(pack ? { pack: await pack.text() } : {}),
          });
          say(t("brought"));
          done();
        }}
      >
        <div ref={files}>
          <Field label={t("document")} name="document" type="file" required />
          <Field label={t("pack_file")} name="pack" type="file" />
        </div>
      </Form>
    </section>
  );
}

function trust(done: () => void): void {
  void ask({
    title: t("trust"),
    button: t("trust"),
    text: t("trust_text"),
    fields: [
      { label: t("jurisdiction"), name: "jurisdiction", required: true },
      { label: t("anchor"), name: "anchor", required: true },
    ],
    send: (f) => api.post("policies/trust", { jurisdiction: f.jurisdiction, anchor: (f.anchor ?? "").trim() }),
  }).then((good) => good && done());
}

function Policies(): JSX.Element {
  const list = useLoad(() => api.all<api.Policy>(`policies?language=${language()}`), [], ["policy."]);
  const [bringing, setBringing] = useState(false);
  return (
    <section aria-label={t("policies")}>
      <h2>{t("policies")}</h2>
      <p class="buttons">
        <button type="button" class="plain" aria-expanded={bringing} onClick={() => setBringing(!bringing)}>
          {t("bring")}
        </button>
        {can("users") && (
          <button type="button" class="plain" onClick={() => trust(list.reload)}>
            {t("trust")}
          </button>
        )}
      </p>
      {bringing && <Bring done={list.reload} />}
      <Busy from={list}>
        {(items) =>
          items.length === 0 ? (
            <Empty text={t("policies_none")} />
          ) : (
            <div class="cards">
              {items.map((p) => (
                <section class="card" key={p.jurisdiction} aria-label={p.title}>
                  <h3>{p.title || p.jurisdiction}</h3>
                  <p>
                    <Tag tone={p.open ? "good" : "bad"}>
                      {t(p.open ? "town_open" : p.prohibited ? "town_prohibited" : "town_closed")}
                    </Tag>
                  </p>
                  {!p.open && (
                    <p class="warning">
                      <Said text={p.why} />
                    </p>
                  )}
                  <Facts
                    rows={[
                      [t("jurisdiction"), p.jurisdiction],
                      [t("version"), p.version],
                      [t("pack"), <Hex value={p.pack} n={12} />],
                      [t("documents"), number(p.documents)],
                      [t("lease_until"), moment(p.lease_until)],
                    ]}
                  />
                  {p.retention && (
                    <p class="hint lines">
                      <Said text={p.retention} />
                    </p>
                  )}
                </section>
              ))}
            </div>
          )
        }
      </Busy>
    </section>
  );
}

interface Retention {
  time: string | null;
  erased: Record<string, number>;
  overdue: Record<string, number>;
  clock_ahead_s: number;
  clean: boolean;
}
function RetentionState(): JSX.Element {
  const r = useLoad(() => api.get<Retention>("retention"), [], ["retention.", "erasure."], 15);
  return (
    <section aria-label={t("retention")}>
      <h2>{t("retention")}</h2>
      <Busy from={r}>
        {(x) => (
          <>
            <p>
              <Tag tone={Object.values(x.overdue).some((v) => v > 0) ? "bad" : "good"}>
                {t(Object.values(x.overdue).some((v) => v > 0) ? "overdue_some" : "overdue_none")}
              </Tag>{" "}
              {t("last_run", { when: moment(x.time) })}
            </p>
            <Table caption={t("retention")} head={[t("class"), t("erased_n"), t("overdue_n")]}>
              {Object.keys(x.erased).map((k) => (
                <tr key={k}>
                  <th scope="row">{word("class", k)}</th>
                  <td>{number(x.erased[k] ?? 0)}</td>
                  <td>{number(x.overdue[k] ?? 0)}</td>
                </tr>
              ))}
            </Table>
          </>
        )}
      </Busy>
    </section>
  );
}

export function RecordPage(): JSX.Element {
  return (
    <>
      <p>
        <a href="/public">{t("public_page")}</a>
      </p>
      <Policies />
      <RetentionState />
      {can("read_log") && (
        <>
          <Reports />
          <Checkpoint />
          <Log />
        </>
      )}
    </>
  );
}
