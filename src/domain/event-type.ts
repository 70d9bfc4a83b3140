// What the rules of wishes and budgets need to know about an event type. Shapes only; the table itself belongs to the
// platform (src/upstream/twitch/catalog.ts). Pure.

export type EventTypeStatus = 'live' | 'beta' | 'deprecated' | 'removed';

/** One type in one version, as the platform documents it. */
export interface EventTypeRule {
  readonly type: string;
  readonly version: string;
  /** Required condition fields. */
  readonly condition: readonly string[];
  readonly optionalCondition: readonly string[];
  /** One of these scopes suffices; empty: none of this kind is asked for. */
  readonly scopesAnyOf: readonly string[];
  /** Of each inner list one scope; empty: none of this kind is asked for. */
  readonly scopesAllOf: readonly (readonly string[])[];
  /** Whether the platform lets it travel over a WebSocket. */
  readonly websocket: boolean;
  /** The condition field that must be the token's own user, if there is one. */
  readonly tokenUser: string | null;
  /** Of these optional condition fields exactly one must be set. */
  readonly exactlyOneOf?: readonly string[];
  readonly status: EventTypeStatus;
  /** A notification carries several events. */
  readonly batched?: boolean;
  readonly note?: string;
}

/** The table as its readers ask it. */
export interface EventTypeCatalogue {
  /** The entry of that version; without one, the entry that `newestLive` names. */
  findType(type: string, version?: string): EventTypeRule | undefined;
  /** The newest version that can be subscribed to: a live one, else beta, else deprecated; never a removed one. */
  newestLive(type: string): EventTypeRule | undefined;
  /** Every version of the type, oldest first; empty for an unknown type. */
  versionsOf(type: string): readonly EventTypeRule[];
  /** The `count` types whose names are most like the text, likest first. */
  nearestTypes(text: string, count: number): readonly string[];
  /** The type's real name, if the text is another name for it. */
  canonicalName(type: string): string;
}

/** Whether somebody has to grant the app something before the type can be subscribed to. */
export const needsAuthorization = (rule: EventTypeRule): boolean =>
  rule.scopesAnyOf.length > 0 || rule.scopesAllOf.length > 0;
