// Parts that the pages share.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, now, onEvent } from "./api";
import { type Key, span, t } from "./i18n";

// --- data -----------------------------------------------------------------------------------------

export interface Loaded<T> {
  data: T | null;
  error: ApiError | null;
  reload: () => void;
}

/** Load, again when an event of these kinds comes ("alert."), and every so many seconds. */
export function useLoad<T>(load: () => Promise<T>, deps: unknown[], on: string[] = [], everyS = 0): Loaded<T> {
  const [data, setData] = useState<T | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [turn, setTurn] = useState(0);
  const reload = (): void => setTurn((x) => x + 1);
  useEffect(() => {
    let alive = true;
    load().then(
      (x) => {
        if (alive) {
          setData(x);
          setError(null);
        }
      },
      (e: unknown) => {
        if (alive && e instanceof ApiError) setError(e);
      },
    );
    return () => {
      alive = false;
    };
  }, [turn, ...deps]);
  useEffect(() => {
    let due = 0;
    const off = onEvent((e) => {
      if (!due && on.some((k) => e.type.startsWith(k)))
        due = window.setTimeout(() => {
          due = 0;
          reload();
        }, 30);
    });
    const timer = everyS ? window.setInterval(() => !document.hidden && reload(), everyS * 1000) : 0;
    return () => {
      off();
      window.clearTimeout(due);
      window.clearInterval(timer);
    };
  }, [on.join(), everyS]);
  return { data, error, reload };
}

/** Draws anew every second: for countdowns. */
export function useSecond(): void {
  const [, set] = useState(0);
  useEffect(() => {
    const timer = window.setInterval(() => set((x) => x + 1), 1000);
    return () => window.clearInterval(timer);
  }, []);
}

/** Seconds until then, by the server's clock. */
export const until = (iso: string): number => (Date.parse(iso) - now()) / 1000;

// --- words ----------------------------------------------------------------------------------------

/** What the daemon says is English, whatever the page is. */
export function Said({ text }: { text: string }): JSX.Element {
  return (
    <span lang="en" dir="auto">
      {text}
    </span>
  );
}

export function Problem({ error }: { error: ApiError | null }): JSX.Element | null {
  if (!error) return null;
  const known: Record<string, Key> = {
    unreachable: "error_unreachable",
    refused: "error_refused",
    slow_down: "error_slow",
    unauthenticated: "error_login",
    second_factor: "error_code",
  };
  const key = known[error.code];
  return (
    <p class="problem" role="alert">
      {key && <strong>{t(key)} </strong>}
      {error.message && <Said text={error.message} />}
    </p>
  );
}

export function Empty({ text }: { text: string }): JSX.Element {
  return <p class="empty">{text}</p>;
}

export function Busy<T>({
  from,
  children,
}: {
  from: Loaded<T>;
  children: (data: T) => ComponentChildren;
}): JSX.Element {
  return (
    <>
      <Problem error={from.error} />
      {from.data === null ? !from.error && <Empty text={t("loading")} /> : children(from.data)}
    </>
  );
}

export function Countdown({ to, soon = 60 }: { to: string; soon?: number }): JSX.Element {
  useSecond();
  const s = until(to);
  return (
    <time dateTime={to} class={s <= 0 ? "count over" : s < soon ? "count soon" : "count"}>
      {s <= 0 ? t("over") : span(s)}
    </time>
  );
}

export type Tone = "plain" | "good" | "warn" | "bad";
export function Tag({ tone = "plain", children }: { tone?: Tone; children: ComponentChildren }): JSX.Element {
  return <span class={`tag ${tone}`}>{children}</span>;
}

/** A digest or id: the beginning, the rest on request of a reader. */
export function Hex({ value, n = 8 }: { value: string; n?: number }): JSX.Element {
  return (
    <code title={value} dir="ltr">
      {value.slice(0, n)}
    </code>
  );
}

