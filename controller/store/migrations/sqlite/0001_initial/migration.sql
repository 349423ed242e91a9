-- CreateTable
CREATE TABLE "config" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "head" TEXT NOT NULL,
    "rulesCommit" TEXT NOT NULL,
    "acceptedAt" BIGINT NOT NULL,
    "bootstrapCommit" TEXT NOT NULL,
    "repositoryId" TEXT NOT NULL,
    "frozen" TEXT
);

-- CreateTable
CREATE TABLE "jobs" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "seq" INTEGER NOT NULL,
    "requestPath" TEXT NOT NULL,
    "requestBlob" TEXT NOT NULL,
    "acceptedCommit" TEXT NOT NULL,
    "project" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "ref" TEXT,
    "pin" TEXT,
    "requestReason" TEXT NOT NULL,
    "requester" TEXT,
    "pullRequest" TEXT,
    "status" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "gates" TEXT NOT NULL,
    "approvals" TEXT NOT NULL,
    "attempt" INTEGER NOT NULL,
    "version" INTEGER NOT NULL,
    "forced" BOOLEAN NOT NULL,
    "createdAt" BIGINT NOT NULL,
    "startedAt" BIGINT,
    "endedAt" BIGINT,
    "cancelRequestedAt" BIGINT
);

-- CreateTable
CREATE TABLE "runs" (
    "jobId" TEXT NOT NULL,
    "attempt" INTEGER NOT NULL,
    "fence" INTEGER,
    "state" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "repoFullName" TEXT NOT NULL,
    "selector" TEXT NOT NULL,
    "externalId" TEXT,
    "externalAttempt" INTEGER,
    "url" TEXT,
    "outcome" TEXT,
    "detail" TEXT,
    "intendedAt" BIGINT NOT NULL,
    "sendDeadline" BIGINT NOT NULL,
    "startedAt" BIGINT,
    "observedAt" BIGINT,
    "endedAt" BIGINT,
    "retryAt" BIGINT,

    PRIMARY KEY ("jobId", "attempt"),
    CONSTRAINT "runs_jobId_fkey" FOREIGN KEY ("jobId") REFERENCES "jobs" ("id") ON DELETE RESTRICT ON UPDATE RESTRICT
);

-- CreateTable
CREATE TABLE "locks" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "fence" INTEGER NOT NULL,
    "jobId" TEXT,
    "acquiredAt" BIGINT
);

-- CreateTable
CREATE TABLE "pulls" (
    "number" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "headSha" TEXT NOT NULL,
    "baseRef" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "updatedAt" BIGINT NOT NULL,
    "pins" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "deliveries" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "integration" TEXT NOT NULL,
    "deliveryId" TEXT NOT NULL,
    "event" TEXT NOT NULL,
    "receivedAt" BIGINT NOT NULL,
    "nudge" TEXT NOT NULL,
    "settledAt" BIGINT
);

-- CreateTable
CREATE TABLE "outbox" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "channel" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "revision" INTEGER NOT NULL,
    "attempts" INTEGER NOT NULL,
    "externalId" TEXT,
    "lastError" TEXT,
    "dueAt" BIGINT
);

-- CreateTable
CREATE TABLE "audit" (
    "seq" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "at" BIGINT NOT NULL,
    "action" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "jobId" TEXT,
    "environment" TEXT,
    "commit" TEXT,
    "data" TEXT NOT NULL,
    "previousHash" TEXT NOT NULL,
    "hash" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "probe" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "at" BIGINT NOT NULL
);

-- CreateIndex
CREATE UNIQUE INDEX "jobs_seq_key" ON "jobs"("seq");

-- CreateIndex
CREATE INDEX "jobs_status_type_key_endedAt_idx" ON "jobs"("status", "type", "key", "endedAt");

-- CreateIndex
CREATE INDEX "jobs_project_environment_seq_idx" ON "jobs"("project", "environment", "seq");

-- CreateIndex
CREATE INDEX "runs_externalId_idx" ON "runs"("externalId");

-- CreateIndex
CREATE INDEX "pulls_state_idx" ON "pulls"("state");

-- CreateIndex
CREATE INDEX "deliveries_settledAt_idx" ON "deliveries"("settledAt");

-- CreateIndex
CREATE UNIQUE INDEX "deliveries_integration_deliveryId_key" ON "deliveries"("integration", "deliveryId");

-- CreateIndex
CREATE INDEX "outbox_dueAt_idx" ON "outbox"("dueAt");

-- CreateIndex
CREATE INDEX "audit_jobId_seq_idx" ON "audit"("jobId", "seq");

-- The audit is append-only, and each row must be the next link of the chain. By hand: Prisma knows no triggers.
CREATE TRIGGER "audit_refuses_update" BEFORE UPDATE ON "audit"
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER "audit_refuses_delete" BEFORE DELETE ON "audit"
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

-- Also ends INSERT OR REPLACE, which deletes the old row without asking the trigger above.
CREATE TRIGGER "audit_refuses_gap" BEFORE INSERT ON "audit"
WHEN NEW."seq" <> (SELECT COALESCE(MAX("seq"), 0) + 1 FROM "audit")
  OR NEW."previousHash" <> COALESCE(
    (SELECT "hash" FROM "audit" WHERE "seq" = NEW."seq" - 1),
    '0000000000000000000000000000000000000000000000000000000000000000')
BEGIN
    SELECT RAISE(ABORT, 'not the next link of the audit chain');
END;
