// The routes of a machine as text: one line a vector, then what both ways cost.

import type { CostReport } from "../machine/cost.ts";
import type { RouteReport } from "../machine/route.ts";
import { count, duration, hex, plural, significant } from "./number.ts";
import type { Paint } from "./paint.ts";
import { type Cell, formatTable } from "./table.ts";

/** What the table shows besides the routes. */
export interface RoutesView {
  capture: string;
  guest: string;
  /** One line for each SMMU. */
  smmus: string[];
  routes: RouteReport[];
  cost: CostReport;
}

const COLUMNS = [
  { title: "function" },
  { title: "vector", align: "right" as const },
  { title: "guest IOVA" },
  { title: "by walk" },
  { title: "fetches", align: "right" as const },
  { title: "direct" },
  { title: "agree" },
  { title: "GSI", align: "right" as const },
  { title: "LPI", align: "right" as const },
  { title: "CPU", align: "right" as const },
  { title: "delivery", shrink: true },
];

/** Lines for people. */
export function formatRoutes(view: RoutesView, paint: Paint, width: number): string[] {
  const { routes } = view;
  const agree = routes.filter((r) => r.agree).length;
  const delivered = routes.filter((r) => r.delivery.status === "delivered").length;
  const masked = routes.filter((r) => r.delivery.status === "masked").length;
  const counts = [
    plural(routes.length, "vector"),
    paint(agree === routes.length ? "good" : "bad", `${count(agree)} agree`),
    paint(delivered + masked === routes.length ? "good" : "warn", `${count(delivered)} delivered`),
    ...(masked > 0 ? [`${count(masked)} masked`] : []),
  ];
  return [
    `${paint("head", view.capture)}${view.guest ? `  ${view.guest}` : ""}`,
    ...view.smmus.map((line) => paint("dim", line)),
    "",
    ...formatTable(COLUMNS, routes.map(row), { paint, width }),
    "",
    `${counts.join(", ")}.`,
    ...costLines(view.cost),
  ];
}

function row(r: RouteReport): Cell[] {
  const { delivery: d } = r;
  const styles = { delivered: "good", masked: "dim", pending: "warn", lost: "bad" } as const;
  const text = d.status === "delivered" ? d.status : `${d.status}: ${d.reason}`;
  return [
    { text: r.bdf, style: "name" },
    String(r.vector),
    hex(r.iova),
    walkCell(r),
    r.walk ? String(r.walk.fetches) : "",
    hex(r.direct.gpa),
    r.agree ? { text: "yes", style: "good" } : { text: "NO", style: "bad" },
    r.route ? String(r.route.gsi) : "",
    d.lpi === null ? "" : String(d.lpi),
    d.target === null ? "" : String(d.target),
    { text, style: styles[d.status] },
  ];
}

function walkCell(r: RouteReport): Cell {
  if (r.walk === null) return { text: "no SMMU", style: "dim" };
  if (r.walk.gpa === null) return { text: r.walk.event ?? "fault", style: "bad" };
  return hex(r.walk.gpa);
}

function costLines(cost: CostReport): string[] {
  if (cost.walkNs === null || cost.directNs === null || cost.ratio === null) return [];
  const fetches = significant(cost.fetchesPerWalk ?? 0);
  return [
    `A walk takes ${duration(cost.walkNs)} (${fetches} fetches), ` +
      `the direct doorbell ${duration(cost.directNs)}: a factor of ${significant(cost.ratio)}.`,
  ];
}
