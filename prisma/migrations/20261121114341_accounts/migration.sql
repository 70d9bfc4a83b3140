-- AlterTable
ALTER TABLE "bot_account" ADD COLUMN     "removed_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "service_account" ADD COLUMN     "access_mode" TEXT NOT NULL DEFAULT 'all';

-- CreateTable
CREATE TABLE "service_bot" (
    "service_account_id" UUID NOT NULL,
    "bot_account_id" UUID NOT NULL,

    CONSTRAINT "service_bot_pkey" PRIMARY KEY ("service_account_id","bot_account_id")
);

-- CreateTable
CREATE TABLE "bot_authorization" (
    "id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "state_hash" TEXT,
    "device_code" TEXT,
    "interval_seconds" INTEGER,
    "name" TEXT,
    "scopes" TEXT[],
    "redirect_uri" TEXT,
    "bot_account_id" UUID,
    "service_account_id" UUID,
    "state" TEXT NOT NULL DEFAULT 'pending',
    "code" TEXT,
    "reason" TEXT,
    "used_at" TIMESTAMPTZ(3),
    "granted_bot_id" UUID,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "bot_authorization_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "service_bot_bot_account_id_idx" ON "service_bot"("bot_account_id");

-- CreateIndex
CREATE UNIQUE INDEX "bot_authorization_state_hash_key" ON "bot_authorization"("state_hash");

-- CreateIndex
CREATE INDEX "bot_authorization_state_expires_at_idx" ON "bot_authorization"("state", "expires_at");

-- AddForeignKey
ALTER TABLE "service_bot" ADD CONSTRAINT "service_bot_service_account_id_fkey" FOREIGN KEY ("service_account_id") REFERENCES "service_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "service_bot" ADD CONSTRAINT "service_bot_bot_account_id_fkey" FOREIGN KEY ("bot_account_id") REFERENCES "bot_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "bot_authorization" ADD CONSTRAINT "bot_authorization_service_account_id_fkey" FOREIGN KEY ("service_account_id") REFERENCES "service_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;
