-- CreateTable
CREATE TABLE "lease" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "fence" INTEGER NOT NULL,
    "holder" TEXT,
    "since" BIGINT,
    "expiresAt" BIGINT
);

-- CreateIndex
CREATE UNIQUE INDEX "lease_fence_key" ON "lease"("fence");
