// Showing a secret that nobody will be shown again: once, on stdout, and a word about it on stderr.
import type { CliIo } from './io.ts';
import type { Out } from './output.ts';
import { pad, printable, widthOf } from './style.ts';

export async function tellSecret(
  { out, io }: { readonly out: Out; readonly io: Pick<CliIo, 'stdout'> },
  document: unknown,
  text: { readonly shown: readonly (readonly [label: string, value: string])[]; readonly lost: string },
): Promise<void> {
  if (out.json) await out.document(document);
  else {
    const width = Math.max(...text.shown.map(([label]) => widthOf(label)));
    await io.stdout.write(
      text.shown.map(([label, value]) => `${pad(label, width)}  ${printable(value)}\n`).join(''),
    );
  }
  await out.warn(`The secret is shown this once. If it is lost, ${text.lost}`);
}
