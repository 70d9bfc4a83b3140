-- AlterTable
ALTER TABLE "interest" ADD COLUMN     "endpoint_id" UUID;

-- CreateTable
CREATE TABLE "endpoint" (
    "id" UUID NOT NULL,
    "service_account_id" UUID NOT NULL,
    "url" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "retry_profile" TEXT NOT NULL DEFAULT 'durable',
    "ordering" TEXT NOT NULL DEFAULT 'broadcaster',
    "max_age_seconds" INTEGER,
    "concurrency" INTEGER NOT NULL DEFAULT 8,
    "secret" TEXT NOT NULL,
    "previous_secret" TEXT,
    "previous_valid_until" TIMESTAMPTZ(3),
    "state" TEXT NOT NULL DEFAULT 'healthy',
    "code" TEXT,
    "reason" TEXT,
    "state_since" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "failures_in_row" INTEGER NOT NULL DEFAULT 0,
    "failing_since" TIMESTAMPTZ(3),
    "probe_at" TIMESTAMPTZ(3),
    "probes" INTEGER NOT NULL DEFAULT 0,
    "acked_seq" BIGINT NOT NULL,
    "sent_seq" BIGINT NOT NULL,
    "attempt" INTEGER NOT NULL DEFAULT 1,
    "whole_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "open" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "endpoint_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "delivery" (
    "endpoint_id" UUID NOT NULL,
    "seq" BIGINT NOT NULL,
    "run" TEXT NOT NULL DEFAULT '',
    "attempt" INTEGER NOT NULL,
    "spent" INTEGER NOT NULL DEFAULT 0,
    "next_at" TIMESTAMPTZ(3) NOT NULL,
    "blocks_until" TIMESTAMPTZ(3),
    "born_at" TIMESTAMPTZ(3) NOT NULL,
    "claimed" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "delivery_pkey" PRIMARY KEY ("endpoint_id","seq","run")
);

-- CreateTable
CREATE TABLE "attempt" (
    "id" BIGSERIAL NOT NULL,
    "service_account_id" UUID NOT NULL,
    "endpoint_id" UUID NOT NULL,
    "run" TEXT NOT NULL DEFAULT '',
    "seq" BIGINT NOT NULL,
    "message_id" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "attempt" INTEGER NOT NULL,
    "state" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "status" INTEGER,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "duration_ms" INTEGER NOT NULL,
    "response" TEXT,
    "next_at" TIMESTAMPTZ(3),

    CONSTRAINT "attempt_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "endpoint_service_account_id_url_key" ON "endpoint"("service_account_id", "url");

-- CreateIndex
CREATE INDEX "delivery_endpoint_id_run_next_at_seq_idx" ON "delivery"("endpoint_id", "run", "next_at", "seq");

-- CreateIndex
CREATE INDEX "attempt_service_account_id_id_idx" ON "attempt"("service_account_id", "id");

-- CreateIndex
CREATE INDEX "attempt_service_account_id_state_id_idx" ON "attempt"("service_account_id", "state", "id");

-- CreateIndex
CREATE INDEX "attempt_endpoint_id_seq_idx" ON "attempt"("endpoint_id", "seq");

-- CreateIndex
CREATE INDEX "attempt_message_id_idx" ON "attempt"("message_id");

-- CreateIndex
CREATE INDEX "attempt_run_idx" ON "attempt"("run");

-- CreateIndex
CREATE INDEX "interest_endpoint_id_idx" ON "interest"("endpoint_id");

-- AddForeignKey
ALTER TABLE "interest" ADD CONSTRAINT "interest_endpoint_id_fkey" FOREIGN KEY ("endpoint_id") REFERENCES "endpoint"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "endpoint" ADD CONSTRAINT "endpoint_service_account_id_fkey" FOREIGN KEY ("service_account_id") REFERENCES "service_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "delivery" ADD CONSTRAINT "delivery_endpoint_id_fkey" FOREIGN KEY ("endpoint_id") REFERENCES "endpoint"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "attempt" ADD CONSTRAINT "attempt_service_account_id_fkey" FOREIGN KEY ("service_account_id") REFERENCES "service_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;
