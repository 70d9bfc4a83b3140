// The frame of every page that the relay shows to a person, and the headers it travels with. No script, no request to
// anybody: what is not in the page is not loaded.
import { createHash } from 'node:crypto';
import { Html, html } from './html.ts';

export interface Page {
  readonly title: string;
  /** Sets the colour of the bar at the top. */
  readonly mood: 'good' | 'bad';
  readonly body: Html;
}

const style = `
:root { color-scheme: light dark; --back: #f4f4f6; --card: #fff; --text: #1d1b22; --soft: #5b5866; --good: #1a7f4b; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --back: #141317; --card: #201e25; --text: #ece9f1; --soft: #a9a4b5; --good: #4cc38a; --bad: #f2776f; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem; background: var(--back); color: var(--text); font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 36rem; margin: 8vh auto 0; padding: 1.5rem; background: var(--card); border-radius: .75rem; border-top: .4rem solid var(--good); overflow-wrap: anywhere; }
main.bad { border-top-color: var(--bad); }
h1 { margin: 0 0 .75rem; font-size: 1.4rem; line-height: 1.25; }
h2 { margin: 1.25rem 0 .25rem; font-size: 1rem; }
p, ul { margin: .5rem 0; }
ul { padding-left: 1.25rem; }
code { font-size: .9em; }
.soft { color: var(--soft); font-size: .9rem; }
`;

const styleHash = createHash('sha256').update(style).digest('base64');

/** The one inline style is allowed by its hash; everything else is forbidden. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    `default-src 'none'; style-src 'sha256-${styleHash}'; ` +
    `base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'x-robots-tag': 'noindex',
};

const styleElement = new Html(`<style>${style}</style>`);

export const renderPage = ({ title, mood, body }: Page): string =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        ${styleElement}
      </head>
      <body>
        <main class="${mood}">
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html> `.text;
