// The files that the page at /docs is made of: a fixed list, from the installed package of swagger-ui and from page.ts.
// Nothing else of that package, and no path that somebody sends, is ever opened.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pageStyle, startScript } from './page.ts';

export interface Asset {
  readonly contentType: string;
  readonly body: Uint8Array<ArrayBuffer> | string;
  /** In quotes, as it travels. */
  readonly etag: string;
}

const script = 'text/javascript; charset=utf-8';
const style = 'text/css; charset=utf-8';

const fromPackage: ReadonlyMap<string, string> = new Map([
  ['swagger-ui-bundle.js', script],
  ['swagger-ui.css', style],
  ['favicon-32x32.png', 'image/png'],
]);
const own: ReadonlyMap<string, Asset> = new Map([
  ['start.js', asset(script, startScript)],
  ['page.css', asset(style, pageStyle)],
]);

export const assetNames: readonly string[] = [...fromPackage.keys(), ...own.keys()];

export function asset(contentType: string, body: Asset['body']): Asset {
  const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`;
  return { contentType, body, etag };
}

/** Reads each file once. Rejects if the package is not installed. */
export function openAssets(): (name: string) => Promise<Asset | undefined> {
  const read = new Map<string, Promise<Asset>>();
  return async (name) => {
    const ours = own.get(name);
    const contentType = fromPackage.get(name);
    if (ours || contentType === undefined) return ours;
    const known = read.get(name) ?? load(name, contentType);
    read.set(name, known);
    // A failure is not kept: the next request tries again.
    known.catch(() => read.delete(name));
    return known;
  };
}

async function load(name: string, contentType: string): Promise<Asset> {
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  return asset(contentType, new Uint8Array(await readFile(join(folder, name))));
}
