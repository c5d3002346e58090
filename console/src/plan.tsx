// A plan: hours and place, cameras, parties, references. The daemon adds the digests that it knows better.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import * as api from "./api";
import { t, word } from "./i18n";
import { choice, usePolicies } from "./lists";
import { Field, Form, useLoad } from "./ui";

interface Point {
  lat: number;
  lon: number;
}

const points = (text: string): Point[] =>
  text
    .split("\n")
    .map((l) => l.split(/[,;\s]+/).filter(Boolean).map(Number))
    .filter((p) => p.length === 2 && p.every(Number.isFinite))
    .map(([lat, lon]) => ({ lat: lat!, lon: lon! }));

/** The place as a drawing, on a map picture of one's own if one likes: the picture stays in this browser. */
function Sketch({ area, cameras, map }: { area: Point[]; cameras: Point[]; map: string }): JSX.Element | null {
  const all = [...area, ...cameras];
  if (all.length < 2) return null;
  const [n, s] = [Math.max(...all.map((p) => p.lat)), Math.min(...all.map((p) => p.lat))];
  const [e, w] = [Math.max(...all.map((p) => p.lon)), Math.min(...all.map((p) => p.lon))];
  const x = (p: Point): number => 20 + (360 * (p.lon - w)) / (e - w || 1);
  const y = (p: Point): number => 20 + (200 * (n - p.lat)) / (n - s || 1);
  return (
    <svg class="sketch" viewBox="0 0 400 240" role="img" aria-label={t("sketch")} direction="ltr">
      {map && <image href={map} x="0" y="0" width="400" height="240" preserveAspectRatio="xMidYMid slice" />}
      <polygon points={area.map((p) => `${x(p)},${y(p)}`).join(" ")} />
      {cameras.map((p, i) => (
        <circle key={i} cx={x(p)} cy={y(p)} r="6" />
      ))}
    </svg>
  );
}

const iso = (local: string | undefined): string => (local ? `${new Date(local).toISOString().slice(0, 19)}Z` : "");
function local(ms: number): string {
  const d = new Date(ms - new Date(ms).getTimezoneOffset() * 60000);
  return d.toISOString().slice(0, 16);
}

