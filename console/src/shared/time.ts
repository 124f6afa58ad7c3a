/** Times as people say them. */
import { useEffect, useState } from "react";

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

/** The time of today, the day of this year, or the date. */
export function shortly(at: string, language: string): string {
  const then = new Date(at);
  const now = new Date();
  if (then.toDateString() === now.toDateString()) return timeOf(at, language);
  const year = then.getFullYear() === now.getFullYear() ? undefined : ("numeric" as const);
  return then.toLocaleDateString(language, { day: "numeric", month: "short", year });
}

export function timeOf(at: string, language: string): string {
  return new Date(at).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
}

export function dayOf(at: string, language: string): string {
  return new Date(at).toLocaleDateString(language, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
}

/** How long ago, in the largest unit that is whole: `12 min`. */
export function since(at: string, now: number, language: string): string {
  const seconds = Math.max(0, (now - Date.parse(at)) / 1000);
  const [value, unit] =
    seconds < HOUR_S
      ? [seconds / MINUTE_S, "minute"]
      : seconds < DAY_S
        ? [seconds / HOUR_S, "hour"]
        : [seconds / DAY_S, "day"];
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "narrow" }).format(Math.floor(value));
}

/** Now, to the half minute: waiting times grow by it. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
