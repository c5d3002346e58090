// After the decisions: engagement, what came of it, the notice for the person stopped, holds.
import type { JSX } from "preact";
import * as api from "./api";
import { moment, t } from "./i18n";
import { can } from "./rights";
import { ask, Problem, say, useAct } from "./ui";

const ACTIONS = ["none", "identity", "safeguard", "arrest", "other_offence"] as const;

function outcome(a: api.Alert, again: () => void): void {
  void ask({
    title: t("outcome"),
    button: t("record_it"),
    fields: [
      {
        label: t("outcome_confirmed"),
        name: "confirmed",
        required: true,
        options: [["", "–"], ["yes", t("outcome_yes")], ["no", t("outcome_no")]],
      },
      {
        label: t("outcome_action"),
        name: "action",
        required: true,
        options: [["", "–"], ...ACTIONS.filter((x) => !a.case || x !== "arrest").map((x): [string, string] => [x, t(`action_${x}`)])],
      },
      { label: t("outcome_minutes"), name: "minutes", type: "number", min: 0, max: 1440, value: "0", required: true },
      a.case
        ? { label: t("outcome_asked"), name: "asked", rows: 2, hint: t("case_tell_hint") }
        : { label: t("outcome_ground"), name: "ground", rows: 2, hint: t("outcome_ground_hint") },
    ],
    send: (f) =>
      api.post(`alerts/${a.id}/outcome`, {
        confirmed: f.confirmed === "yes",
        action: f.action,
        minutes: Number(f.minutes),
        ...(f.ground ? { ground: f.ground } : {}),
        ...(f.asked ? { asked: f.asked } : {}),
      }),
  }).then((good) => {
    if (good) say(t("recorded"));
    again();
  });
}

function hold(a: api.Alert, again: () => void): void {
  void ask({
    title: t("hold"),
    button: t("hold"),
    text: t("hold_text"),
    fields: [
      { label: t("reason"), name: "reason", required: true, rows: 2 },
      { label: t("until"), name: "until", type: "datetime-local", required: true },
    ],
    send: (f) =>
      api.post(`alerts/${a.id}/hold`, {
        reason: f.reason,
        until: `${new Date(f.until ?? "").toISOString().slice(0, 19)}Z`,
      }),
  }).then((good) => good && again());
}

/** R37: on paper, for the person who was stopped. */
function Notice({ a }: { a: api.Alert }): JSX.Element {
  return (
    <section class="notice">
      <h3>{t("notice_title")}</h3>
      <p>{t("notice_text", { when: moment(a.captured_at), where: a.camera })}</p>
      <p>
        {t("reference_number")}: <code dir="ltr">{a.id}</code>
      </p>
      <p>{t("notice_route")}</p>
      <p class="buttons noprint">
        <button type="button" class="plain" onClick={() => window.print()}>
          {t("print")}
        </button>
      </p>
    </section>
  );
}

export function Outcome({ a, again }: { a: api.Alert; again: () => void }): JSX.Element {
  const { busy, error, act } = useAct();
  return (
    <section class="after">
      {a.phase === "match" && (
        <>
          <p class="warning">{t("match_text")}</p>
          {can("engage") && (
            <p class="buttons">
              <button
                type="button"
                class="danger"
                disabled={busy}
                onClick={() => void act(() => api.post(`alerts/${a.id}/engage`)).then(again)}
              >
                {t("engage")}
              </button>
            </p>
          )}
        </>
      )}
      {a.phase === "engaged" && (
        <>
          <p class="warning">{t("engaged_text")}</p>
          {can("engage") && (
            <p class="buttons">
              <button type="button" class="main" onClick={() => outcome(a, again)}>
                {t("outcome")}
              </button>
            </p>
          )}
        </>
      )}
      {(a.phase === "engaged" || a.phase === "closed") && <Notice a={a} />}
      {can("hold") && a.phase !== "open" && (
        <p class="buttons">
          <button type="button" class="plain" onClick={() => hold(a, again)}>
            {t("hold")}
          </button>
          {a.held !== 0 && (
            <button
              type="button"
              class="plain"
              onClick={() =>
                void ask({
                  title: t("release"),
                  button: t("release"),
                  fields: [{ label: t("reason"), name: "reason", required: true }],
                  send: (f) => api.post(`alerts/${a.id}/release`, f),
                }).then((good) => good && again())
              }
            >
              {t("release")}
            </button>
          )}
        </p>
      )}
      <Problem error={error} />
    </section>
  );
}
