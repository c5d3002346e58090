// The wall: what each camera sees, everybody blurred but alerts; how it is; counts of nobody in particular.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "./api";
import { number, t, word } from "./i18n";
import { can } from "./rights";
import { useRunning } from "./stop";
import { Busy, Countdown, Empty, Facts, Said, Tag, type Tone, useLoad } from "./ui";

// HTTP/1.1 allows six connections to one server, and events and requests need some of them: so many cameras
// stream, the others come as single pictures.
const STREAMS = 3;
const STILL_MS = 500;

function Stream({ id }: { id: string }): JSX.Element {
  const [broken, setBroken] = useState(false);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!broken) return undefined;
    const timer = window.setTimeout(() => {
      setBroken(false);
      setTurn((x) => x + 1);
    }, 3000);
    return () => window.clearTimeout(timer);
  }, [broken]);
  if (broken) return <div class="nopicture">{t("no_picture")}</div>;
  return (
    <img
      src={`/api/v1/cameras/${encodeURIComponent(id)}/preview.mjpeg?turn=${turn}`}
      alt={t("camera_picture", { camera: id })}
      onError={() => setBroken(true)}
    />
  );
}

/** Single pictures, one after the other; a slow line just shows fewer. */
function Stills({ id }: { id: string }): JSX.Element {
  const [url, setUrl] = useState("");
  const last = useRef("");
  useEffect(() => {
    let timer = 0;
    let alive = true;
    const next = async (): Promise<void> => {
      if (!document.hidden) {
        try {
          const r = await fetch(`/api/v1/cameras/${encodeURIComponent(id)}/snapshot.jpg`, { cache: "no-store" });
          if (r.ok && alive) {
            const to = URL.createObjectURL(await r.blob());
            URL.revokeObjectURL(last.current);
            last.current = to;
            setUrl(to);
          }
        } catch {
          setUrl("");
        }
      }
      if (alive) timer = window.setTimeout(() => void next(), STILL_MS);
    };
    void next();
    return () => {
      alive = false;
      window.clearTimeout(timer);
      URL.revokeObjectURL(last.current);
    };
  }, [id]);
  return url ? <img src={url} alt={t("camera_picture", { camera: id })} /> : <div class="nopicture">{t("no_picture")}</div>;
}

function tone(state: string): Tone {
  if (/^(live|up|watching|streaming|playing|open)$/.test(state)) return "good";
  return /^(idle|off|unused|closed)$/.test(state) ? "plain" : "warn";
}

export function LivePage(): JSX.Element {
  const cameras = useLoad(() => api.all<api.Camera>("cameras"), [], ["deployment.", "source.", "config."], 5);
  const running = useRunning(2);
  const runs = running.data ?? [];
  let streams = 0;
  return (
    <>
      <Busy from={running}>
        {() =>
          runs.length === 0 ? (
            <p class="note">{t("nothing_runs")}</p>
          ) : (
            <div class="cards">
              {runs.map((r) => (
                <section class="card" key={r.deployment} aria-label={r.deployment}>
                  <h2>{r.deployment}</h2>
                  <p>
                    <Tag tone={r.watching ? "good" : "warn"}>{word("gate", r.phase)}</Tag>{" "}
                    {r.end && (
                      <>
                        {t("ends_in")} <Countdown to={r.end} soon={300} />
                      </>
                    )}
                  </p>
                  <Facts
                    rows={[
                      [t("frames"), number(r.frames)],
                      [t("people_passed"), number(r.tracks)],
                      [t("nav_alerts"), number(r.alerts)],
                    ]}
                  />
                  {r.trouble && (
                    <p class="warning">
                      <Said text={r.trouble} />
                    </p>
                  )}
                </section>
              ))}
            </div>
          )
        }
      </Busy>
      <Busy from={cameras}>
        {(list) =>
          list.length === 0 ? (
            <Empty text={t("cameras_none")} />
          ) : (
            <ul class="wall">
              {list.map((c) => {
                const shows = c.preview === true && can("see_alert");
                const stream = shows && streams < STREAMS && ++streams > 0;
                return (
                  <li key={c.id}>
                    {shows ? (
                      stream ? <Stream id={c.id} /> : <Stills id={c.id} />
                    ) : (
                      <div class="nopicture">
                        {t(c.preview ? "preview_not_yours" : runs.length ? "no_preview" : "camera_idle")}
                      </div>
                    )}
                    <p>
                      <strong>{c.id}</strong>
                      {c.state && <Tag tone={tone(c.state)}>{word("camera", c.state)}</Tag>}
                      {c.state === "live" && c.fps !== undefined && <span>{t("fps", { n: number(c.fps) })}</span>}
                      {c.trouble && <Said text={c.trouble} />}
                    </p>
                  </li>
                );
              })}
            </ul>
          )
        }
      </Busy>
      <p class="hint">{t("blurred")}</p>
    </>
  );
}
