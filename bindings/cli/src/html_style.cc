#include "html_style.h"

namespace bnq::cli {

const std::string_view kPageStyle = R"css(:root {
  color-scheme: light dark;
  --paper: #fdfcfa; --ink: #1d1c1a; --quiet: #66625c; --line: #dedad3;
  --blue: #2f6690; --bar: #86a9c4; --red: #c23b50; --hover: #f3f0ea;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #171614; --ink: #e9e6e1; --quiet: #a49f97; --line: #3a3733;
    --blue: #86b8dc; --bar: #4b7c9f; --red: #ec8593; --hover: #201f1c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums lining-nums;
}
main { max-width: 70rem; margin: 0 auto; padding: 3.5rem 2rem 4rem; }
h1, h2 {
  font-family: Charter, "Bitstream Charter", "Iowan Old Style", "Sitka Text", Cambria,
    "Liberation Serif", Georgia, serif;
  font-weight: 600; line-height: 1.2; text-wrap: balance; overflow-wrap: anywhere;
}
h1 { font-size: 2.1rem; margin: 0 0 1.4rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; margin: 0 0 .9rem; }
p, dl, dd, figure { margin: 0; }
section { margin-top: 3rem; }
.command {
  color: var(--quiet); font-size: .8rem; letter-spacing: .06em; margin-bottom: .35rem;
}
bdi { overflow-wrap: anywhere; }
.facts > div { display: grid; grid-template-columns: 6.5rem 1fr; gap: 1rem; }
.facts dt, .values dt { color: var(--quiet); }
.totals {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr));
  gap: 1.4rem 1.5rem; margin-top: 2.2rem; padding: 1.3rem 0 1.4rem;
  border-top: 2px solid var(--ink); border-bottom: 1px solid var(--line);
}
.totals p { line-height: 1.35; }
.totals .label { color: var(--quiet); font-size: .82rem; }
.totals .value { font-size: 1.55rem; font-weight: 600; letter-spacing: -.01em; }
.totals .note { color: var(--quiet); font-size: .82rem; }
.curve { max-width: 46rem; }
.detail figure { width: 100%; max-width: 34rem; justify-self: end; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--quiet); font-size: 12px; }
svg .strong { fill: var(--ink); font-weight: 600; }
svg .grid { stroke: var(--line); }
svg .axis { stroke: var(--quiet); }
svg .bar { fill: var(--blue); }
svg .beyond { fill: var(--red); }
svg .curve { fill: none; stroke: var(--blue); stroke-width: 2; stroke-linejoin: round; }
svg .point { fill: var(--paper); stroke: var(--blue); stroke-width: 1.5; }
svg .chosen { fill: var(--red); stroke: var(--paper); stroke-width: 2; }
svg .guide { stroke: var(--red); stroke-dasharray: 3 4; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { padding: .42rem .55rem; text-align: left; vertical-align: middle; white-space: nowrap; }
th:first-child { padding-left: 0; }
td:last-child, thead th:last-child { padding-right: 0; }
thead th {
  vertical-align: bottom; color: var(--quiet); font-weight: 500;
  border-bottom: 1px solid var(--ink);
}
tbody th { font-weight: 400; white-space: normal; min-width: 9rem; }
tbody tr { border-bottom: 1px solid var(--line); }
tbody tr:hover { background: var(--hover); }
tbody small { display: block; color: var(--quiet); line-height: 1.3; }
td.text { white-space: normal; }
td.text bdi { overflow-wrap: normal; }
.number { text-align: right; }
td.bar { position: relative; }
.bar.number { padding-right: 3.9rem; }
td.bar::after {
  content: ""; position: absolute; left: calc(100% - 3.4rem); top: calc(50% - .26rem);
  height: .52rem; width: calc(2.9rem * var(--w, 0)); background: var(--bar);
  border-radius: 0 1.5px 1.5px 0;
}
.picture { width: 6.6rem; }
.picture svg { width: 96px; height: 22px; margin-left: auto; }
thead .picture { text-align: right; }
thead button {
  all: unset; cursor: pointer; text-align: inherit; border-radius: 2px;
}
thead button:hover { color: var(--ink); }
thead button:focus-visible, a:focus-visible, summary:focus-visible {
  outline: 2px solid var(--blue); outline-offset: 2px;
}
thead th[aria-sort] { color: var(--ink); }
thead th[aria-sort=ascending] button::after { content: " \2191"; }
thead th[aria-sort=descending] button::after { content: " \2193"; }
a { color: inherit; text-decoration: underline var(--line); text-underline-offset: .2em; }
a:hover { text-decoration-color: currentColor; }
details { border-top: 1px solid var(--line); padding: .75rem 0; }
details:last-child { border-bottom: 1px solid var(--line); }
summary { cursor: pointer; font-weight: 600; }
summary::marker { color: var(--quiet); }
.detail {
  display: grid; grid-template-columns: minmax(16rem, 2fr) minmax(0, 3fr); gap: 2.5rem;
  padding: .9rem 0 .6rem 1.1rem; scroll-margin-top: 4rem; font-size: .88rem;
}
.plain { display: block; }
.plain .values { columns: 17rem; column-gap: 2.5rem; }
.plain .values > div { break-inside: avoid; }
.values > div {
  display: grid; grid-template-columns: 9rem 1fr; gap: .8rem; padding: .14rem 0;
}
footer {
  margin-top: 3rem; color: var(--quiet); font-size: .82rem; max-width: 46rem;
}
footer p + p { margin-top: .45rem; }
@media (max-width: 46rem) {
  main { padding: 2rem 1.1rem 3rem; }
  .detail { grid-template-columns: 1fr; gap: 1.2rem; padding-left: 0; }
  .facts > div { grid-template-columns: 1fr; gap: 0; margin-bottom: .5rem; }
}
@media print {
  :root {
    color-scheme: light;
    --paper: #fff; --ink: #000; --quiet: #555; --line: #ccc;
    --blue: #2f6690; --bar: #86a9c4; --red: #c23b50; --hover: #fff;
  }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  @page { margin: 16mm 15mm; }
  body { font-size: 9.5pt; }
  main { max-width: none; padding: 0; }
  .scroll { overflow: visible; }
  section { margin-top: 1.8rem; }
  thead { display: table-header-group; }
  tr, details, figure, .totals { break-inside: avoid; }
  h2 { break-after: avoid; }
  th, td { padding: .3rem .4rem; }
  a { text-decoration: none; }
  details:not([open]) { display: none; }
}
)css";

const std::string_view kPageScript = R"js(
"use strict";
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    if (heading.className === "picture") return;
    const number = heading.classList.contains("number");
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    heading.append(button);
    const key = row => {
      const cell = row.cells[column];
      if (!number) return cell.textContent;
      return cell.dataset.v === undefined ? NaN : Number(cell.dataset.v);
    };
    const compare = (a, b) => number ? (a < b ? -1 : a > b ? 1 : 0)
                                     : a.localeCompare(b, "en", {numeric: true});
    button.addEventListener("click", () => {
      const was = heading.getAttribute("aria-sort");
      const up = was ? was === "descending" : !number;
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map(row => [key(row), row]);
      rows.sort(([a], [b]) => {
        const missing = Number(Number.isNaN(a)) - Number(Number.isNaN(b));
        return missing || (up ? compare(a, b) : compare(b, a));
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
)js";

const std::string_view kPageScriptHash =
    "Cs7aQEvUCV9dxRRx8PulQKRzk4Ltcr+Z+lPiOaIwdkE=";

}  // namespace bnq::cli
