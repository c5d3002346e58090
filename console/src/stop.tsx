// One action stops all matching (R6): a button on every page, and Alt+Shift+S.
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import * as api from "./api";
import { t } from "./i18n";
import { type Loaded, Problem, say, useAct, useLoad } from "./ui";

/** What this machine runs now. */
export function useRunning(everyS = 5): Loaded<api.Running[]> {
  return useLoad(async () => (await api.get<api.System>("system")).running, [], ["deployment."], everyS);
}

export function StopButton({ running }: { running: Loaded<api.Running[]> }): JSX.Element {
  const { busy, error, act } = useAct();
  const some = running.data?.some((r) => r.watching) ?? false;
  const stop = (): void => {
    void act(async () => {
      // Asked anew: a deployment that began a moment ago is stopped, too.
      const now = (await api.get<api.System>("system")).running;
      for (const r of now) if (r.id) await api.post(`deployments/${r.id}/stop`, { reason: "stopped from the console" });
      say(t("stopped"));
      running.reload();
    });
  };
  useEffect(() => {
    const down = (e: KeyboardEvent): void => {
      if (e.altKey && e.shiftKey && e.code === "KeyS") {
        e.preventDefault();
        stop();
      }
    };
    window.addEventListener("keydown", down);
    return () => window.removeEventListener("keydown", down);
  }, []);
  return (
    <>
      <button type="button" class={some ? "stop armed" : "stop"} disabled={busy} onClick={stop} aria-keyshortcuts="Alt+Shift+S">
        <span aria-hidden="true">■ </span>
        {t("stop")}
      </button>
      <Problem error={error} />
    </>
  );
}
