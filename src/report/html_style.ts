/** The site's style: system fonts, colours with a contrast of at least 4.5 to 1 in light and dark. */
export const STYLE = `:root {
  color-scheme: light dark;
  --text: light-dark(#1b1f24, #e6e8eb); --soft: light-dark(#57606a, #a4adb8); --page: light-dark(#ffffff, #14171b);
  --raised: light-dark(#f5f7f9, #1d2228); --line: light-dark(#d5dae0, #363d46); --link: light-dark(#0a58ca, #7cb4ff);
  --good: light-dark(#116329, #6fdd8b); --bad: light-dark(#a40e26, #ff9a94); --open: light-dark(#7a4c00, #f0c05a);
}
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--text); background: var(--page); }
header { border-bottom: 1px solid var(--line); background: var(--raised); }
nav, main { max-width: 78rem; margin: 0 auto; padding: .8rem 1.2rem; }
nav a { display: inline-block; margin-right: 1.2rem; padding: .3rem 0; color: var(--link); }
nav a[aria-current] { color: var(--text); font-weight: 600; text-decoration: none; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 1.2rem 0 .4rem; }
h2 { font-size: 1.3rem; margin: 2.4rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
p, li { max-width: 62rem; overflow-wrap: anywhere; }
a { color: var(--link); }
.banner { border-left: 4px solid var(--open); background: var(--raised); padding: .7rem 1rem; }
.scroll { overflow-x: auto; width: fit-content; max-width: 100%; margin: 1rem 0; border: 1px solid var(--line); border-radius: 6px; }
.scroll:focus-visible, pre:focus-visible, a:focus-visible { outline: 3px solid var(--link); outline-offset: 1px; }
table { border-collapse: collapse; min-width: min(100%, 40rem); font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .6rem .7rem; }
th, td { padding: .38rem .7rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
thead th { background: var(--raised); color: var(--soft); vertical-align: bottom; font-weight: 600; }
tbody th { font-weight: 500; }
tbody th, td:first-child { white-space: nowrap; }
td:last-child { min-width: 9rem; max-width: 32rem; }
td.number:last-child { min-width: 0; }
tbody tr:hover { background: var(--raised); }
.number { text-align: right; white-space: nowrap; }
thead .number { white-space: normal; }
.verdict { color: var(--soft); }
.verdict.reproduced { color: var(--good); font-weight: 600; }
.verdict.not_reproduced { color: var(--bad); font-weight: 600; }
.verdict.inconclusive { color: var(--open); font-weight: 600; }
pre { overflow-x: auto; padding: .8rem 1rem; background: var(--raised); border: 1px solid var(--line); border-radius: 6px; }
code { font: .9em ui-monospace, monospace; }
@media print { header { display: none; } .scroll { overflow: visible; } body { font-size: 11px; } }`;
