// Watchlists: who is looked for, why, on whose word, until when.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import * as api from "./api";
import { go } from "./app";
import { Enrol } from "./enrol";
import { moment, number, t, word } from "./i18n";
import { can, myName } from "./rights";
import { ask, Busy, Empty, type FieldProps, Hex, Problem, Said, say, Table, Tag, useAct, useLoad } from "./ui";

export const usePolicies = () => useLoad(() => api.all<api.Policy>("policies"), [], ["policy."]);

/** A closed list where the pack in force tells it, else words of the pack. */
export function choice(label: string, name: string, words: string[] | undefined, prefix: string): FieldProps {
  return words?.length
    ? { label, name, required: true, options: words.map((w): [string, string] => [w, word(prefix, w)]) }
    : { label, name, required: true };
}

function create(policies: api.Policy[], reload: () => void): void {
  const open = policies.filter((p) => p.open);
  const some = open.flatMap((p) => p.purposes ?? []);
  void ask({
    title: t("list_new"),
    button: t("create"),
    fields: [
      { label: t("name"), name: "name", required: true },
      open.length
        ? {
            label: t("jurisdiction"),
            name: "jurisdiction",
            required: true,
            options: open.map((p): [string, string] => [p.jurisdiction, p.title || p.jurisdiction]),
          }
        : { label: t("jurisdiction"), name: "jurisdiction", required: true },
      choice(t("purpose"), "purpose", [...new Set(some)], "purpose"),
    ],
    send: async (f) => {
      const { id } = await api.post<{ id: string }>("watchlists", f);
      reload();
      go("lists", id);
    },
  });
}

function act(e: api.Entry, what: string, title: string, fields: FieldProps[], again: () => void): void {
  void ask({
    title: `${title}: ${e.name}`,
    button: title,
    fields,
    send: (f) => api.post(`entries/${e.id}/${what}`, f.text ? { text: f.text } : {}),
  }).then((good) => {
    if (good) say(t("recorded"));
    again();
  });
}

function remove(e: api.Entry, again: () => void): void {
  void ask({
    title: `${t("remove")}: ${e.name}`,
    button: t("remove"),
    tone: "danger",
    text: t("remove_text"),
    fields: [
      { label: t("reason"), name: "reason", required: true },
      { label: t("found"), name: "found", options: [["false", t("no")], ["true", t("yes")]] },
    ],
    send: (f) =>
      api.call("DELETE", `entries/${e.id}?reason=${encodeURIComponent(f.reason ?? "")}&found=${f.found ?? "false"}`),
  }).then((good) => {
    if (good) say(t("erased_done"));
    again();
  });
}

function Row({ e, again }: { e: api.Entry; again: () => void }): JSX.Element {
  const { busy, error, act: run } = useAct();
  const forWhich: FieldProps = { label: t("for_deployment"), name: "text", required: true, value: e.confirmed_for };
  const approve = (one: boolean): void => {
    void run(() => api.post(`entries/${e.id}/${one ? "approve-one" : "approve"}`)).then(again);
  };
  return (
    <tr>
      <th scope="row">
        {e.name}
        {e.nominal && <span class="sub">{e.nominal}</span>}
      </th>
      <td>
        {word("category", e.category)}
        <span class="sub">{e.reason}</span>
      </td>
      <td>
        {e.legal_basis}
        <span class="sub">{word("source", e.source)}</span>
      </td>
      <td>{moment(e.expires)}</td>
      <td>
        <Tag tone={e.counts ? "good" : "warn"}>{t(e.counts ? "counts" : "counts_not")}</Tag>
        {!e.counts && (
          <span class="sub">
            <Said text={e.why} />
          </span>
        )}
        <Problem error={error} />
      </td>
      <td>
        <span class="sub">{t("added_by", { who: e.added_by })}</span>
        <span class="sub">{e.approved_by ? t("approved_by", { who: e.approved_by }) : t("not_approved")}</span>
        {e.confirmed_for && (
          <span class="sub">{t("confirmed_by", { who: e.confirmed_by, what: e.confirmed_for })}</span>
        )}
      </td>
      <td class="actions">
        {can("edit_list") && !e.approved_by && (
          <button
            type="button"
            class="plain"
            disabled={busy || e.added_by === myName()}
            title={e.added_by === myName() ? t("four_eyes") : undefined}
            onClick={() => approve(false)}
          >
            {t("approve")}
          </button>
        )}
        {can("authorise") && e.needs_officer && !e.officer && (
          <button type="button" class="plain" disabled={busy} onClick={() => approve(true)}>
            {t("approve_one")}
          </button>
        )}
        {can("edit_list") && (
          <>
            <button
              type="button"
              class="plain"
              onClick={() => act(e, "confirm", t("confirm"), [forWhich], again)}
            >
              {t("confirm")}
            </button>
            <button type="button" class="plain" onClick={() => act(e, "deny", t("deny"), [forWhich], again)}>
              {t("deny")}
            </button>
            <button type="button" class="plain danger" onClick={() => remove(e, again)}>
              {t("remove")}
            </button>
          </>
        )}
      </td>
    </tr>
  );
}

