// The machine: health, cameras, models, users, and its metrics as curves.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import * as api from "./api";
import { moment, number, t, word } from "./i18n";
import { can, ROLES } from "./rights";
import { ask, Busy, Empty, Facts, Field, Form, Hex, Problem, Said, say, Table, Tag, useAct, useLoad } from "./ui";

// --- metrics --------------------------------------------------------------------------------------

type Sample = { at: number; v: Record<string, number> };
const KEPT = 150; // two seconds apart: five minutes

function parse(text: string): Record<string, number> {
  const v: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const m = line.match(/^([a-z_]+(?:\{[^}]*\})?) (\S+)$/);
    if (m) v[m[1]!] = Number(m[2]);
  }
  return v;
}

/** One curve; rate: the growth of a counter, a second. */
function Plot({ title, unit, data, pick, rate = false }: {
  title: string;
  unit: string;
  data: Sample[];
  pick: (v: Record<string, number>) => number | undefined;
  rate?: boolean;
}): JSX.Element {
  const points: [number, number][] = [];
  data.forEach((s, i) => {
    const y = pick(s.v);
    const before = data[i - 1];
    if (y === undefined) return;
    if (!rate) points.push([s.at, y]);
    else if (before) points.push([s.at, Math.max(0, (y - (pick(before.v) ?? y)) / ((s.at - before.at) / 1000))]);
  });
  const top = Math.max(1e-9, ...points.map((p) => p[1])) * 1.1;
  const end = points.at(-1)?.[0] ?? 0;
  const last = points.at(-1)?.[1] ?? 0;
  const digits = last !== 0 && last < 10 ? 2 : 0;
  const x = (at: number): number => 300 - (end - at) / ((KEPT * 2000) / 300);
  return (
    <figure class="plot">
      <figcaption>
        {title}: <strong>{`${number(last, digits)} ${unit}`}</strong>
      </figcaption>
      <svg viewBox="0 0 300 80" role="img" aria-label={`${title}: ${number(last, digits)} ${unit}`}>
        <line class="axis" x1="0" x2="300" y1="79" y2="79" />
        <polyline points={points.map(([at, y]) => `${x(at).toFixed(1)},${(78 - (76 * y) / top).toFixed(1)}`).join(" ")} />
      </svg>
    </figure>
  );
}

function Metrics(): JSX.Element {
  const [data, setData] = useState<Sample[]>([]);
  useEffect(() => {
    let alive = true;
    const next = (): void => {
      if (!document.hidden)
        api.plain("/metrics").then(
          (text) => alive && setData((d) => [...d.slice(1 - KEPT), { at: Date.now(), v: parse(text) }]),
          () => undefined,
        );
    };
    next();
    const timer = window.setInterval(next, 2000);
    return () => {
      alive = false;
      window.clearInterval(timer);
    };
  }, []);
  const of = (name: string, scale = 1) => (v: Record<string, number>) => (v[name] === undefined ? undefined : v[name] * scale);
  return (
    <section aria-label={t("metrics")}>
      <h2>{t("metrics")}</h2>
      <div class="plots">
        <Plot title={t("m_frames")} unit="/s" data={data} pick={of("vedette_camera_frames_decoded_total")} rate />
        <Plot
          title={t("m_dropped")}
          unit="/s"
          data={data}
          pick={of('vedette_camera_frames_dropped_total{reason="late"}')}
          rate
        />
        <Plot title={t("m_faces")} unit="/s" data={data} pick={of("vedette_faces_detected_total")} rate />
        <Plot title={t("m_searches")} unit="/s" data={data} pick={of("vedette_searches_total")} rate />
        <Plot title={t("nav_alerts")} unit="" data={data} pick={of("vedette_alerts_total")} />
        <Plot
          title={t("m_latency")}
          unit="ms"
          data={data}
          pick={of("vedette_alert_latency_p99_seconds", 1000)}
        />
        <Plot title={t("m_memory")} unit="MiB" data={data} pick={of("process_resident_memory_bytes", 1 / 1048576)} />
        <Plot title={t("m_requests")} unit="/s" data={data} pick={of("vedette_http_requests_total")} rate />
      </div>
    </section>
  );
}

