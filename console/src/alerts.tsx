// Alerts: the queue on one side, the claim to judge on the other.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "./api";
import { Caution } from "./cases";
import { go } from "./app";
import { clock, type Key, moment, number, t, word } from "./i18n";
import { Outcome } from "./outcome";
import { onKey } from "./prefs";
import { useAlerts } from "./queue";
import { can, myName } from "./rights";
import { Busy, Countdown, Empty, Facts, Hex, Problem, say, Tag, type Tone, until, useAct, useLoad } from "./ui";

type Verdict = "match" | "no_match" | "cannot_say";
const REASONS: Record<Verdict, Key[]> = {
  match: ["reason_features", "reason_marks", "reason_several"],
  no_match: ["reason_other_features", "reason_age", "reason_known"],
  cannot_say: ["reason_picture", "reason_angle", "reason_covered"],
};
const TONES: Record<api.Alert["phase"], Tone> = {
  "open": "warn", "match": "bad", "no match": "plain", "expired": "plain", "engaged": "bad", "closed": "good",
}; // prettier-ignore

const waiting = (a: api.Alert): boolean => a.phase === "open" || a.phase === "match" || a.phase === "engaged";

function Queue({ items, at }: { items: api.Alert[]; at: string }): JSX.Element {
  if (!items.length) return <Empty text={t("alerts_none")} />;
  return (
    <ol class="queue">
      {items.map((a) => (
        <li key={a.id}>
          <a href={`#/alerts/${a.id}`} aria-current={a.id === at ? "true" : undefined}>
            <span class="who">
              {a.person || t("erased")} {a.detail?.look_alike && <Tag tone="warn">{t("look_alike_short")}</Tag>}
            </span>
            <span class="where">
              {a.camera} · {clock(a.captured_at)} · {word("category", a.category)}
            </span>
            <span class="end">
              <Tag tone={TONES[a.phase]}>{word("phase", a.phase)}</Tag>
              {a.phase === "open" && <Countdown to={a.expires_at} />}
              {a.claimed_by && <Tag>{t("claimed_by", { who: a.claimed_by })}</Tag>}
            </span>
          </a>
        </li>
      ))}
    </ol>
  );
}

/** The score on a line, with the threshold marked: a likeness, not a chance. */
function Scale({ a }: { a: api.Alert }): JSX.Element {
  const x = (v: number): number => Math.round(Math.min(1, Math.max(0, v)) * 300);
  return (
    <svg
      class="scale"
      viewBox="0 0 300 30"
      role="img"
      aria-label={t("scale_label", { score: number(a.similarity, 3), threshold: number(a.threshold, 3) })}
    >
      <rect class="track" x="0" y="12" width="300" height="6" rx="3" />
      <rect class="over" x={x(a.threshold)} y="12" width={Math.max(0, x(a.similarity) - x(a.threshold))} height="6" />
      <line class="threshold" x1={x(a.threshold)} x2={x(a.threshold)} y1="4" y2="26" />
      <circle class="score" cx={x(a.similarity)} cy="15" r="6" />
    </svg>
  );
}

function Picture({ a, part }: { a: api.Alert; part: "probe" | "reference" }): JSX.Element {
  const [gone, setGone] = useState(part === "reference" && !a.person); // erased with its list
  const what = t(part === "probe" ? "probe" : "reference");
  return (
    <figure>
      {gone ? (
        <div class="nopicture">{t("picture_gone")}</div>
      ) : (
        <img
          src={`/api/v1/alerts/${a.id}/pictures/${part}`}
          alt={what}
          width="240"
          height="300"
          onError={() => setGone(true)}
        />
      )}
      <figcaption>
        {what}
        {part === "probe" && ` · ${a.camera} · ${clock(a.captured_at)}`}
      </figcaption>
    </figure>
  );
}

