// Reports from the record: anybody who gets one can count again (docs/reports.md).
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import * as api from "./api";
import { language, t } from "./i18n";
import { Field, Form, useLoad } from "./ui";

const KINDS = ["notice", "public", "washington", "eu", "attestation", "changes"] as const;
type Kind = (typeof KINDS)[number];
const OF_DEPLOYMENT: Kind[] = ["notice", "public"];
const OF_JURISDICTION: Kind[] = ["washington", "eu"];

export function Reports(): JSX.Element {
  const [kind, setKind] = useState<Kind>("public");
  const [made, setMade] = useState<{ path: string; text: string } | null>(null);
  const deployments = useLoad(() => api.get<api.Page<api.Deployment>>("deployments").then((p) => p.items), []);
  const policies = useLoad(() => api.all<api.Policy>("policies"), []);
  const names = [...new Set((deployments.data ?? []).map((d) => d.facts.name))];
  const send = async (f: Record<string, string>): Promise<void> => {
    const q = new URLSearchParams();
    for (const k of ["deployment", "jurisdiction", "from", "to", "contact"]) if (f[k]) q.set(k, f[k]);
    if (kind === "notice") q.set("language", language() === "fr" ? "fr" : "en");
    const path = `reports/${kind}?${q}`;
    setMade(null);
    setMade({ path, text: JSON.stringify(await api.get<unknown>(path), null, 2) });
  };
  return (
    <section class="card" aria-label={t("reports")}>
      <h2>{t("reports")}</h2>
      <Form label={t("reports")} button={t("report_make")} send={send}>
        <div class="grid">
          <Field
            label={t("report_kind")}
            name="kind"
            value={kind}
            options={KINDS.map((k): [string, string] => [k, t(`report_${k}`)])}
            onInput={(v) => setKind(v as Kind)}
          />
          {OF_DEPLOYMENT.includes(kind) ? (
            <Field
              label={t("deployment")}
              name="deployment"
              required
              options={names.map((n): [string, string] => [n, n])}
              key={`d${names.length}`}
            />
          ) : (
            <>
              <Field label={t("day_from")} name="from" type="date" required />
              <Field label={t("day_to")} name="to" type="date" required />
            </>
          )}
          {OF_JURISDICTION.includes(kind) && (
            <Field
              label={t("jurisdiction")}
              name="jurisdiction"
              required
              options={(policies.data ?? []).map((p): [string, string] => [p.jurisdiction, p.title || p.jurisdiction])}
            />
          )}
          {kind === "notice" && <Field label={t("contact")} name="contact" required />}
        </div>
      </Form>
      {made && (
        <>
          <p>
            <a href={`/api/v1/${made.path}&format=html`} target="_blank" rel="noopener">
              {t("report_page")}
            </a>
          </p>
          <pre class="record" dir="ltr" lang="en" tabIndex={0}>
            {made.text}
          </pre>
        </>
      )}
    </section>
  );
}
