// The checks: everything that the relay looks at, with what to do about what is wrong.
import type { CheckView } from '../../client/index.ts';
import { printable, type Style } from '../style.ts';
import { wrap } from './wrap.ts';
import type { Room } from './menu.ts';

export async function runChecks({ ui, relay }: Room): Promise<void> {
  const [checks, bots] = await relay.look('Checking, which asks Twitch too', (admin, signal) =>
    Promise.all([admin.checks({ signal }), admin.bots()]),
  );
  const nameOf = (id: string) => bots.find((bot) => bot.id === id)?.name ?? id;
  for (const text of checkLines(checks, nameOf, ui.width, ui.style)) await ui.raw(text);
  const bad = checks.filter(({ status }) => status !== 'ok').length;
  if (bad === 0) await ui.done('All is well.');
  else await ui.warn(`${bad} of ${checks.length} need a look.`);
}

const marks: Readonly<Record<CheckView['status'], readonly [mark: string, paint: keyof Style]>> = {
  ok: ['✔', 'green'],
  warning: ['!', 'yellow'],
  failed: ['✗', 'red'],
};

/** Mark and name, the detail, and under it what to do. */
export function checkLines(
  checks: readonly CheckView[],
  nameOf: (botId: string) => string,
  width: number,
  style: Style,
): string[] {
  return checks.flatMap((check) => {
    const [mark, paint] = marks[check.status];
    const name =
      check.bot_account_id === null ? check.name : `${nameOf(check.bot_account_id)}: ${check.name}`;
    const [head = '', ...rest] = wrap(printable(`${name} · ${check.detail}`), width - 2);
    const advice = check.advice === null ? [] : wrap(printable(`→ ${check.advice}`), width - 4);
    return [
      `${style[paint](mark)} ${head}`,
      ...rest.map((text) => `  ${text}`),
      ...advice.map((text) => `    ${style.bold(text)}`),
    ];
  });
}
