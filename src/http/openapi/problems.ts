// Every code that a problem document of the HTTP API may carry, with what it means to a caller. The one table: the
// document describes refusals with it, the tests hold the server's answers against it. Never names a value.

interface ProblemEntry {
  /** One sentence for people. */
  readonly meaning: string;
}

const entry = (meaning: string): ProblemEntry => ({ meaning });

export const problems = {
  account_disabled: entry('The service account is disabled.'),
  address_not_allowed: entry('Requests from this address are not served.'),
  body_too_large: entry('The body is larger than the relay takes.'),
  bot_access_denied: entry('The service is restricted and this bot is not among those it may use.'),
  bot_disabled: entry('The bot is disabled.'),
  bot_reauth_required: entry("The bot's grant is gone; it has to be authorised again."),
  budget_exceeded: entry('Twitch would not take one more subscription of this bot.'),
  challenge_failed: entry('The receiver did not echo the challenge.'),
  challenge_unavailable: entry('The challenge could not be sent, which is not the fault of the receiver.'),
  cursor_ahead: entry('The cursor lies beyond what was sent to the consumer.'),
  cursor_expired: entry('The cursor can no longer be used; `floor` is the oldest one that can.'),
  database_unavailable: entry('The database does not answer; nothing was lost.'),
  device_refused: entry('Twitch gives no device code for this application or these scopes.'),
  egress_refused: entry('The relay may not send to this URL.'),
  endpoint_disabled: entry('Nothing can be sent to the endpoint while it is disabled.'),
  headers_too_large: entry('The request line and the headers are larger than the relay takes.'),
  interest_contended: entry('Too many changes of the same interest at once.'),
  internal_error: entry('A fault of the relay; its log has it under the `request_id`.'),
  invalid_condition: entry('The condition does not fit the event type.'),
  malformed_json: entry('The body is not JSON.'),
  malformed_path: entry('The path holds a broken % escape.'),
  malformed_request: entry('The request target or the Host header makes no URL.'),
  method_not_allowed: entry('The path has no such method; `Allow` names those it has.'),
  missing_scopes: entry('The token lacks scopes; they are named.'),
  name_taken: entry('The name is taken.'),
  no_refresh_token: entry('The bot came without a refresh token, so that its tokens cannot be renewed.'),
  not_found: entry('Nothing is served at this path.'),
  not_over_websocket: entry('Twitch does not offer the event type over WebSocket.'),
  reauth_required: entry("The bot's grant is gone; it has to be authorised again."),
  replay_too_large: entry('The range holds more events than one replay takes.'),
  request_timeout: entry('The request did not arrive in time.'),
  token_invalid: entry('Twitch does not know the token.'),
  too_many_failed_logins: entry('Too many wrong credentials came from this address.'),
  too_many_headers: entry('The request has more headers than the relay takes.'),
  twitch_unreachable: entry('Twitch does not answer.'),
  type_removed: entry('Twitch has withdrawn this version of the event type.'),
  unauthorized: entry('The credentials are missing or wrong.'),
  unknown_authorization: entry('There is no such authorization.'),
  unknown_bot: entry('There is no such bot.'),
  unknown_endpoint: entry('The service has no such endpoint.'),
  unknown_expectation: entry('Expect: nothing but 100-continue is understood.'),
  unknown_interest: entry('The service has no such interest.'),
  unknown_service: entry('There is no such service account.'),
  unknown_type: entry('The catalogue has no such event type; the nearest ones are named.'),
  unknown_user: entry('Twitch knows no such user.'),
  unknown_version: entry('The event type has no such version; those it has are named.'),
  unsupported_media_type: entry('The body has to be application/json.'),
  url_too_long: entry('The request target is longer than the relay takes.'),
  validation: entry('Fields are missing or wrong; `errors` names each of them.'),
  wrong_client: entry('The token belongs to another Twitch application.'),
} as const satisfies Record<string, ProblemEntry>;

export type ProblemCode = keyof typeof problems;
