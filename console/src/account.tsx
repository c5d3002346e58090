// The own account: sound, password, second factor, signing key, sign out.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "./api";
import { t, word } from "./i18n";
import { chime, prefs } from "./prefs";
import { can } from "./rights";
import { ask, Dialog, say, Tag } from "./ui";

function Factor({ secret, close, done }: { secret: string; close: () => void; done: () => void }): JSX.Element {
  return (
    <Dialog title={t("totp_new")} close={close}>
      <p>{t("totp_text")}</p>
      <p>
        <code class="secret" dir="ltr">
          {secret.replace(/(.{4})/g, "$1 ")}
        </code>
      </p>
      <button
        type="button"
        class="main"
        onClick={() =>
          void ask({
            title: t("totp_confirm"),
            button: t("confirm"),
            fields: [{ label: t("code"), name: "code", required: true, inputMode: "numeric", autoComplete: "one-time-code" }],
            send: (f) => api.post("session/totp/confirm", f),
          }).then((good) => {
            if (!good) return;
            say(t("totp_on"));
            done();
          })
        }
      >
        {t("totp_confirm")}
      </button>
    </Dialog>
  );
}

/** Where a second factor is required and there is none: that first, and nothing else. */
export function MustSetUp({ enter, done }: { enter: () => void; done: () => void }): JSX.Element {
  const [secret, setSecret] = useState("");
  const begin = async (): Promise<void> => setSecret((await api.post<{ secret: string }>("session/totp")).secret);
  return (
    <main class="signin">
      <h1>{t("totp_new")}</h1>
      <p>{t("totp_must")}</p>
      <button type="button" class="main" onClick={() => void begin().catch(() => undefined)}>
        {t("totp_new")}
      </button>
      <button type="button" class="plain" onClick={() => void api.call("DELETE", "session").then(done, done)}>
        {t("sign_out")}
      </button>
      {secret && <Factor secret={secret} close={() => setSecret("")} done={enter} />}
    </main>
  );
}

export function Account({ me, done }: { me: api.Me; done: () => void }): JSX.Element {
  const [open, setOpen] = useState(false);
  const [sound, setSound] = useState(prefs.sound());
  const [secret, setSecret] = useState("");
  const [pub, setPublic] = useState("");
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    const away = (e: globalThis.Event): void => {
      if (!(e.target instanceof Node) || !box.current?.contains(e.target)) setOpen(false);
    };
    window.addEventListener("pointerdown", away);
    return () => window.removeEventListener("pointerdown", away);
  }, [open]);
  const totp = async (): Promise<void> => {
    setOpen(false);
    const o = await api.post<{ secret: string }>("session/totp");
    setSecret(o.secret);
  };
  const password = (): Promise<void> => {
    setOpen(false);
    return ask({
      title: t("password_change"),
      button: t("password_change"),
      text: t("password_change_text"),
      fields: [
        { label: t("password"), name: "password", type: "password", required: true, autoComplete: "current-password" },
        { label: t("password_fresh"), name: "new", type: "password", required: true, autoComplete: "new-password", hint: t("password_hint") },
        { label: t("password_again"), name: "again", type: "password", required: true, autoComplete: "new-password" },
        { label: t("code_if"), name: "code", inputMode: "numeric", autoComplete: "one-time-code" },
      ],
      send: async ({ password, new: fresh, again, code }) => {
        if (fresh !== again) throw new api.ApiError(0, "again", t("passwords_differ"), "");
        await api.post("session/password", { password, new: fresh, ...(code ? { code } : {}) });
      },
    }).then((good) => {
      if (good) say(t("password_changed"));
    });
  };
  const key = (): Promise<boolean> => {
    setOpen(false);
    return ask({
      title: t("key_new"),
      button: t("make"),
      text: t("key_new_text"),
      fields: [{ label: t("password"), name: "password", type: "password", required: true }],
      send: async (f) => {
        const o = await api.post<{ public_key: string }>("session/key", f);
        setPublic(o.public_key);
      },
    });
  };
  return (
    <div class="account" ref={box} onKeyDown={(e) => e.key === "Escape" && setOpen(false)}>
      <button type="button" class="plain" aria-expanded={open} onClick={() => setOpen(!open)}>
        {me.name} <span aria-hidden="true">▾</span>
      </button>
      {open && (
        <div class="menu">
          <p>
            {me.roles.split(",").map((r) => (
              <Tag key={r}>{word("role", r)}</Tag>
            ))}
          </p>
          <label class="check">
            <input
              type="checkbox"
              checked={sound}
              onChange={(e) => {
                prefs.setSound(e.currentTarget.checked);
                setSound(e.currentTarget.checked);
                chime();
              }}
            />{" "}
            {t("sound")}
          </label>
          <button type="button" class="plain" onClick={() => void password()}>
            {t("password_change")}
          </button>
          <button type="button" class="plain" onClick={() => void totp().catch(() => undefined)}>
            {t("totp_new")}
          </button>
          {can("authorise") && (
            <button type="button" class="plain" onClick={() => void key()}>
              {t("key_new")}
            </button>
          )}
          <button
            type="button"
            class="plain"
            onClick={() => void api.call("DELETE", "session").then(done, done)}
          >
            {t("sign_out")}
          </button>
        </div>
      )}
      {pub && (
        <Dialog title={t("key_public")} close={() => setPublic("")}>
          <p>{t("key_public_text")}</p>
          <p>
            <code class="secret" dir="ltr">
              {pub}
            </code>
          </p>
        </Dialog>
      )}
      {secret && <Factor secret={secret} close={() => setSecret("")} done={() => setSecret("")} />}
    </div>
  );
}