export function Facts({ rows }: { rows: [string, ComponentChildren][] }): JSX.Element {
  return (
    <dl class="facts">
      {rows.map(([k, v]) => (
        <div key={k}>
          <dt>{k}</dt>
          <dd>{v}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Table({
  caption,
  head,
  children,
}: {
  caption: string;
  head: string[];
  children: ComponentChildren;
}): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            {head.map((h) => (
              <th scope="col" key={h}>
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

// --- doing ----------------------------------------------------------------------------------------

/** Runs an action once at a time and keeps what went wrong. */
export function useAct(): {
  busy: boolean;
  error: ApiError | null;
  act: (fn: () => Promise<unknown>) => Promise<boolean>;
} {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const running = useRef(false);
  const act = async (fn: () => Promise<unknown>): Promise<boolean> => {
    if (running.current) return false;
    running.current = true;
    setBusy(true);
    setError(null);
    try {
      await fn();
      return true;
    } catch (e) {
      setError(e instanceof ApiError ? e : new ApiError(0, "internal", String(e), ""));
      return false;
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  return { busy, error, act };
}

let fields = 0;
export interface FieldProps {
  label: string;
  name: string;
  hint?: string;
  type?: string;
  value?: string;
  required?: boolean;
  autoComplete?: string;
  options?: [string, string][];
  rows?: number;
  min?: number;
  max?: number;
  step?: number;
  inputMode?: "numeric" | "text";
  accept?: string;
  onInput?: (value: string) => void;
}
/** A labelled field; read it with FormData. */
export function Field(p: FieldProps): JSX.Element {
  const [id] = useState(() => `f${++fields}`);
  const common = {
    id,
    name: p.name,
    required: p.required ?? false,
    "aria-describedby": p.hint ? `${id}h` : undefined,
    onInput: (e: JSX.TargetedEvent<HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement>) =>
      p.onInput?.(e.currentTarget.value),
  };
  return (
    <div class="field">
      <label for={id}>
        {p.label}
        {p.required && <span aria-hidden="true"> *</span>}
      </label>
      {p.options ? (
        <select {...common} defaultValue={p.value ?? ""}>
          {p.options.map(([v, text]) => (
            <option value={v} key={v} selected={v === p.value}>
              {text}
            </option>
          ))}
        </select>
      ) : p.rows ? (
        <textarea {...common} rows={p.rows} defaultValue={p.value ?? ""} />
      ) : (
        <input
          {...common}
          type={p.type ?? "text"}
          defaultValue={p.type === "file" ? undefined : (p.value ?? "")}
          autoComplete={p.autoComplete ?? "off"}
          min={p.min}
          max={p.max}
          step={p.step}
          inputMode={p.inputMode}
          accept={p.accept}
        />
      )}
      {p.hint && (
        <p class="hint" id={`${id}h`}>
          {p.hint}
        </p>
      )}
    </div>
  );
}

/** A form that calls `send` with its texts; stays as it is when that fails. */
export function Form({
  label,
  button,
  send,
  children,
  tone = "main",
  reset = false,
  second,
}: {
  label: string;
  button: string;
  /** Another way to send it: `send` gets second = "1". */
  second?: string;
  send: (f: Record<string, string>) => Promise<unknown>;
  children?: ComponentChildren;
  tone?: "main" | "plain" | "danger";
  reset?: boolean;
}): JSX.Element {
  const { busy, error, act } = useAct();
  return (
    <form
      aria-label={label}
      onSubmit={(e) => {
        e.preventDefault();
        const form = e.currentTarget;
        const f: Record<string, string> = {};
        new FormData(form, e.submitter).forEach((v, k) => {
          if (typeof v === "string") f[k] = f[k] === undefined ? v : `${f[k]},${v}`;
        });
        void act(() => send(f)).then((good) => good && reset && form.reset());
      }}
    >
      {children}
      <Problem error={error} />
      <p class="buttons">
        <button type="submit" class={tone} disabled={busy}>
          {busy ? t("working") : button}
        </button>
        {second && (
          <button type="submit" name="second" value="1" class="plain" disabled={busy}>
            {second}
          </button>
        )}
      </p>
    </form>
  );
}

/** A modal dialog of the browser's own: it keeps the focus and gives it back. */
export function Dialog({
  title,
  close,
  children,
}: {
  title: string;
  close: () => void;
  children: ComponentChildren;
}): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const d = ref.current;
    const back = document.activeElement;
    if (d && !d.open) d.showModal();
    return () => {
      if (back instanceof HTMLElement) back.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      aria-label={title}
      onCancel={(e) => {
        e.preventDefault();
        close();
      }}
    >
      <header>
        <h2>{title}</h2>
        <button type="button" class="plain" onClick={close}>
          {t("close")}
        </button>
      </header>
      {children}
    </dialog>
  );
}

export interface AskOptions {
  title: string;
  button: string;
  text?: string;
  fields: FieldProps[];
  tone?: "main" | "danger";
  send: (f: Record<string, string>) => Promise<unknown>;
}
let show: (o: AskOptions | null) => void = () => undefined;
let settled: (done: boolean) => void = () => undefined;
/** Ask for a few things in a dialog; true when it was sent. */
export function ask(o: AskOptions): Promise<boolean> {
  settled(false);
  show(o);
  return new Promise((resolve) => {
    settled = resolve;
  });
}
export function Asking(): JSX.Element | null {
  const [o, set] = useState<AskOptions | null>(null);
  useEffect(() => {
    show = set;
  }, []);
  const end = (done: boolean): void => {
    set(null);
    settled(done);
  };
  if (!o) return null;
  return (
    <Dialog title={o.title} close={() => end(false)}>
      {o.text && <p>{o.text}</p>}
      <Form
        label={o.title}
        button={o.button}
        tone={o.tone ?? "main"}
        send={async (f) => {
          await o.send(f);
          end(true);
        }}
      >
        {o.fields.map((f) => (
          <Field {...f} key={f.name} />
        ))}
      </Form>
    </Dialog>
  );
}

// --- saying ---------------------------------------------------------------------------------------

let announce: (text: string) => void = () => undefined;
/** For everybody: a line at the top for a while, read out by screen readers. */
export const say = (text: string): void => announce(text);
export function Announcer(): JSX.Element {
  const [text, set] = useState("");
  const timer = useRef(0);
  useEffect(() => {
    announce = (x) => {
      set(x);
      window.clearTimeout(timer.current);
      timer.current = window.setTimeout(() => set(""), 6000);
    };
  }, []);
  return (
    <div class="announcer" role="status" aria-live="polite">
      {text && <p>{text}</p>}
    </div>
  );
}