// --- health ---------------------------------------------------------------------------------------

function Health(): JSX.Element {
  const s = useLoad(() => api.get<api.System>("system"), [], ["deployment."], 5);
  const ready = useLoad(() => api.get<{ status: string; store: boolean }>("/ready"), [], [], 5);
  return (
    <section class="card" aria-label={t("health")}>
      <h2>{t("health")}</h2>
      <p>
        <Tag tone={ready.data?.status === "ready" ? "good" : "bad"}>
          {t(ready.data?.status === "ready" ? "ready" : "not_ready")}
        </Tag>
      </p>
      <Busy from={s}>
        {(x) => (
          <Facts
            rows={[
              [t("version"), x.version],
              [t("nav_lists"), number(x.watchlists)],
              [t("entries"), number(x.entries)],
              [t("nav_deployments"), number(x.deployments)],
              [t("nav_alerts"), number(x.alerts)],
              [t("audit_entries"), number(x.audit_entries)],
              [t("database"), `${number(x.db_bytes / 1048576, 1)} MiB`],
            ]}
          />
        )}
      </Busy>
      {s.data?.models && s.data.models.length > 0 && (
        <Table caption={t("models")} head={[t("role"), t("name"), t("licence"), t("threshold"), "SHA-256"]}>
          {s.data.models.map((m) => (
            <tr key={m.role + m.name}>
              <td>{word("model", m.role)}</td>
              <th scope="row">{m.name}</th>
              <td>{m.licence}</td>
              <td>{m.threshold === undefined ? "–" : number(m.threshold, 3)}</td>
              <td>
                <Hex value={m.sha256} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}

function Cameras(): JSX.Element {
  const list = useLoad(() => api.all<api.Camera>("cameras"), [], ["config.", "source."], 10);
  const { busy, error, act } = useAct();
  const [report, setReport] = useState<Record<string, unknown> | null>(null);
  const add = (): void => {
    void ask({
      title: t("camera_add"),
      button: t("add"),
      text: t("camera_add_text"),
      fields: [
        { label: t("name"), name: "id", required: true },
        { label: "URL", name: "url", required: true, hint: "rtsp://10.0.0.5/stream" },
      ],
      send: (f) => api.post("cameras", f),
    }).then((good) => good && list.reload());
  };
  return (
    <section class="card" aria-label={t("cameras")}>
      <h2>{t("cameras")}</h2>
      {can("users") && (
        <p class="buttons">
          <button type="button" class="main" onClick={add}>
            {t("camera_add")}
          </button>
        </p>
      )}
      <Busy from={list}>
        {(items) =>
          items.length === 0 ? (
            <Empty text={t("cameras_none")} />
          ) : (
            <Table caption={t("cameras")} head={[t("name"), t("state"), t("actions")]}>
              {items.map((c) => (
                <tr key={c.id}>
                  <th scope="row">{c.id}</th>
                  <td>
                    {c.state ? word("camera", c.state) : "–"} {c.trouble && <Said text={c.trouble} />}
                  </td>
                  <td class="actions">
                    <button
                      type="button"
                      class="plain"
                      disabled={busy || !can("users")}
                      onClick={() =>
                        void act(async () =>
                          setReport(await api.post<Record<string, unknown>>(`cameras/${encodeURIComponent(c.id)}/test`)),
                        )
                      }
                    >
                      {t("camera_test")}
                    </button>
                    {c.added && can("users") && (
                      <button
                        type="button"
                        class="plain danger"
                        disabled={busy}
                        onClick={() =>
                          void act(() => api.call("DELETE", `cameras/${encodeURIComponent(c.id)}`)).then(list.reload)
                        }
                      >
                        {t("remove")}
                      </button>
                    )}
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Busy>
      <Problem error={error} />
      {report && (
        <Facts rows={Object.entries(report).map(([k, v]): [string, string] => [word("report", k), String(v)])} />
      )}
    </section>
  );
}

// --- users ----------------------------------------------------------------------------------------

function UserForm({ u, done }: { u: api.User | null; done: () => void }): JSX.Element {
  const had = u?.roles.split(",") ?? [];
  const date = u?.training_until?.slice(0, 10) ?? new Date(api.now() + 180 * 86400000).toISOString().slice(0, 10);
  return (
    <section class="card" aria-label={u ? u.name : t("user_new")}>
      <h3>{u ? u.name : t("user_new")}</h3>
      <Form
        label={t("user_new")}
        button={t("keep")}
        send={async (f) => {
          const name = u?.name ?? f.name ?? "";
          await api.call("PUT", `users/${encodeURIComponent(name)}`, {
            roles: f.role ?? "",
            ...(f.password ? { password: f.password } : {}),
            ...(f.training ? { training_until: `${f.training}T00:00:00Z` } : {}),
            disabled: f.disabled === "yes",
          });
          say(t("user_kept", { who: name }));
          done();
        }}
      >
        {!u && <Field label={t("name")} name="name" required />}
        <fieldset>
          <legend>{t("roles")}</legend>
          {ROLES.map((r) => (
            <label class="check" key={r}>
              <input type="checkbox" name="role" value={r} defaultChecked={had.includes(r)} /> {word("role", r)}
            </label>
          ))}
        </fieldset>
        <Field
          label={t(u ? "password_new" : "password")}
          name="password"
          type="password"
          required={!u}
          autoComplete="new-password"
          hint={t("password_hint")}
        />
        <Field label={t("training")} name="training" type="date" value={date} hint={t("training_hint")} />
        {u && (
          <Field
            label={t("disabled")}
            name="disabled"
            value={u.disabled ? "yes" : "no"}
            options={[["no", t("no")], ["yes", t("yes")]]}
          />
        )}
      </Form>
    </section>
  );
}

function Users(): JSX.Element {
  const list = useLoad(() => api.all<api.User>("users"), []);
  const [edit, setEdit] = useState<api.User | "new" | null>(null);
  const done = (): void => {
    setEdit(null);
    list.reload();
  };
  return (
    <section class="card" aria-label={t("users")}>
      <h2>{t("users")}</h2>
      <p class="buttons">
        <button type="button" class="main" onClick={() => setEdit(edit === "new" ? null : "new")} aria-expanded={edit === "new"}>
          {t("user_new")}
        </button>
      </p>
      {edit && <UserForm u={edit === "new" ? null : edit} done={done} key={edit === "new" ? "" : edit.name} />}
      <Busy from={list}>
        {(items) => (
          <Table caption={t("users")} head={[t("name"), t("roles"), t("training"), t("state"), t("actions")]}>
            {items.map((u) => (
              <tr key={u.name}>
                <th scope="row">{u.name}</th>
                <td>{u.roles.split(",").map((r) => word("role", r)).join(", ")}</td>
                <td>{moment(u.training_until)}</td>
                <td>
                  <Tag tone={u.disabled ? "bad" : "good"}>{t(u.disabled ? "disabled" : "active")}</Tag>
                </td>
                <td class="actions">
                  <button type="button" class="plain" onClick={() => setEdit(u)}>
                    {t("change")}
                  </button>
                </td>
              </tr>
            ))}
          </Table>
        )}
      </Busy>
    </section>
  );
}

export function SystemPage(): JSX.Element {
  return (
    <>
      <div class="cards wide">
        <Health />
        <Cameras />
      </div>
      {can("users") && <Users />}
      <Metrics />
    </>
  );
}
