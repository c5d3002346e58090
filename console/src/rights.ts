// Which role may do what: only to leave out what would be refused. The daemon decides (src/law/role.c).
import type { Me } from "./api";

export type Right =
  | "see_alert" | "judge" | "engage" | "hold" | "look" | "edit_list" | "authorise" | "read_log" | "users"; // prettier-ignore
const roles: Record<Right, string[]> = {
  see_alert: ["operator", "engagement-officer", "authorising-officer", "auditor"],
  judge: ["operator", "engagement-officer"],
  engage: ["engagement-officer"],
  hold: ["authorising-officer", "engagement-officer"],
  look: ["operator", "engagement-officer", "authorising-officer", "watchlist-manager", "auditor"],
  edit_list: ["watchlist-manager"],
  authorise: ["authorising-officer"],
  read_log: ["auditor", "authorising-officer"],
  users: ["administrator"],
};
let me: Me | null = null;
export const setMe = (who: Me | null): void => {
  me = who;
};
export const myName = (): string => me?.name ?? "";
export const can = (right: Right): boolean => !!me && me.roles.split(",").some((r) => roles[right].includes(r.trim()));
export const ROLES = [
  "operator", "engagement-officer", "watchlist-manager", "authorising-officer", "auditor", "administrator",
] as const; // prettier-ignore