function One({ list, policy, back }: { list: api.Watchlist; policy: api.Policy | undefined; back: () => void }): JSX.Element {
  const entries = useLoad(() => api.all<api.Entry>(`watchlists/${list.id}/entries`), [list.id], ["watchlist."]);
  const [adding, setAdding] = useState(false);
  const { busy, error, act: run } = useAct();
  const again = (): void => {
    entries.reload();
    back();
  };
  const many = (what: "approve" | "confirm", text?: string): Promise<boolean> =>
    run(async () => {
      for (const e of entries.data ?? []) {
        if (what === "approve" && (e.approved_by || e.added_by === myName())) continue;
        if (what === "confirm" && e.confirmed_for === text) continue;
        await api.post(`entries/${e.id}/${what}`, text ? { text } : {});
      }
      say(t("recorded"));
    }).finally(again);
  return (
    <article>
      <p>
        <a href="#/lists">{t("back_to_lists")}</a>
      </p>
      <h2>{list.name}</h2>
      <p>
        <Tag>{word("purpose", list.purpose)}</Tag> <Tag>{list.jurisdiction}</Tag>{" "}
        {list.erase_after && t("erased_on", { when: moment(list.erase_after) })}
      </p>
      {can("edit_list") && (
        <p class="buttons">
          <button type="button" class="main" aria-expanded={adding} onClick={() => setAdding(!adding)}>
            {t("enrol")}
          </button>
          <button type="button" class="plain" disabled={busy} onClick={() => void many("approve")}>
            {t("approve_all")}
          </button>
          <button
            type="button"
            class="plain"
            disabled={busy}
            onClick={() =>
              void ask({
                title: t("confirm_all"),
                button: t("confirm"),
                text: t("confirm_text"),
                fields: [{ label: t("for_deployment"), name: "text", required: true }],
                send: async (f) => {
                  await many("confirm", f.text ?? "");
                },
              })
            }
          >
            {t("confirm_all")}
          </button>
        </p>
      )}
      <Problem error={error} />
      {adding && <Enrol list={list} policy={policy} added={again} />}
      <Busy from={entries}>
        {(items) =>
          items.length === 0 ? (
            <Empty text={t("entries_none")} />
          ) : (
            <Table
              caption={t("entries")}
              head={[t("person"), t("why"), t("legal_basis"), t("expires"), t("state"), t("by_whom"), t("actions")]}
            >
              {items.map((e) => (
                <Row e={e} again={again} key={e.id} />
              ))}
            </Table>
          )
        }
      </Busy>
    </article>
  );
}

export function ListsPage({ rest }: { rest: string[] }): JSX.Element {
  const lists = useLoad(() => api.all<api.Watchlist>("watchlists"), [], ["watchlist.", "erasure."]);
  const policies = usePolicies();
  const one = lists.data?.find((l) => l.id === rest[0]);
  if (one)
    return (
      <One
        list={one}
        policy={policies.data?.find((p) => p.jurisdiction === one.jurisdiction)}
        back={lists.reload}
        key={one.id}
      />
    );
  return (
    <>
      {can("edit_list") && (
        <p class="buttons">
          <button
            type="button"
            class="main"
            disabled={!policies.data && !policies.error} // the form offers what the packs allow
            onClick={() => create(policies.data ?? [], lists.reload)}
          >
            {t("list_new")}
          </button>
        </p>
      )}
      <Busy from={lists}>
        {(items) =>
          items.length === 0 ? (
            <Empty text={t("lists_none")} />
          ) : (
            <Table
              caption={t("nav_lists")}
              head={[t("name"), t("purpose"), t("jurisdiction"), t("composed"), t("erase_after"), t("digest")]}
            >
              {items.map((l) => (
                <tr key={l.id}>
                  <th scope="row">
                    <a href={`#/lists/${l.id}`}>{l.name}</a>
                  </th>
                  <td>{word("purpose", l.purpose)}</td>
                  <td>{l.jurisdiction}</td>
                  <td>{moment(l.composed)}</td>
                  <td>{moment(l.erase_after)}</td>
                  <td>
                    <Hex value={l.digest} />
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Busy>
      <p class="hint">{t("lists_hint", { n: number(lists.data?.length ?? 0) })}</p>
    </>
  );
}
