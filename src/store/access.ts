// Who may use what, as SQL: the one place where it is said which wishes count. Each fragment is a condition over the
// aliases `s` (service_account) and `b` (bot_account); none of them takes a parameter.

/** The service may use the bot. Nobody may use one that is being taken out. */
export const allowedSql = `(b.removed_at IS NULL AND (s.access_mode = 'all' OR EXISTS (
  SELECT 1 FROM service_bot sb WHERE sb.service_account_id = s.id AND sb.bot_account_id = b.id)))`;

/** A wish of the service for something of the bot counts: it is delivered, and subscribed to. */
export const wantedSql = `(s.enabled AND ${allowedSql})`;
