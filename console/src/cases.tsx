// Missing persons: a case from the report to the day when somebody is found.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "./api";
import { go } from "./app";
import { moment, number, t, word } from "./i18n";
import { choice, usePolicies } from "./lists";
import { can } from "./rights";
import { ask, Busy, Countdown, Empty, Facts, Field, Form, Problem, say, Table, Tag, useAct, useLoad } from "./ui";

const BYTES_MAX = 8 << 20;
const PURPOSE = "missing-person";

function base64(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const r = new FileReader();
    r.onload = () => resolve(String(r.result).replace(/^[^,]*,/, ""));
    r.onerror = () => reject(new api.ApiError(0, "unreadable", "", ""));
    r.readAsDataURL(file);
  });
}
const utc = (date: string): string => `${date}T00:00:00Z`;
const iso = (local: string | undefined): string => (local ? `${new Date(local).toISOString().slice(0, 19)}Z` : "");

/** What has to be known of the photographs and of children, wherever they are shown. */
export function Caution({ c }: { c: api.Beside }): JSX.Element {
  return (
    <>
      {c.child && (
        <p class="warning">
          <strong>{t("case_child")}</strong> {t("case_child_note")}
        </p>
      )}
      {c.photos.some((p) => p.years_old >= 2) && (
        <p class="warning">{t("case_old", { n: number(Math.max(...c.photos.map((p) => p.years_old)), 1) })}</p>
      )}
    </>
  );
}

interface Shot {
  file: File;
  url: string;
  taken: string;
}

function Open({ policies, done }: { policies: api.Policy[]; done: (id: string) => void }): JSX.Element {
  const open = policies.filter((p) => p.open && (p.purposes ?? []).includes(PURPOSE));
  const [town, setTown] = useState("");
  const policy = open.find((p) => p.jurisdiction === town) ?? open[0];
  const [shots, setShots] = useState<Shot[]>([]);
  const kept = useRef(shots);
  kept.current = shots;
  useEffect(() => () => kept.current.forEach((s) => URL.revokeObjectURL(s.url)), []);

  const send = async (f: Record<string, string>): Promise<void> => {
    const photos = [];
    for (const s of shots)
      photos.push({
        image: await base64(s.file),
        taken: utc(s.taken),
        source: f.source ?? "",
        holding: f.holding ?? "",
      });
    const age = f.age ?? "";
    const o = await api.post<{ id: string; photos: string }>("cases", {
      jurisdiction: f.jurisdiction ?? policy?.jurisdiction ?? "",
      name: f.name,
      about: f.about ?? "",
      report: f.report,
      risk: f.risk,
      consent: f.consent,
      consent_ref: f.consent_ref,
      category: f.category,
      legal_basis: f.legal_basis,
      recipients: f.recipients,
      photos,
      ...(f.born ? { born: utc(f.born) } : {}),
      ...(age === "child" ? { child: true } : age === "unknown" ? { age_unknown: true } : {}),
    });
    say(t("recorded"));
    done(o.id);
  };
  return (
    <section class="card" aria-label={t("case_new")}>
      <h2>{t("case_new")}</h2>
      <p class="hint">{t("case_new_hint")}</p>
      <label class="field">
        {t("case_photos")}
        <input
          type="file"
          accept="image/jpeg,image/png"
          multiple
          onChange={(e) => {
            const more = [...(e.currentTarget.files ?? [])]
              .filter((f) => f.type.startsWith("image/") && f.size <= BYTES_MAX)
              .map((file): Shot => ({ file, url: URL.createObjectURL(file), taken: "" }));
            setShots((x) => [...x, ...more].slice(0, 12));
            e.currentTarget.value = "";
          }}
        />
      </label>
      {shots.length > 0 && (
        <ul class="drops" aria-label={t("pictures")}>
          {shots.map((s, i) => (
            <li key={s.url}>
              <img src={s.url} alt={t("case_photo_n", { n: i + 1 })} width="96" height="120" />
              <label class="field">
                {t("case_taken", { n: i + 1 })}
                <input
                  type="date"
                  value={s.taken}
                  onInput={(e) => {
                    const taken = e.currentTarget.value;
                    setShots((x) => x.map((y) => (y.url === s.url ? { ...y, taken } : y)));
                  }}
                />
              </label>
              <button
                type="button"
                class="plain"
                onClick={() => {
                  URL.revokeObjectURL(s.url);
                  setShots((x) => x.filter((y) => y.url !== s.url));
                }}
              >
                {t("leave_out")}
              </button>
            </li>
          ))}
        </ul>
      )}
      <Form label={t("case_new")} button={t("case_open")} send={send}>
        <div class="grid">
          <Field label={t("name")} name="name" required />
          {open.length > 0 ? (
            <Field
              label={t("jurisdiction")}
              name="jurisdiction"
              options={open.map((p): [string, string] => [p.jurisdiction, p.title || p.jurisdiction])}
              onInput={setTown}
            />
          ) : (
            <Field label={t("jurisdiction")} name="jurisdiction" required />
          )}
          <Field label={t("case_report")} name="report" required />
          <Field label={t("case_risk")} name="risk" required />
          <Field
            label={t("case_consent")}
            name="consent"
            required
            options={["guardian", "relative", "court"].map((x): [string, string] => [x, word("consent", x)])}
          />
          <Field label={t("case_consent_ref")} name="consent_ref" required />
          <Field {...choice(t("category"), "category", policy?.categories, "category")} />
          <Field label={t("legal_basis")} name="legal_basis" required />
          <Field label={t("case_recipients")} name="recipients" required hint={t("case_recipients_hint")} />
          <Field
            label={t("case_age")}
            name="age"
            options={["adult", "child", "unknown"].map((x): [string, string] => [x, word("case_age", x)])}
          />
          <Field label={t("case_born")} name="born" type="date" />
          <Field {...choice(t("source"), "source", policy?.sources, "source")} value="family" />
          <Field label={t("holding")} name="holding" required hint={t("holding_hint")} />
          <Field label={t("case_about")} name="about" rows={3} hint={t("case_about_hint")} />
        </div>
      </Form>
    </section>
  );
}

