// The console: who is signed in, which page, and what is on every page: the state, the stop, the keys.
import { render } from "preact";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Account, MustSetUp } from "./account";
import { AlertsPage } from "./alerts";
import * as api from "./api";
import { CasesPage } from "./cases";
import { DeploymentsPage } from "./deployments";
import { apply, type Key, type Lang, LANGS, language, setLanguage, t, word } from "./i18n";
import { ListsPage } from "./lists";
import { LivePage } from "./live";
import { chime, onKey, prefs } from "./prefs";
import { forget, useAlerts } from "./queue";
import { RecordPage } from "./record";
import { can, type Right, setMe } from "./rights";
import { SignIn } from "./signin";
import { StopButton, useRunning } from "./stop";
import { SystemPage } from "./system";
import { Announcer, ask, Asking, Countdown, Dialog, say } from "./ui";

interface PageDef {
  id: string;
  key: string; // after g
  title: Key;
  right?: Right;
  view: (p: { rest: string[] }) => JSX.Element;
}
const PAGES: PageDef[] = [
  { id: "live", key: "l", title: "nav_live", view: LivePage },
  { id: "alerts", key: "a", title: "nav_alerts", right: "see_alert", view: AlertsPage },
  { id: "lists", key: "w", title: "nav_lists", right: "look", view: ListsPage },
  { id: "cases", key: "m", title: "nav_cases", right: "look", view: CasesPage },
  { id: "deployments", key: "d", title: "nav_deployments", right: "look", view: DeploymentsPage },
  { id: "record", key: "r", title: "nav_record", view: RecordPage },
  { id: "system", key: "s", title: "nav_system", view: SystemPage },
];

const route = (): string[] => location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
export const go = (...path: string[]): void => {
  location.hash = `/${path.map(encodeURIComponent).join("/")}`;
};

function useRoute(): string[] {
  const [at, set] = useState(route());
  useEffect(() => {
    const change = (): void => set(route());
    window.addEventListener("hashchange", change);
    return () => window.removeEventListener("hashchange", change);
  }, []);
  return at;
}

