/* SPDX-License-Identifier: MIT
 * Light, dark and printed; from telephones to wide screens. The colours of text have a contrast of
 * at least 4.5 to what is behind them, those of lines and bars at least 3; lines also differ in
 * their dashes. */
#include "report/style.h"

#include <stddef.h>

const char *const report_style[] = {
    ":root{color-scheme:light dark;--back:#f7f6f3;--card:#fff;--ink:#1c2230;--soft:#565f70;"
    "--line:#d8dce4;--a:#1f5fa8;--b:#b4450f;--c:#0d7268;--warn:#fff5dc;--edge:#b07a00}\n",
    "@media (prefers-color-scheme:dark){:root{--back:#11141a;--card:#1a1f28;--ink:#e9ecf1;"
    "--soft:#aab3c2;--line:#363e4c;--a:#7fb6f2;--b:#f3a56d;--c:#5fcabd;--warn:#2b2413;"
    "--edge:#d9a62e}}\n",
    "*{box-sizing:border-box}\n",
    "html{-webkit-text-size-adjust:100%}\n",
    "body{margin:0;background:var(--back);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"
    "\"Segoe UI\",Roboto,\"Noto Sans\",\"DejaVu Sans\",sans-serif}\n",
    "header,main,footer{max-width:1120px;margin:0 auto;padding:0 16px}\n",
    "header{padding-top:28px}\n",
    "h1{font-size:1.75rem;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}\n",
    "h2{font-size:1.35rem;line-height:1.25;margin:44px 0 6px}\n",
    "h3{font-size:1rem;line-height:1.35;margin:0 0 8px}\n",
    "p{margin:0 0 12px;max-width:72ch}\n",
    ".soft,figcaption,td.soft{color:var(--soft)}\n",
    "a{color:var(--a)}\n",
    "nav{margin:14px 0 0}\n",
    "nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:6px 18px;margin:0;padding:0}\n",
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(148px,1fr));gap:12px;"
    "margin:22px 0;padding:0;list-style:none}\n",
    ".tiles li{background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "padding:12px 14px}\n",
    ".tiles b{display:block;font-size:1.6rem;line-height:1.2;font-weight:650;"
    "font-variant-numeric:tabular-nums}\n",
    ".tiles span{color:var(--soft);font-size:.875rem;display:block;line-height:1.35}\n",
    ".warn{background:var(--warn);border:1px solid var(--edge);border-left-width:6px;"
    "border-radius:8px;padding:12px 16px;margin:20px 0}\n",
    ".warn p:last-child,.warn ul:last-child{margin-bottom:0}\n",
    ".warn ul{margin:0 0 12px;padding-left:1.2em}\n",
    ".warn p{max-width:112ch}\n",
    ".grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));"
    "gap:16px;align-items:start;margin:14px 0}\n",
    "figure,.card{background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "padding:14px 16px;margin:0;min-width:0}\n",
    "figcaption{font-size:.9rem;margin-top:6px}\n",
    "svg.chart{display:block;width:100%;height:auto;font-family:inherit}\n",
    "svg text{fill:var(--soft);font-size:13px}\n",
    "svg text.label{fill:var(--ink);font-size:13.5px}\n",
    "svg text.note{fill:var(--ink);font-size:12.5px;paint-order:stroke;stroke:var(--card);"
    "stroke-width:4px;stroke-linejoin:round}\n",
    ".chart .grid{stroke:var(--line);stroke-width:1;fill:none}\n",
    ".chart .axis{stroke:var(--soft);stroke-width:1.2;fill:none}\n",
    ".chart .rule{stroke:var(--soft);stroke-width:1.4;stroke-dasharray:2 4;fill:none}\n",
    ".chart .line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}\n",
    ".chart .dots{fill:none;stroke-linecap:round;stroke-width:5;stroke-opacity:.62}\n",
    ".line.a,.dots.a{stroke:var(--a)}.line.b{stroke:var(--b);stroke-dasharray:7 5}"
    ".line.c{stroke:var(--c);stroke-dasharray:1.5 5}\n",
    "rect.a,circle.a{fill:var(--a)}rect.b,circle.b{fill:var(--b)}rect.c,circle.c{fill:var(--c)}\n",
    "rect.a,rect.b,rect.c{stroke:var(--card);stroke-width:1}\n",
    "ul.keys{list-style:none;display:flex;flex-wrap:wrap;gap:2px 18px;margin:6px 0 0;padding:0;"
    "font-size:.9rem}\n",
    "ul.keys "
    "svg{display:inline-block;width:34px;height:12px;vertical-align:middle;margin-right:6px}\n",
    ".scroll{overflow-x:auto;margin:10px 0}\n",
    "table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}\n",
    "caption{text-align:left;color:var(--soft);padding:0 0 4px;min-width:min(17em,70vw)}\n",
    "th,td{text-align:right;padding:4px 10px;border-bottom:1px solid var(--line);"
    "vertical-align:top}\n",
    "th:first-child,td:first-child{text-align:left;padding-left:0}\n",
    "td.word,th.word{text-align:left;overflow-wrap:anywhere}\n",
    "tbody th{font-weight:500}\n",
    "td.hit{outline:1.5px solid var(--a);outline-offset:-2px;font-weight:650}\n",
    "details{margin:10px 0 0}\n",
    "summary{cursor:pointer;color:var(--a);font-size:.92rem;min-height:28px}\n",
    ".stack{display:grid;gap:16px;align-content:start;min-width:0}\n",
    ".faces{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:12px;"
    "margin:10px 0 22px;padding:0;list-style:none}\n",
    ".faces.wide{grid-template-columns:repeat(auto-fill,minmax(264px,1fr))}\n",
    ".faces li{background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "overflow:hidden;break-inside:avoid}\n",
    ".faces img{display:block;width:100%;height:auto;aspect-ratio:1;object-fit:contain;"
    "background:#808080}\n",
    ".faces .pair{display:grid;grid-template-columns:1fr 1fr}\n",
    ".faces div.says{padding:8px 10px;font-size:.86rem;line-height:1.4;overflow-wrap:anywhere}\n",
    ".faces div.says b{font-variant-numeric:tabular-nums}\n",
    "footer{color:var(--soft);font-size:.875rem;padding-top:40px;padding-bottom:40px}\n",
    "@media (max-width:480px){svg text,svg text.label,svg text.note{font-size:15.5px}"
    "h2{margin-top:34px}figure,.card{padding:12px 10px}"
    ".faces{grid-template-columns:repeat(auto-fill,minmax(120px,1fr))}"
    ".faces.wide{grid-template-columns:repeat(auto-fill,minmax(200px,1fr))}}\n",
    "@media print{:root{--back:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--a:#1f5fa8;"
    "--b:#b4450f;--c:#0d7268;--warn:#fff;--edge:#b07a00}html{font-size:12px}body{font-size:12px}"
    "nav{display:none}footer{padding-top:8px;padding-bottom:0}table{font-size:.85rem}th,td{padding:"
    "3px 6px}"
    ""
    "figure,.card,.warn,.tiles li,tr{break-inside:avoid}h2,h3,section>p{break-after:avoid}"
    "img,rect,.faces img{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
    "details:not([open]){display:none}.scroll{overflow:visible}"
    ".grid2{grid-template-columns:1fr 1fr;gap:8px}"
    ".faces{grid-template-columns:repeat(6,1fr);gap:8px}"
    ".faces.wide{grid-template-columns:repeat(3,1fr)}h2{margin-top:22px}.tiles{gap:8px;"
    "grid-template-columns:repeat(6,1fr)}}\n",
    NULL};
