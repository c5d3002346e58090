// The way in: the first administrator by the one-time token, then name, password and code.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import * as api from "./api";
import { t } from "./i18n";
import { Field, Form, Said } from "./ui";

interface SetUp {
  needed: boolean;
  demo?: { name: string; password: string } | null;
}

function First({ done }: { done: (name: string, password: string) => Promise<void> }): JSX.Element {
  return (
    <>
      <h1>{t("setup")}</h1>
      <p>{t("setup_text")}</p>
      <Form
        label={t("setup")}
        button={t("setup_button")}
        send={async (f) => {
          if (f.password !== f.again) throw new api.ApiError(0, "again", t("passwords_differ"), "");
          await api.post("setup", { token: (f.token ?? "").trim(), name: f.name, password: f.password });
          await done(f.name ?? "", f.password ?? "");
        }}
      >
        <Field label={t("token")} name="token" required hint={t("token_hint")} />
        <Field label={t("name")} name="name" required autoComplete="username" />
        <Field
          label={t("password")}
          name="password"
          type="password"
          required
          autoComplete="new-password"
          hint={t("password_hint")}
        />
        <Field label={t("password_again")} name="again" type="password" required autoComplete="new-password" />
      </Form>
    </>
  );
}

export function SignIn({
  enter,
  languages,
}: {
  enter: (who: api.Me) => void;
  languages: JSX.Element;
}): JSX.Element {
  const [setup, setSetup] = useState<SetUp | null>(null);
  const [code, setCode] = useState(false);
  const signIn = async (name: string, password: string, given?: string): Promise<void> => {
    try {
      enter(await api.post<api.Me>("session", given ? { name, password, code: given } : { name, password }));
    } catch (e) {
      if (e instanceof api.ApiError && e.code === "second_factor") setCode(true);
      throw e;
    }
  };
  useEffect(() => {
    document.title = "vedette";
    api.get<SetUp>("setup").then(setSetup, () => setSetup({ needed: false }));
  }, []);
  return (
    <main class="signin">
      <div class="signin-tools">
        <span class="brand">vedette</span>
        {languages}
      </div>
      {setup?.needed ? (
        <First done={signIn} />
      ) : (
        <>
          <h1>{t("sign_in")}</h1>
          <Form
            label={t("sign_in")}
            button={t("sign_in")}
            send={(f) => signIn(f.name ?? "", f.password ?? "", f.code)}
          >
            <Field label={t("name")} name="name" required autoComplete="username" />
            <Field label={t("password")} name="password" type="password" required autoComplete="current-password" />
            {code && (
              <Field label={t("code")} name="code" inputMode="numeric" required autoComplete="one-time-code" />
            )}
          </Form>
          {setup?.demo && (
            <section class="card">
              <h2>{t("demo")}</h2>
              <p>{t("demo_text")}</p>
              <button
                type="button"
                class="main"
                onClick={() => setup.demo && void signIn(setup.demo.name, setup.demo.password).catch(() => undefined)}
              >
                {t("demo_button")} <Said text={setup.demo.name} />
              </button>
            </section>
          )}
        </>
      )}
      <p>
        <a href="/public">{t("public_page")}</a>
      </p>
    </main>
  );
}