function Decide({ a, done }: { a: api.Alert; done: () => void }): JSX.Element {
  const { busy, error, act } = useAct();
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [note, setNote] = useState("");
  const first = useRef<HTMLButtonElement>(null);
  useEffect(() => first.current?.focus(), [verdict]);
  useEffect(
    () =>
      onKey((key) => {
        const v = ({ m: "match", n: "no_match", u: "cannot_say" } as Record<string, Verdict>)[key];
        if (v) setVerdict(v);
        const i = "123".indexOf(key);
        const reason = verdict && key.length === 1 && i >= 0 ? REASONS[verdict][i] : undefined;
        if (reason) send(verdict!, reason);
        return !!v || !!reason;
      }),
    [verdict, note, a.id],
  );
  const send = (v: Verdict, reason: Key): void => {
    void act(() =>
      api.post(`alerts/${a.id}/decision`, {
        verdict: v,
        factors: { reason: reason.slice(7), ...(note ? { note } : {}) },
      }),
    ).then((good) => {
      if (good) say(t("decided"));
      done();
    });
  };
  return (
    <section class="decide" aria-label={t("your_decision")}>
      <h3>{t("your_decision")}</h3>
      <p class="hint">{a.reviews_needed > 1 ? t("blind", { n: a.reviews_needed }) : t("one_decides")}</p>
      <div class="verdicts" role="group" aria-label={t("your_decision")}>
        {(["match", "no_match", "cannot_say"] as const).map((v) => (
          <button
            type="button"
            key={v}
            class={`verdict ${v}`}
            aria-pressed={verdict === v}
            disabled={busy}
            onClick={() => setVerdict(v)}
          >
            {t(`verdict_${v}`)}
          </button>
        ))}
      </div>
      {verdict && (
        <div class="reasons">
          <p id="why">{t("because")}</p>
          <div role="group" aria-labelledby="why">
            {REASONS[verdict].map((r, i) => (
              <button
                type="button"
                class="main"
                key={r}
                ref={i === 0 ? first : null}
                disabled={busy}
                onClick={() => send(verdict, r)}
              >
                {t(r)}
              </button>
            ))}
          </div>
          <label class="field">
            {t("note")}
            <input
              type="text"
              maxLength={200}
              value={note}
              onInput={(e) => setNote(e.currentTarget.value)}
              autoComplete="off"
            />
          </label>
        </div>
      )}
      <Problem error={error} />
    </section>
  );
}

/** So that two people do not start on the same one; it lapses by itself. */
function Claiming({ a, again }: { a: api.Alert; again: () => void }): JSX.Element {
  const { busy, error, act } = useAct();
  const own = a.claimed_by === myName();
  const take = (): void => void act(() => api.post(`alerts/${a.id}/claim`)).then(again);
  useEffect(() => onKey((key) => key === "c" && (take(), true)), [a.id]);
  return (
    <div class="claiming">
      {own ? (
        <>
          {t("claimed_me")}{" "}
          <button
            type="button"
            class="plain"
            disabled={busy}
            onClick={() => void act(() => api.call("DELETE", `alerts/${a.id}/claim`)).then(again)}
          >
            {t("unclaim")}
          </button>
        </>
      ) : a.claimed_by ? (
        <Tag tone="warn">{t("claimed_by", { who: a.claimed_by })}</Tag>
      ) : (
        <button type="button" class="plain" disabled={busy} onClick={take}>
          {t("claim")}
        </button>
      )}
      <Problem error={error} />
    </div>
  );
}

function Claim({ id, reload }: { id: string; reload: () => void }): JSX.Element {
  const one = useLoad(() => api.get<api.Alert>(`alerts/${id}`), [id], ["alert.adjudicated", "alert.engaged",
    "alert.outcome", "alert.expired", "alert.held", "alert.released", "alert.claimed"]); // prettier-ignore
  const again = (): void => {
    one.reload();
    reload();
  };
  return <Busy from={one}>{(a) => <Detail a={a} again={again} key={a.id} />}</Busy>;
}

