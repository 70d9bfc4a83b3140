// The version of the package that is running, from its own package.json, which lies beside src and beside dist.
import { readFileSync } from 'node:fs';
import { z } from 'zod';

export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
