// Deployments: planned by one, authorised by another, started, counted down, recorded.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import * as api from "./api";
import { moment, number, t, word } from "./i18n";
import { PlanForm } from "./plan";
import { can, myName } from "./rights";
import { useRunning } from "./stop";
import { ask, Busy, Countdown, Empty, Facts, Hex, Problem, Said, say, Tag, type Tone, until, useAct, useLoad } from "./ui";

const TONES: Record<string, Tone> = { authorised: "warn", running: "good", ended: "plain", unratified: "bad", prohibited: "bad" };

function FactsOf({ f, more = [] }: { f: api.Facts; more?: [string, JSX.Element | string][] }): JSX.Element {
  return (
    <Facts
      rows={[
        [t("purpose"), word("purpose", f.purpose)],
        [t("legal_basis"), f.legal_basis],
        [t("jurisdiction"), f.jurisdiction],
        [t("hours"), `${moment(f.start)} – ${moment(f.end)}`],
        [t("cameras"), f.cameras.join(", ")],
        [t("entries"), number(f.entries)],
        [t("threshold"), number(f.threshold, 3)],
        [t("list_digest"), <Hex value={f.watchlist_digest} n={12} />],
        ...more,
      ]}
    />
  );
}

function withPassword(title: string, text: string, path: string, done: (o: { missing?: number }) => void): void {
  void ask({
    title,
    button: title,
    text,
    fields: [
      { label: t("password"), name: "password", type: "password", required: true, autoComplete: "current-password" },
    ],
    send: async (f) => done(await api.post<{ missing?: number }>(path, f)),
  });
}

function PlanCard({ p, again }: { p: api.Plan; again: () => void }): JSX.Element {
  const own = p.by === myName();
  return (
    <section class="card" aria-label={p.facts.name}>
      <h3>{p.facts.name}</h3>
      <p>
        <Tag tone="warn">{t("planned")}</Tag> {t("planned_by", { who: p.by, when: moment(p.at) })} ·{" "}
        {t("signatures", { n: p.signatures })}
      </p>
      <FactsOf f={p.facts} />
      {can("authorise") && (
        <p class="buttons">
          <button
            type="button"
            class="main"
            disabled={own}
            title={own ? t("four_eyes") : undefined}
            onClick={() =>
              withPassword(t("authorise"), t("authorise_text"), `plans/${p.id}/authorise`, (o) => {
                say(o.missing ? t("signatures_missing", { n: o.missing }) : t("authorised"));
                again();
              })
            }
          >
            {t("authorise")}
          </button>
        </p>
      )}
    </section>
  );
}

interface Paper {
  [key: string]: unknown;
}

function After({ d }: { d: api.Deployment }): JSX.Element {
  const [record, setRecord] = useState<Paper | null>(null);
  const { busy, error, act } = useAct();
  return (
    <>
      <p class="buttons">
        <button
          type="button"
          class="plain"
          disabled={busy}
          onClick={() => void act(async () => setRecord(await api.get<Paper>(`deployments/${d.id}/record`)))}
        >
          {t("record_of_it")}
        </button>
      </p>
      <Problem error={error} />
      {record && (
        <pre class="record" dir="ltr" lang="en" tabIndex={0}>
          {JSON.stringify(record, null, 2)}
        </pre>
      )}
    </>
  );
}

function DeploymentCard({ d, run, again }: { d: api.Deployment; run: api.Running | undefined; again: () => void }): JSX.Element {
  const { busy, error, act } = useAct();
  const over = until(d.facts.end) <= 0;
  const live = d.state === "authorised" || d.state === "running";
  const go = (): void => {
    void act(() => api.post(`deployments/${d.id}/start`)).then((good) => {
      if (good) say(t("event_started"));
      again();
    });
  };
  return (
    <section class="card" aria-label={d.facts.name}>
      <h3>{d.facts.name}</h3>
      <p>
        <Tag tone={TONES[d.state] ?? "plain"}>{word("state", d.state)}</Tag>{" "}
        {run && <Tag tone={run.watching ? "good" : "warn"}>{word("gate", run.phase)}</Tag>}{" "}
        {live && !over && (
          <>
            {t("ends_in")} <Countdown to={d.facts.end} soon={300} />
          </>
        )}
      </p>
      <FactsOf
        f={d.facts}
        more={[
          [t("started"), moment(d.started)],
          [t("ended"), moment(d.ended)],
          [t("authority"), <Hex value={d.authority} n={12} />],
          ...(run
            ? ([
                [t("people_passed"), number(run.tracks)],
                [t("nav_alerts"), number(run.alerts)],
              ] as [string, string][])
            : []),
        ]}
      />
      {run?.trouble && (
        <p class="warning">
          <Said text={run.trouble} />
        </p>
      )}
      <p class="buttons">
        {live && !over && !run && can("see_alert") && (
          <button type="button" class="main" disabled={busy} onClick={go}>
            {busy ? t("working") : t("start")}
          </button>
        )}
        {run && (
          <button
            type="button"
            class="danger"
            disabled={busy}
            onClick={() =>
              void act(() => api.post(`deployments/${d.id}/stop`, { reason: "stopped from the console" })).then(again)
            }
          >
            {t("stop")}
          </button>
        )}
        {run && /stop/.test(run.phase) && can("authorise") && (
          <button
            type="button"
            class="main"
            onClick={() => withPassword(t("resume"), t("resume_text"), `deployments/${d.id}/resume`, again)}
          >
            {t("resume")}
          </button>
        )}
      </p>
      <Problem error={error} />
      {d.state === "ended" && <After d={d} />}
    </section>
  );
}

export function DeploymentsPage(): JSX.Element {
  const plans = useLoad(() => api.get<api.Page<api.Plan>>("plans").then((p) => p.items), [], ["deployment."], 20);
  const list = useLoad(() => api.get<api.Page<api.Deployment>>("deployments").then((p) => p.items), [], ["deployment."], 20);
  const running = useRunning(3);
  const [planning, setPlanning] = useState(false);
  const again = (): void => {
    plans.reload();
    list.reload();
    running.reload();
  };
  const open = (plans.data ?? []).filter((p) => !p.authorised && until(p.facts.end) > 0);
  return (
    <>
      {(can("edit_list") || can("authorise")) && (
        <p class="buttons">
          <button type="button" class="main" aria-expanded={planning} onClick={() => setPlanning(!planning)}>
            {t("plan_new")}
          </button>
        </p>
      )}
      {planning && (
        <PlanForm
          done={() => {
            setPlanning(false);
            say(t("planned_done"));
            again();
          }}
        />
      )}
      <Problem error={plans.error} />
      {open.length > 0 && (
        <section aria-label={t("plans")}>
          <h2>{t("plans")}</h2>
          <div class="cards">
            {open.map((p) => (
              <PlanCard p={p} again={again} key={p.id} />
            ))}
          </div>
        </section>
      )}
      <section aria-label={t("nav_deployments")}>
        <h2>{t("authorised_ones")}</h2>
        <Busy from={list}>
          {(items) =>
            items.length === 0 ? (
              <Empty text={t("deployments_none")} />
            ) : (
              <div class="cards">
                {items.map((d) => (
                  <DeploymentCard
                    d={d}
                    run={running.data?.find((r) => r.deployment === d.facts.name)}
                    again={again}
                    key={d.id}
                  />
                ))}
              </div>
            )
          }
        </Busy>
      </section>
    </>
  );
}
