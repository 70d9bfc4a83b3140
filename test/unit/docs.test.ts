// Documents that repeat what code says are held against the code.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { closeCodes } from '../../src/protocol/close-codes.ts';
import { serverFrame } from '../../src/protocol/frames.ts';
import { gapCauses } from '../../src/protocol/event.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name)),
];

describe('docs/protocol.md', () => {
  it('lists every close code with its meaning', () => {
    for (const { code, meaning } of Object.values(closeCodes)) {
      expect(read('docs/protocol.md')).toMatch(
        new RegExp(`\\| ${code} +\\| ${meaning.replaceAll('.', '\\.')} +\\|`),
      );
    }
  });

  it('lists every frame', () => {
    for (const option of serverFrame.options) {
      expect(read('docs/protocol.md')).toContain(`| \`${[...option.shape.type.values][0]}\``);
    }
  });
});

it('docs/gaps.md explains every cause', () => {
  for (const cause of gapCauses) expect(read('docs/gaps.md')).toContain(`\`${cause}\``);
});

it('docs/invariants.md names tests that exist', () => {
  const names = [...read('docs/invariants.md').matchAll(/`((?:unit|model|contract|scenario)\/[\w-]+)`/g)].map(
    (match) => match[1],
  );
  expect(names.length).toBeGreaterThan(10);
  const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' });
  expect(names.filter((name) => !tests.includes(`${name}.test.ts`))).toEqual([]);
});

it('links between pages lead somewhere', () => {
  const broken = pages
    .filter((page) => page.endsWith('.md'))
    .flatMap((page) =>
      [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => ({
        page,
        to: join(dirname(page), match[1] ?? ''),
      })),
    )
    .filter(({ to }) => {
      try {
        readFileSync(join(root, to));
        return false;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code !== 'EISDIR';
      }
    });
  expect(broken).toEqual([]);
});
