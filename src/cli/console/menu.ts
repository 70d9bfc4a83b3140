// A menu: asks, does, shows what went wrong, asks again. No error ends it; Esc leaves it.
import { describeFailure } from '../failure.ts';
import { Back, Leave } from './leave.ts';
import type { Choices } from './prompts.ts';
import type { Relay } from './relay.ts';
import type { Ui } from './ui.ts';

export interface Room {
  readonly ui: Ui;
  readonly relay: Relay;
}

/** What a choice does. `'up'`: the menu it was chosen from is left. */
export type Action = () => Promise<void | 'up'>;
export const up: Action = () => Promise.resolve('up');

/** `choices` may ask the relay, and is called before every round. */
export async function menu(
  room: Room,
  title: string | (() => string),
  choices: () => Promise<Choices<Action>>,
): Promise<void> {
  for (;;) {
    let action: Action;
    try {
      const offered = await choices();
      action = await room.ui.ask.select(typeof title === 'string' ? title : title(), offered);
    } catch (error) {
      if (error instanceof Back) return;
      if (error instanceof Leave) throw error;
      await tell(room, error);
      return;
    }
    if ((await attempt(room, action)) === 'up') return;
  }
}

/** Does it, and shows what went wrong; only the end of the console passes through. */
export async function attempt(room: Room, action: Action): Promise<void | 'up'> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof Back) return;
    if (error instanceof Leave) throw error;
    await tell(room, error);
  }
}

export async function tell({ ui, relay }: Room, error: unknown): Promise<void> {
  const { message, fix } = describeFailure(error, relay.url);
  await ui.fail(message, fix);
}
