// Enrolment: drop pictures, say once what they share, get a verdict for each before anything is kept.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "./api";
import { t } from "./i18n";
import { choice } from "./lists";
import { Field, Form, Said, say, Tag, type Tone } from "./ui";

const BYTES_MAX = 8 << 20;

interface Item {
  file: File;
  url: string;
  name: string;
  state: "new" | "good" | "poor" | "refused" | "added";
  text: string;
}
const TONES: Record<Item["state"], Tone> = { new: "plain", good: "good", poor: "warn", refused: "bad", added: "good" };

function base64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const r = new FileReader();
    r.onload = () => resolve(String(r.result).replace(/^[^,]*,/, ""));
    r.onerror = () => reject(new api.ApiError(0, "unreadable", file.name, ""));
    r.readAsDataURL(file);
  });
}

const nameOf = (file: string): string => file.replace(/\.[^.]*$/, "").replace(/[_-]+/g, " ");
const utc = (date: string): string => `${date}T00:00:00Z`;
const day = (ahead: number): string => new Date(api.now() + ahead * 86400000).toISOString().slice(0, 10);

export function Enrol({
  list,
  policy,
  added,
}: {
  list: api.Watchlist;
  policy: api.Policy | undefined;
  added: () => void;
}): JSX.Element {
  const [items, setItems] = useState<Item[]>([]);
  const [over, setOver] = useState(false);
  const kept = useRef(items);
  kept.current = items;
  useEffect(() => () => kept.current.forEach((i) => URL.revokeObjectURL(i.url)), []);

  const take = (files: FileList | null | undefined): void => {
    const more = [...(files ?? [])]
      .filter((f) => f.type.startsWith("image/"))
      .map((file): Item => {
        const large = file.size > BYTES_MAX;
        return {
          file,
          url: URL.createObjectURL(file),
          name: nameOf(file.name),
          state: large ? "refused" : "new",
          text: large ? t("too_large") : "",
        };
      });
    setItems((x) => [...x, ...more]);
  };
  const change = (at: Item, to: Partial<Item>): void =>
    setItems((x) => x.map((i) => (i.url === at.url ? { ...i, ...to } : i)));

  const send = async (f: Record<string, string>, dry: boolean): Promise<void> => {
    let done = 0;
    for (const i of kept.current) {
      if (i.state === "added" || i.file.size > BYTES_MAX) continue;
      const body = {
        name: kept.current.find((x) => x.url === i.url)?.name ?? i.name,
        category: f.category,
        reason: f.reason,
        legal_basis: f.legal_basis,
        source: f.source,
        holding: f.holding,
        expires: utc(f.expires ?? ""),
        image_date: utc(f.image_date ?? ""),
        image: await base64(i.file),
        ...(f.nominal ? { nominal: f.nominal } : {}),
        ...(f.accept ? { accept: f.accept } : {}),
        ...(dry ? { dry_run: true } : {}),
      };
      try {
        const v = await api.post<{ warning: string }>(`watchlists/${list.id}/entries`, body);
        change(i, { state: dry ? "good" : "added", text: v.warning || "" });
        if (!dry) done++;
      } catch (e) {
        if (!(e instanceof api.ApiError) || !["poor_picture", "entry_refused"].includes(e.code)) throw e;
        change(i, { state: e.code === "poor_picture" ? "poor" : "refused", text: e.message });
      }
    }
    if (!dry) {
      say(t("enrolled", { n: done }));
      added();
    }
  };

  return (
    <section class="card enrol" aria-label={t("enrol")}>
      <h3>{t("enrol")}</h3>
      <div
        class={over ? "drop over" : "drop"}
        onDragOver={(e) => {
          e.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(e) => {
          e.preventDefault();
          setOver(false);
          take(e.dataTransfer?.files);
        }}
      >
        <label>
          {t("drop")}
          <input
            type="file"
            accept="image/jpeg,image/png"
            multiple
            onChange={(e) => {
              take(e.currentTarget.files);
              e.currentTarget.value = "";
            }}
          />
        </label>
      </div>
      {items.length > 0 && (
        <ul class="drops" aria-label={t("pictures")}>
          {items.map((i) => (
            <li key={i.url}>
              <img src={i.url} alt={t("picture_of", { name: i.name })} width="96" height="120" />
              <label class="field">
                {t("person")}
                <input
                  value={i.name}
                  disabled={i.state === "added"}
                  onInput={(e) => change(i, { name: e.currentTarget.value })}
                  autoComplete="off"
                />
              </label>
              <p>
                <Tag tone={TONES[i.state]}>{t(`picture_${i.state}`)}</Tag> {i.text && <Said text={i.text} />}
              </p>
              {i.state !== "added" && (
                <button
                  type="button"
                  class="plain"
                  onClick={() => {
                    URL.revokeObjectURL(i.url);
                    setItems((x) => x.filter((y) => y.url !== i.url));
                  }}
                >
                  {t("leave_out")}
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
      <Form
        label={t("enrol")}
        button={t("check_pictures")}
        second={t("add_people")}
        send={(f) => send(f, f.second !== "1")}
      >
        <div class="grid">
          <Field {...choice(t("category"), "category", policy?.categories, "category")} />
          <Field label={t("reason")} name="reason" required hint={t("reason_hint")} />
          <Field label={t("legal_basis")} name="legal_basis" required />
          <Field {...choice(t("source"), "source", policy?.sources, "source")} />
          <Field label={t("holding")} name="holding" required hint={t("holding_hint")} />
          <Field label={t("image_date")} name="image_date" type="date" required value={day(-1)} />
          <Field label={t("expires")} name="expires" type="date" required value={day(7)} />
          <Field label={t("nominal")} name="nominal" hint={t("nominal_hint")} />
          <Field label={t("accept")} name="accept" hint={t("accept_hint")} />
        </div>
      </Form>
    </section>
  );
}
