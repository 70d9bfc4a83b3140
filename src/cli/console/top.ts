// The top menu, with one line above it that says whether all is well. Ctrl-C ends the console here, and only here.
import { describeFailure } from '../failure.ts';
import { printable } from '../style.ts';
import { botsMenu } from './bots.ts';
import { inMood, moodMark, overview } from './bots-view.ts';
import { runChecks } from './checks.ts';
import { interestsMenu } from './interests.ts';
import { Back, Leave } from './leave.ts';
import { attempt, type Action, type Room } from './menu.ts';
import { servicesMenu } from './services.ts';
import { liveTail } from './tail.ts';

type Pick = Action | 'quit';

export async function topMenu(room: Room): Promise<'ok' | 'interrupted'> {
  const { ui, relay } = room;
  await ui.say(`${ui.style.bold('eventsub-relay')} at ${relay.url}`);
  for (;;) {
    await glance(room);
    const picked = await pick(room);
    if (picked === 'quit') return 'ok';
    if (picked === 'interrupted') return 'interrupted';
    if (picked) await attempt(room, picked);
  }
}

/** Undefined: Esc, which leads nowhere from here. */
async function pick(room: Room): Promise<Pick | 'interrupted' | undefined> {
  try {
    return await room.ui.ask.select<Pick>('What now?', [
      {
        name: 'Bots',
        description: 'See them, add, refresh, authorise, rename, remove.',
        value: () => botsMenu(room),
      },
      {
        name: 'Service accounts',
        description: 'Create, new secret, access to bots, enable, remove.',
        value: () => servicesMenu(room),
      },
      {
        name: 'Interests',
        description: 'What is wanted, and whether Twitch agreed.',
        value: () => interestsMenu(room),
      },
      {
        name: 'Live tail',
        description: 'The events of a service as they come.',
        value: () => liveTail(room),
      },
      {
        name: 'Checks',
        description: 'Looks at everything and says what to do.',
        value: () => runChecks(room),
      },
      { name: 'Quit', value: 'quit' },
    ]);
  } catch (error) {
    if (error instanceof Back) return error.key === 'interrupt' ? 'interrupted' : undefined;
    throw error;
  }
}

/** One line; a relay that is away is said, and is no reason to leave. */
async function glance({ ui, relay }: Room): Promise<void> {
  try {
    const { mood, text } = overview(await relay.look('Looking at the relay', (admin) => admin.bots()));
    await ui.say(`\n${inMood(mood, moodMark(mood), ui.style)} ${printable(text)}`);
  } catch (error) {
    if (error instanceof Leave) throw error;
    if (error instanceof Back) return;
    const { message, fix } = describeFailure(error, relay.url);
    await ui.fail(message, fix);
  }
}