function close(c: api.Case, back: () => void): void {
  void ask({
    title: t("case_close"),
    button: t("case_close_button"),
    tone: "danger",
    text: t("case_close_text"),
    fields: [
      { label: t("case_found"), name: "found", required: true, options: [["", "–"], ["yes", t("yes")], ["no", t("case_taken_back")]] },
      ...(c.flags & 1
        ? []
        : [
            {
              label: t("case_tell"),
              name: "tell",
              hint: t("case_tell_hint"),
              options: [["", "–"], ["yes", t("case_tell_yes")], ["no", t("case_tell_no")]] as [string, string][],
            },
          ]),
      { label: t("reason"), name: "reason", required: true },
    ],
    send: (f) =>
      api.post(`cases/${c.id}/close`, {
        found: f.found === "yes",
        reason: f.reason,
        ...(f.tell ? { may_tell: f.tell === "yes" } : {}),
      }),
  }).then((good) => {
    if (good) {
      say(t("erased_done"));
      go("cases");
      back();
    }
  });
}

function Findings({ c, again }: { c: api.Case; again: () => void }): JSX.Element {
  const { busy, error, act } = useAct();
  if (!c.findings.length) return <Empty text={t("case_findings_none")} />;
  return (
    <>
      <Problem error={error} />
      <ul class="drops" aria-label={t("case_findings")}>
        {c.findings.map((f) => (
          <li key={f.n}>
            <img src={`/api/v1/cases/${c.id}/pictures/finding/${f.n}`} alt={t("case_finding_n", { n: f.n + 1 })} width="96" height="120" />
            <p>
              <Tag tone={f.state === "same" ? "bad" : f.state === "not" ? "plain" : "warn"}>
                {t(`case_state_${f.state}`)}
              </Tag>
            </p>
            <Facts
              rows={[
                [t("similarity"), number(f.similarity, 3)],
                [t("threshold"), number(f.threshold, 3)],
                [t("case_from"), f.kind === "video" ? t("case_video_at", { s: number(f.at_ms / 1000) }) : t("case_tip")],
              ]}
            />
            {c.recipient && f.state === "open" && !f.judged && (
              <p class="buttons">
                {([true, false] as const).map((same) => (
                  <button
                    type="button"
                    class="plain"
                    disabled={busy}
                    key={String(same)}
                    onClick={() => void act(() => api.post(`cases/${c.id}/findings/${f.n}/verdict`, { same })).then(again)}
                  >
                    {t(same ? "case_same" : "case_not")}
                  </button>
                ))}
              </p>
            )}
            {f.state === "open" && f.judged && <p class="note">{t("waits_for_second")}</p>}
          </li>
        ))}
      </ul>
    </>
  );
}

