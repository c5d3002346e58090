// What anybody may know: where, when, why, and the figures. No log-in, no cookie, no script of others.
import { render } from "preact";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { apply, type Lang, LANGS, language, moment, number, setLanguage, t, word } from "./i18n";
import { Facts, Said, Tag } from "./ui";

interface PublicUse {
  deployment: string;
  purpose: string;
  legal_basis: string;
  jurisdiction: string;
  start: string;
  end: string;
  state: string;
  cameras: number;
  entries: number;
  threshold: number;
  figures?: Record<string, number | string | null> | null;
}
interface Public {
  policies: { jurisdiction: string; title: string; open: boolean; prohibited: boolean; retention?: string }[];
  deployments: PublicUse[];
}

function Use({ d }: { d: PublicUse }): JSX.Element {
  return (
    <section class="card" aria-label={d.deployment}>
      <h3>{d.deployment}</h3>
      <p>
        <Tag tone={d.state === "running" ? "warn" : "plain"}>{word("state", d.state)}</Tag>
      </p>
      <Facts
        rows={[
          [t("purpose"), word("purpose", d.purpose)],
          [t("legal_basis"), d.legal_basis],
          [t("jurisdiction"), d.jurisdiction],
          [t("hours"), `${moment(d.start)} – ${moment(d.end)}`],
          [t("cameras"), number(d.cameras)],
          [t("entries"), number(d.entries)],
          [t("threshold"), number(d.threshold, 3)],
          ...Object.entries(d.figures ?? {}).map(([k, v]): [string, string] => [
            word("figure", k),
            typeof v === "number" ? number(v) : (v ?? "–"),
          ]),
        ]}
      />
    </section>
  );
}

function PublicPage(): JSX.Element {
  const [data, setData] = useState<Public | null>(null);
  const [, draw] = useState(0);
  useEffect(() => {
    fetch(`/api/v1/public?language=${language()}`, { cache: "no-store", credentials: "omit" })
      .then((r) => (r.ok ? (r.json() as Promise<Public>) : null))
      .then(setData, () => setData(null));
  }, [language()]);
  useEffect(() => {
    document.title = t("public_title");
  });
  return (
    <main class="public">
      <header class="public-head">
        <h1>{t("public_title")}</h1>
        <label class="language">
          <span class="hidden">{t("language")}</span>
          <select
            onChange={(e) => {
              setLanguage(e.currentTarget.value as Lang);
              draw((x) => x + 1);
            }}
          >
            {LANGS.map((l) => (
              <option value={l.id} key={l.id} lang={l.id} selected={l.id === language()}>
                {l.name}
              </option>
            ))}
          </select>
        </label>
      </header>
      <p>{t("public_text")}</p>
      <h2>{t("public_now")}</h2>
      {data && data.deployments.length > 0 ? (
        <div class="cards">
          {data.deployments.map((d) => (
            <Use d={d} key={d.deployment} />
          ))}
        </div>
      ) : (
        <p class="empty">{t("public_none")}</p>
      )}
      {data && data.policies.length > 0 && (
        <>
          <h2>{t("policies")}</h2>
          {data.policies.map((p) => (
            <section class="card" key={p.jurisdiction} aria-label={p.title}>
              <h3>{p.title || p.jurisdiction}</h3>
              <p>
                <Tag tone={p.open ? "good" : "bad"}>
                  {t(p.open ? "town_open" : p.prohibited ? "town_prohibited" : "town_closed")}
                </Tag>
              </p>
              {p.retention && (
                <p class="lines">
                  <Said text={p.retention} />
                </p>
              )}
            </section>
          ))}
        </>
      )}
      <h2>{t("public_rights")}</h2>
      <p>{t("public_rights_text")}</p>
      <p>
        <a href="/">{t("sign_in")}</a>
      </p>
    </main>
  );
}

apply();
const root = document.getElementById("app");
if (root) render(<PublicPage />, root);