function Detail({ a, again }: { a: api.Alert; again: () => void }): JSX.Element {
  const q = a.detail?.quality;
  const mine = a.reviews.some((r) => r.who === myName());
  const alone = a.margin >= 2; // nobody else is on the list
  const shown = { ...a, phase: a.phase === "open" && until(a.expires_at) <= 0 ? ("expired" as const) : a.phase };
  return (
    <article class="claim" aria-label={t("alert")}>
      <header>
        <h2>{a.person || t("erased")}</h2>
        <p>
          <Tag tone={TONES[shown.phase]}>{word("phase", shown.phase)}</Tag>
          {a.phase === "open" && (
            <>
              {" "}
              {t("expires_in")} <Countdown to={a.expires_at} />
            </>
          )}
        </p>
      </header>
      <p class="claimtext">{t("claim_text")}</p>
      {a.case && (
        <>
          <p class="note">{t("case_alert")}</p>
          <Caution c={a.case} />
        </>
      )}
      {a.detail?.look_alike && (
        <p class="warning">
          <strong>{t("look_alike")}</strong> {t("look_alike_text")}
        </p>
      )}
      <div class="faceoff">
        <div class="pictures">
          <Picture a={a} part="probe" />
          <Picture a={a} part="reference" />
        </div>
        <div>
          <Scale a={a} />
          <Facts
            rows={[
              [t("similarity"), number(a.similarity, 3)],
              [t("threshold"), number(a.threshold, 3)],
              [t("margin"), alone ? t("margin_alone") : number(a.margin, 3)],
              [
                t("error_rate"),
                a.error_rate ? t("one_in", { n: number(Math.round(1 / a.error_rate)) }) : t("error_rate_unknown"),
              ],
              [t("quality"), q ? `${number(q.score, 2)} · ${t("eyes_px", { n: number(q.interocular_px) })}` : "–"],
              [
                t("picture"),
                q ? `${t("sharpness")} ${number(q.sharpness, 2)} · ${t("brightness")} ${number(q.brightness)}` : "–",
              ],
            ]}
          />
        </div>
      </div>
      {shown.phase === "open" && can("judge") && !mine && (
        <>
          <Claiming a={a} again={again} />
          <Decide a={a} done={again} key={a.id} />
        </>
      )}
      {shown.phase === "open" && mine && <p class="note">{t("waits_for_second")}</p>}
      {a.reviews.length > 0 && (
        <section>
          <h3>{t("decisions")}</h3>
          <ul class="plainlist">
            {a.reviews.map((r) => (
              <li key={r.who}>
                {r.who}: {t(`verdict_${r.verdict}`)} · {clock(r.at)}
              </li>
            ))}
          </ul>
        </section>
      )}
      <Outcome a={a} again={again} />
      <Facts
        rows={[
          [t("category"), word("category", a.category)],
          ...(a.case
            ? ([
                [t("case_report"), a.case.report],
                [t("case_about"), a.case.about],
              ] as [string, string][])
            : []),
          [t("faces_fused"), a.detail ? number(a.detail.faces_fused) : "–"],
          [t("captured"), moment(a.captured_at)],
          [t("latency"), `${number(Date.parse(a.raised_at) - Date.parse(a.captured_at))} ms`],
          [t("deployment"), a.deployment],
          [t("reference_number"), <Hex value={a.id} n={12} />],
        ]}
      />
    </article>
  );
}

export function AlertsPage({ rest }: { rest: string[] }): JSX.Element {
  const [older, setOlder] = useState(false);
  const list = useAlerts(true);
  const items = (list.data ?? [])
    .filter((a) => older || waiting(a) || a.id === rest[0])
    .sort((a, b) => Number(waiting(b)) - Number(waiting(a)) || b.raised_at.localeCompare(a.raised_at));
  const shown = useRef(""); // stays after it is judged, until another is chosen
  if (rest[0]) shown.current = rest[0];
  else if (!items.some((a) => a.id === shown.current)) shown.current = items.find((a) => a.phase === "open")?.id ?? "";
  const id = shown.current;
  useEffect(
    () =>
      onKey((key) => {
        if (key !== "j" && key !== "k") return false;
        const at = items.findIndex((a) => a.id === id);
        const to = items[Math.min(items.length - 1, Math.max(0, at + (key === "j" ? 1 : -1)))];
        if (to) go("alerts", to.id);
        return true;
      }),
    [id, items.map((a) => a.id).join()],
  );
  return (
    <div class="split">
      <section aria-label={t("queue")}>
        <label class="check">
          <input type="checkbox" checked={older} onChange={(e) => setOlder(e.currentTarget.checked)} /> {t("show_older")}
        </label>
        <Busy from={list}>{() => <Queue items={items} at={id} />}</Busy>
      </section>
      <section aria-label={t("alert")}>
        {id ? <Claim id={id} reload={list.reload} key={id} /> : list.data && <Empty text={t("alerts_pick")} />}
      </section>
    </div>
  );
}