function Languages({ changed }: { changed: () => void }): JSX.Element {
  return (
    <label class="language">
      <span class="hidden">{t("language")}</span>
      <select
        onChange={(e) => {
          setLanguage(e.currentTarget.value as Lang);
          changed();
        }}
      >
        {LANGS.map((l) => (
          <option value={l.id} key={l.id} lang={l.id} selected={l.id === language()}>
            {l.name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Keys({ close }: { close: () => void }): JSX.Element {
  const [on, setOn] = useState(prefs.keys());
  const rows: [string, string][] = [
    ["Alt+Shift+S", t("key_stop")],
    ["g l  g a  g w  g m  g d  g r  g s", t("key_pages")],
    ["j  k", t("key_next")],
    ["c", t("key_claim")],
    ["m  n  u", t("key_judge")],
    ["?", t("key_help")],
  ];
  return (
    <Dialog title={t("keys")} close={close}>
      <dl class="facts keys">
        {rows.map(([k, what]) => (
          <div key={k}>
            <dt>
              <kbd dir="ltr">{k}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={on}
          onChange={(e) => {
            prefs.setKeys(e.currentTarget.checked);
            setOn(e.currentTarget.checked);
          }}
        />{" "}
        {t("keys_on")}
      </label>
    </Dialog>
  );
}

function Shell({ me, done, changed }: { me: api.Me; done: () => void; changed: () => void }): JSX.Element {
  const at = useRoute();
  const pages = PAGES.filter((p) => !p.right || can(p.right));
  const page = pages.find((p) => p.id === at[0]) ?? pages[0] ?? PAGES[0]!;
  const [help, setHelp] = useState(false);
  const main = useRef<HTMLElement>(null);
  const moved = useRef(false);
  const running = useRunning();
  const queue = useAlerts(can("see_alert"));
  const open = queue.data?.filter((a) => a.phase === "open").length ?? 0;

  useEffect(() => {
    api.listen();
    const off = api.onEvent((e) => {
      if (e.type === "alert.raised") {
        chime();
        say(t("alert_new"));
      } else if (e.type.startsWith("deployment.")) {
        say(word("event", e.type.slice(11)) + (e.deployment ? `: ${e.deployment}` : ""));
      }
    });
    return () => {
      off();
      forget();
      api.close();
    };
  }, []);
  useEffect(() => {
    document.title = `${open ? `(${open}) ` : ""}${t(page.title)} · vedette`;
  }, [page.id, open]);
  useEffect(() => {
    if (moved.current) main.current?.focus();
    moved.current = true;
  }, [page.id]);
  useEffect(() => {
    let g = 0;
    return onKey((key) => {
      if (key === "?") setHelp(true);
      else if (key === "g") g = Date.now();
      else if (Date.now() - g < 1500) {
        g = 0;
        const to = pages.find((p) => p.key === key);
        if (to) go(to.id);
        return !!to;
      } else return false;
      return true;
    });
  }, [me.roles]);

  return (
    <>
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), main.current?.focus())}>
        {t("skip")}
      </a>
      <header class="top">
        <span class="brand">vedette</span>
        <nav aria-label={t("pages")}>
          {pages.map((p) => (
            <a href={`#/${p.id}`} key={p.id} aria-current={p.id === page.id ? "page" : undefined}>
              {t(p.title)}
              {p.id === "alerts" && open > 0 && (
                <span class="badge">
                  {open}
                  <span class="hidden"> {t("waiting")}</span>
                </span>
              )}
            </a>
          ))}
        </nav>
        <div class="state">
          {running.data?.map((r) => (
            <span key={r.deployment} class="running">
              <span class={r.watching ? "dot on" : "dot"} aria-hidden="true" />
              {r.deployment}
              {r.end && <Countdown to={r.end} soon={300} />}
            </span>
          ))}
          <StopButton running={running} />
        </div>
        <div class="tools">
          <button type="button" class="plain" onClick={() => setHelp(true)} aria-label={t("keys")}>
            ?
          </button>
          <Languages changed={changed} />
          <Account me={me} done={done} />
        </div>
      </header>
      <main id="main" tabIndex={-1} ref={main}>
        <h1>{t(page.title)}</h1>
        <page.view rest={at.slice(1)} />
      </main>
      {help && <Keys close={() => setHelp(false)} />}
    </>
  );
}

function App(): JSX.Element {
  const [me, set] = useState<api.Me | null>(null);
  const [known, setKnown] = useState(!prefs.signedIn());
  const [, draw] = useState(0);
  const enter = (who: api.Me | null): void => {
    setMe(who);
    api.setCsrf(who?.csrf_token);
    prefs.setSignedIn(who !== null);
    set(who);
    setKnown(true);
  };
  useEffect(() => {
    api.whenSignedOut(() => enter(null));
    api.whenPasswordNeeded(() =>
      ask({
        title: t("again"),
        button: t("continue"),
        text: t("again_text"),
        fields: [
          { label: t("password"), name: "password", type: "password", required: true, autoComplete: "current-password" },
          { label: t("code_if"), name: "code", inputMode: "numeric", autoComplete: "one-time-code" },
        ],
        send: async (f) => {
          const who = await api.post<api.Me>("session/reauthenticate", f.code ? f : { password: f.password });
          api.setCsrf(who.csrf_token);
        },
      }),
    );
    if (prefs.signedIn())
      api.get<api.Me>("session").then(enter, () => enter(null));
  }, []);
  const changed = (): void => draw((x) => x + 1);
  return (
    <>
      <Announcer />
      {me?.second_factor_setup ? (
        <MustSetUp enter={() => void api.get<api.Me>("session").then(enter)} done={() => enter(null)} />
      ) : me ? (
        <Shell me={me} done={() => enter(null)} changed={changed} key={language()} />
      ) : (
        known && <SignIn enter={enter} languages={<Languages changed={changed} />} />
      )}
      <Asking />
    </>
  );
}

apply();
const root = document.getElementById("app");
if (root) render(<App />, root);