export function PlanForm({ done }: { done: () => void }): JSX.Element {
  const policies = usePolicies();
  const lists = useLoad(() => api.all<api.Watchlist>("watchlists"), []);
  const cameras = useLoad(() => api.all<api.Camera>("cameras"), []);
  const [jurisdiction, setJurisdiction] = useState("");
  const [area, setArea] = useState("");
  const [places, setPlaces] = useState<{ [id: string]: string }>({});
  const [map, setMap] = useState("");
  const open = (policies.data ?? []).filter((p) => p.open);
  const policy = open.find((p) => p.jurisdiction === jurisdiction) ?? open[0];
  const town = policy?.jurisdiction ?? "";
  const chosen = (cameras.data ?? []).filter((c) => places[c.id] !== undefined);
  const references = policy?.references ?? [];

  const send = async (f: Record<string, string>): Promise<void> => {
    const agency = f.agency ?? "";
    await api.post("plans", {
      watchlist: f.watchlist,
      deployment: f.name,
      purpose: f.purpose,
      legal_basis: f.legal_basis,
      urgent: f.urgent || "none",
      start: iso(f.start),
      end: iso(f.end),
      area: points(area),
      cameras: chosen.map((c) => ({
        id: c.id,
        agency,
        jurisdiction: town,
        behalf: "none",
        ...(points(places[c.id] ?? "")[0] ?? { lat: 0, lon: 0 }),
      })),
      controller: { agency: f.controller || agency, jurisdiction: town },
      operator: { agency, jurisdiction: town },
      recipients: [{ agency: f.recipient || agency, jurisdiction: town, safeguarding: f.safeguarding === "yes" }],
      references: references.map((kind) => ({ kind, ref: f[`ref_${kind}`] ?? "", until: iso(f[`until_${kind}`]) })),
      notice: { published: f.published ? iso(f.published) : "none", waived: f.waived || "none" },
    });
    done();
  };
  const year = api.now() + 365 * 86400000;
  return (
    <section class="card" aria-label={t("plan_new")}>
      <h2>{t("plan_new")}</h2>
      <p class="hint">{t("plan_hint")}</p>
      <Form label={t("plan_new")} button={t("plan_keep")} send={send}>
        <div class="grid">
          <Field label={t("name")} name="name" required hint={t("plan_name_hint")} />
          {open.length > 0 && (
            <Field
              label={t("jurisdiction")}
              name="jurisdiction"
              options={open.map((p): [string, string] => [p.jurisdiction, p.title || p.jurisdiction])}
              onInput={setJurisdiction}
            />
          )}
          <Field
            label={t("watchlist")}
            name="watchlist"
            required
            options={(lists.data ?? []).map((l): [string, string] => [l.id, l.name])}
          />
          <Field {...choice(t("purpose"), "purpose", policy?.purposes, "purpose")} />
          <Field label={t("legal_basis")} name="legal_basis" required />
          <Field label={t("start_at")} name="start" type="datetime-local" step={1} required value={local(api.now())} />
          <Field label={t("end_at")} name="end" type="datetime-local" step={1} required value={local(api.now() + 4 * 3600000)} />
          <Field label={t("agency")} name="agency" required hint={t("agency_hint")} />
          <Field label={t("controller")} name="controller" hint={t("same_if_empty")} />
          <Field label={t("recipient")} name="recipient" hint={t("same_if_empty")} />
          <Field
            label={t("safeguarding")}
            name="safeguarding"
            options={[["no", t("no")], ["yes", t("yes")]]}
          />
          <Field label={t("urgent")} name="urgent" hint={t("urgent_hint")} />
          <Field label={t("published")} name="published" type="datetime-local" />
          <Field label={t("waived")} name="waived" hint={t("waived_hint")} />
        </div>
        <fieldset>
          <legend>{t("place")}</legend>
          <Field label={t("area")} name="area" rows={4} hint={t("area_hint")} onInput={setArea} />
          <p>{t("cameras")}</p>
          {(cameras.data ?? []).map((c) => (
            <div class="pick" key={c.id}>
              <label class="check">
                <input
                  type="checkbox"
                  checked={places[c.id] !== undefined}
                  onChange={(e) => {
                    const on = e.currentTarget.checked;
                    setPlaces((p) => {
                      const { [c.id]: had, ...rest } = p;
                      return on ? { ...rest, [c.id]: had ?? "" } : rest;
                    });
                  }}
                />{" "}
                {c.id}
              </label>
              {places[c.id] !== undefined && (
                <label class="field">
                  {t("position")}
                  <input
                    value={places[c.id]}
                    placeholder="42.1015, -72.5898"
                    dir="ltr"
                    onInput={(e) => {
                      const v = e.currentTarget.value;
                      setPlaces((p) => ({ ...p, [c.id]: v }));
                    }}
                  />
                </label>
              )}
            </div>
          ))}
          <label class="field">
            {t("map")}
            <input
              type="file"
              accept="image/*"
              onChange={(e) => {
                const f = e.currentTarget.files?.[0];
                if (map) URL.revokeObjectURL(map);
                setMap(f ? URL.createObjectURL(f) : "");
              }}
            />
          </label>
          <Sketch area={points(area)} cameras={chosen.flatMap((c) => points(places[c.id] ?? ""))} map={map} />
        </fieldset>
        {references.length > 0 && (
          <fieldset>
            <legend>{t("references")}</legend>
            {references.map((kind) => (
              <div class="grid" key={kind}>
                <Field label={word("ref", kind)} name={`ref_${kind}`} required />
                <Field label={t("valid_until")} name={`until_${kind}`} type="datetime-local" required value={local(year)} />
              </div>
            ))}
          </fieldset>
        )}
      </Form>
    </section>
  );
}
