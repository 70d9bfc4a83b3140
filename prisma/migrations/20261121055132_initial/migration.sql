-- CreateTable
CREATE TABLE "bot_account" (
    "id" UUID NOT NULL,
    "provider" TEXT NOT NULL DEFAULT 'twitch',
    "name" TEXT NOT NULL,
    "twitch_user_id" TEXT NOT NULL,
    "twitch_login" TEXT NOT NULL,
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "state" TEXT NOT NULL DEFAULT 'ok',
    "scopes" TEXT[],
    "access_token" TEXT NOT NULL,
    "refresh_token" TEXT,
    "token_expires_at" TIMESTAMPTZ(3),
    "validated_at" TIMESTAMPTZ(3),
    "covered_until" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "bot_account_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "service_account" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "client_id" TEXT NOT NULL,
    "secret_hash" TEXT NOT NULL,
    "previous_secret_hash" TEXT,
    "previous_valid_until" TIMESTAMPTZ(3),
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_seen_at" TIMESTAMPTZ(3),

    CONSTRAINT "service_account_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "topic" (
    "id" UUID NOT NULL,
    "provider" TEXT NOT NULL,
    "bot_account_id" UUID NOT NULL,
    "type" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "condition" JSONB NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'pending',
    "reason" TEXT,
    "code" TEXT,
    "retry_at" TIMESTAMPTZ(3),
    "subscription_id" TEXT,
    "cost" INTEGER NOT NULL DEFAULT 0,
    "gap_from" TIMESTAMPTZ(3),
    "gap_cause" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "topic_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "interest" (
    "id" UUID NOT NULL,
    "service_account_id" UUID NOT NULL,
    "topic_id" UUID NOT NULL,
    "transport" TEXT NOT NULL,
    "webhook_url" TEXT NOT NULL DEFAULT '',
    "created_seq" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "interest_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "consumer" (
    "service_account_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "acked_seq" BIGINT NOT NULL,
    "sent_seq" BIGINT NOT NULL,
    "attempt" INTEGER NOT NULL DEFAULT 1,
    "open" BOOLEAN NOT NULL DEFAULT false,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "consumer_pkey" PRIMARY KEY ("service_account_id","name")
);

-- CreateTable
CREATE TABLE "ws_token" (
    "token_hash" TEXT NOT NULL,
    "service_account_id" UUID NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "ws_token_pkey" PRIMARY KEY ("token_hash")
);

-- CreateTable
CREATE TABLE "log_head" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "epoch" TEXT NOT NULL,
    "seq" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "log_head_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "log_floor" (
    "class" TEXT NOT NULL,
    "deleted_seq" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "log_floor_pkey" PRIMARY KEY ("class")
);

-- CreateTable
CREATE TABLE "event" (
    "seq" BIGINT NOT NULL,
    "message_id" TEXT NOT NULL,
    "class" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "event_timestamp" TEXT NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "bot_account_id" UUID,
    "topic_id" UUID,
    "topic_ids" TEXT,
    "service_account_id" UUID,
    "body" TEXT NOT NULL,

    CONSTRAINT "event_pkey" PRIMARY KEY ("seq")
);

-- CreateIndex
CREATE UNIQUE INDEX "bot_account_name_key" ON "bot_account"("name");

-- CreateIndex
CREATE UNIQUE INDEX "bot_account_provider_twitch_user_id_key" ON "bot_account"("provider", "twitch_user_id");

-- CreateIndex
CREATE UNIQUE INDEX "service_account_name_key" ON "service_account"("name");

-- CreateIndex
CREATE UNIQUE INDEX "service_account_client_id_key" ON "service_account"("client_id");

-- CreateIndex
CREATE INDEX "topic_bot_account_id_idx" ON "topic"("bot_account_id");

-- CreateIndex
CREATE INDEX "interest_topic_id_idx" ON "interest"("topic_id");

-- CreateIndex
CREATE UNIQUE INDEX "interest_service_account_id_topic_id_transport_webhook_url_key" ON "interest"("service_account_id", "topic_id", "transport", "webhook_url");

-- CreateIndex
CREATE INDEX "ws_token_expires_at_idx" ON "ws_token"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "event_message_id_key" ON "event"("message_id");

-- CreateIndex
CREATE INDEX "event_class_seq_idx" ON "event"("class", "seq");

-- AddForeignKey
ALTER TABLE "topic" ADD CONSTRAINT "topic_bot_account_id_fkey" FOREIGN KEY ("bot_account_id") REFERENCES "bot_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "interest" ADD CONSTRAINT "interest_service_account_id_fkey" FOREIGN KEY ("service_account_id") REFERENCES "service_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "interest" ADD CONSTRAINT "interest_topic_id_fkey" FOREIGN KEY ("topic_id") REFERENCES "topic"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "consumer" ADD CONSTRAINT "consumer_service_account_id_fkey" FOREIGN KEY ("service_account_id") REFERENCES "service_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ws_token" ADD CONSTRAINT "ws_token_service_account_id_fkey" FOREIGN KEY ("service_account_id") REFERENCES "service_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;
