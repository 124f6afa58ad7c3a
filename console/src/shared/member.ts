/** Who is signed in, and the names of everybody whom the pages mention. */
import { useQuery } from "@tanstack/react-query";
import { dataOf, type Shape } from "parley-client";
import { createContext, use } from "react";

import { api } from "./session.ts";

export type Me = Shape<"Me">;

export const MeContext = createContext<Me | null>(null);

/** Errors: where nobody is signed in. */
export function useMe(): Me {
  const me = use(MeContext);
  if (me === null) throw new Error("nobody is signed in");
  return me;
}

export function useMay(): (action: Shape<"Action">) => boolean {
  const { actions } = useMe();
  return (action) => (actions as string[]).includes(action);
}

/** The members and groups of the workspace by their ids, as far as the member may see them. */
export function useNames(): { members: Shape<"MemberState">[]; groups: Shape<"GroupState">[]; nameOf: (id: string) => string } {
  const members = useQuery({
    queryKey: ["members"],
    queryFn: async () => (await dataOf(api.GET("/v1/members", { params: { query: { limit: 200 } } }))).items ?? [],
    staleTime: 60_000,
  });
  const groups = useQuery({
    queryKey: ["groups"],
    queryFn: async () => (await dataOf(api.GET("/v1/groups", { params: { query: { limit: 200 } } }))).items ?? [],
    staleTime: 60_000,
  });
  const named = new Map<string, string>();
  for (const one of members.data ?? []) named.set(one.member_id, one.name);
  for (const one of groups.data ?? []) named.set(one.group_id, one.name);
  return { members: members.data ?? [], groups: groups.data ?? [], nameOf: (id) => named.get(id) ?? "…" };
}