function Searches({ c, again }: { c: api.Case; again: () => void }): JSX.Element {
  const run = (n: number): void => {
    void ask({
      title: t("case_search_run"),
      button: t("case_search_run"),
      text: t("case_search_run_text"),
      fields: [{ label: t("case_file"), name: "file", required: true }],
      send: (f) => api.post(`cases/${c.id}/searches/${n}/run`, f),
    }).then(again);
  };
  return (
    <>
      {c.searches.length > 0 && (
        <Table caption={t("case_searches")} head={[t("place"), t("start_at"), t("end_at"), t("reason"), t("state"), t("actions")]}>
          {c.searches.map((s) => (
            <tr key={s.number}>
              <th scope="row">{s.place}</th>
              <td>{moment(new Date(s.from_ns / 1e6).toISOString())}</td>
              <td>{moment(new Date(s.to_ns / 1e6).toISOString())}</td>
              <td>{s.reason}</td>
              <td>
                <Tag tone={s.state === "asked" ? "warn" : "good"}>{t(`case_search_${s.state}`)}</Tag>
              </td>
              <td class="actions">
                {can("authorise") && s.state === "asked" && (
                  <button
                    type="button"
                    class="main"
                    onClick={() =>
                      void ask({
                        title: t("authorise"),
                        button: t("authorise"),
                        text: t("case_search_text"),
                        fields: [{ label: t("password"), name: "password", type: "password", required: true }],
                        send: (f) => api.post(`cases/${c.id}/searches/${s.number}/authorise`, f),
                      }).then(again)
                    }
                  >
                    {t("authorise")}
                  </button>
                )}
                {s.state === "authorised" && !can("authorise") && (
                  <button type="button" class="plain" onClick={() => run(s.number)}>
                    {t("case_search_run")}
                  </button>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
      {can("edit_list") && (
        <p class="buttons">
          <button
            type="button"
            class="plain"
            onClick={() =>
              void ask({
                title: t("case_search_ask"),
                button: t("case_search_ask"),
                text: t("case_search_text"),
                fields: [
                  { label: t("case_file"), name: "file", required: true, hint: t("case_file_hint") },
                  { label: t("place"), name: "place", required: true },
                  { label: t("start_at"), name: "from", type: "datetime-local", required: true },
                  { label: t("end_at"), name: "to", type: "datetime-local", required: true },
                  { label: t("reason"), name: "reason", required: true },
                ],
                send: (f) => api.post(`cases/${c.id}/searches`, { ...f, from: iso(f.from), to: iso(f.to) }),
              }).then((good) => good && again())
            }
          >
            {t("case_search_ask")}
          </button>
        </p>
      )}
    </>
  );
}

function Keeping({ c, again, back }: { c: api.Case; again: () => void; back: () => void }): JSX.Element {
  const lists = useLoad(() => api.all<api.Watchlist>("watchlists"), []);
  const fit = (lists.data ?? []).filter((l) => l.purpose === PURPOSE && l.jurisdiction === c.jurisdiction);
  return (
    <p class="buttons">
      {can("edit_list") && (
        <>
          <button
            type="button"
            class="main"
            onClick={() =>
              void ask({
                title: t("case_place"),
                button: t("case_place"),
                text: t("case_place_text"),
                fields: [
                  { label: t("watchlist"), name: "watchlist", required: true, options: fit.map((l): [string, string] => [l.id, l.name]) },
                ],
                send: (f) => api.post(`cases/${c.id}/place`, f),
              }).then((good) => {
                if (good) say(t("case_placed"));
                again();
              })
            }
          >
            {t("case_place")}
          </button>
          <button
            type="button"
            class="plain"
            onClick={() =>
              void ask({
                title: t("case_renew"),
                button: t("case_renew"),
                fields: [{ label: t("case_risk"), name: "risk", required: true, hint: t("case_risk_hint") }],
                send: (f) => api.post(`cases/${c.id}/renew`, f),
              }).then((good) => {
                if (good) say(t("recorded"));
                again();
              })
            }
          >
            {t("case_renew")}
          </button>
        </>
      )}
      {(can("edit_list") || c.recipient) && (
        <>
          <button
            type="button"
            class="plain"
            onClick={() =>
              void ask({
                title: t("case_poster"),
                button: t("case_poster"),
                text: t("case_poster_text"),
                fields: [
                  { label: t("contact"), name: "contact", required: true },
                  { label: t("case_url"), name: "url", type: "url" },
                  { label: t("language"), name: "language", options: [["en", "English"], ["fr", "Français"], ["ar", "العربية"]] },
                ],
                send: (f) => {
                  const q = new URLSearchParams({ contact: f.contact ?? "", language: f.language ?? "en", ...(f.url ? { url: f.url } : {}) });
                  window.open(`/api/v1/cases/${c.id}/poster?${q.toString()}`, "_blank", "noopener");
                  return Promise.resolve();
                },
              })
            }
          >
            {t("case_poster")}
          </button>
          <button type="button" class="plain danger" onClick={() => close(c, back)}>
            {t("case_close")}
          </button>
        </>
      )}
    </p>
  );
}

function One({ id, back }: { id: string; back: () => void }): JSX.Element {
  const one = useLoad(() => api.get<api.Case>(`cases/${id}`), [id], ["alert.", "watchlist."]);
  const { busy, error, act } = useAct();
  const again = one.reload;
  const compare = (file: File | undefined): void => {
    if (!file) return;
    void act(async () => {
      const o = await api.post<{ findings: unknown[] }>(`cases/${id}/compare`, { image: await base64(file) });
      say(o.findings.length ? t("case_tip_yes", { n: o.findings.length }) : t("case_tip_no"));
    }).then(again);
  };
  return (
    <Busy from={one}>
      {(c) => (
        <article aria-label={t("case")}>
          <p>
            <a href="#/cases">{t("case_back")}</a>
          </p>
          <h2>{c.name}</h2>
          <p>
            <Tag tone={c.state === "open" ? "good" : "bad"}>{t(`case_is_${c.state}`)}</Tag>{" "}
            {c.state === "open" && (
              <>
                {t("case_due")} <Countdown to={c.due} soon={6 * 3600} />
              </>
            )}
          </p>
          <Caution c={c} />
          <Keeping c={c} again={again} back={back} />
          <ul class="drops" aria-label={t("case_photos_of")}>
            {c.photos.map((p) => (
              <li key={p.n}>
                <img src={`/api/v1/cases/${c.id}/pictures/photo/${p.n}`} alt={t("case_photo_n", { n: p.n + 1 })} width="96" height="120" />
                <p>
                  {moment(p.taken)} · {t("case_years", { n: number(p.years_old, 1) })}
                  {p.age_then !== undefined && ` · ${t("case_age_then", { n: p.age_then })}`}
                </p>
              </li>
            ))}
          </ul>
          <Facts
            rows={[
              [t("case_report"), c.report],
              [t("case_about"), c.about],
              [t("case_risk"), c.risk],
              [t("case_consent"), `${word("consent", c.consent)} · ${c.consent_ref}`],
              [t("category"), word("category", c.category)],
              [t("legal_basis"), c.legal_basis],
              [t("case_recipients"), c.recipients.join(", ")],
              [t("jurisdiction"), c.jurisdiction],
            ]}
          />
          {(can("edit_list") || c.recipient) && (
            <section>
              <h3>{t("case_findings")}</h3>
              <label class="field">
                {t("case_compare")}
                <input
                  type="file"
                  accept="image/jpeg,image/png"
                  disabled={busy}
                  onChange={(e) => {
                    compare(e.currentTarget.files?.[0]);
                    e.currentTarget.value = "";
                  }}
                />
              </label>
              <Problem error={error} />
              <Findings c={c} again={again} />
            </section>
          )}
          <section>
            <h3>{t("case_searches")}</h3>
            <Searches c={c} again={again} />
          </section>
        </article>
      )}
    </Busy>
  );
}

export function CasesPage({ rest }: { rest: string[] }): JSX.Element {
  const cases = useLoad(async () => (await api.get<{ cases: api.Case[] }>("cases")).cases, [], ["erasure."], 60);
  const policies = usePolicies();
  const [adding, setAdding] = useState(false);
  if (rest[0]) return <One id={rest[0]} back={cases.reload} key={rest[0]} />;
  return (
    <>
      {can("edit_list") && (
        <p class="buttons">
          <button type="button" class="main" aria-expanded={adding} onClick={() => setAdding(!adding)}>
            {t("case_new")}
          </button>
        </p>
      )}
      {adding && (policies.data || policies.error) && (
        <Open
          policies={policies.data ?? []}
          done={(id) => {
            setAdding(false);
            cases.reload();
            go("cases", id);
          }}
        />
      )}
      <Busy from={cases}>
        {(items) =>
          items.length === 0 ? (
            <Empty text={t("cases_none")} />
          ) : (
            <Table caption={t("nav_cases")} head={[t("name"), t("case_report"), t("state"), t("case_due"), t("case_recipients")]}>
              {items.map((c) => (
                <tr key={c.id}>
                  <th scope="row">
                    <a href={`#/cases/${c.id}`}>{c.name}</a> {c.child && <Tag tone="warn">{t("case_age_child")}</Tag>}
                  </th>
                  <td>{c.report}</td>
                  <td>
                    <Tag tone={c.state === "open" ? "good" : "bad"}>{t(`case_is_${c.state}`)}</Tag>
                  </td>
                  <td>{moment(c.due)}</td>
                  <td>{c.recipients.join(", ")}</td>
                </tr>
              ))}
            </Table>
          )
        }
      </Busy>
      <p class="hint">{t("cases_hint")}</p>
    </>
  );
}
