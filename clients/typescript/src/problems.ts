import type { components } from "./schema.d.ts";

type ProblemDetails = components["schemas"]["ProblemDetails"];

/** A refusal of the API (RFC 9457), or an answer that is none of its own. */
export class ProblemError extends Error {
  readonly status: number;
  /** The problem's kind, such as `case-taken`; empty where the answer was no problem document. */
  readonly kind: string;
  /** Seconds to wait before it is worth another try, where the API says so. */
  readonly retryAfter: number | null;
  /** The document whole: some kinds tell more, such as who holds the case. */
  readonly problem: Partial<ProblemDetails> & Record<string, unknown>;

  constructor(status: number, problem: Record<string, unknown>, retryAfter: number | null) {
    super(text(problem["detail"]) || text(problem["title"]) || `HTTP ${status}`);
    this.name = "ProblemError";
    this.status = status;
    this.kind = text(problem["type"]).split(":").at(-1) ?? "";
    this.retryAfter = retryAfter;
    this.problem = problem;
  }
}

/** The problem that an answer tells. */
export async function problemOf(answer: Response): Promise<ProblemError> {
  const told = await answer.text();
  const retryAfter = Number(answer.headers.get("retry-after"));
  return new ProblemError(answer.status, parsed(told), retryAfter > 0 ? retryAfter : null);
}

function parsed(told: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(told);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
