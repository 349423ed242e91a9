-- AlterTable
ALTER TABLE "runs" ADD COLUMN     "claimedAt" BIGINT;

-- CreateTable
CREATE TABLE "callbacks" (
    "jobId" TEXT NOT NULL,
    "attempt" INTEGER NOT NULL,
    "fence" INTEGER,
    "tokenHash" TEXT NOT NULL,
    "createdAt" BIGINT NOT NULL,
    "claimedBy" TEXT,
    "heardAt" BIGINT,
    "result" TEXT,
    "detail" TEXT,
    "refusals" INTEGER NOT NULL,

    CONSTRAINT "callbacks_pkey" PRIMARY KEY ("jobId","attempt")
);

-- CreateTable
CREATE TABLE "deploy_log_lines" (
    "jobId" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "attempt" INTEGER NOT NULL,
    "at" BIGINT NOT NULL,
    "stream" TEXT NOT NULL,
    "text" TEXT NOT NULL,

    CONSTRAINT "deploy_log_lines_pkey" PRIMARY KEY ("jobId","seq")
);

-- CreateIndex
CREATE INDEX "deploy_log_lines_at_idx" ON "deploy_log_lines"("at");
